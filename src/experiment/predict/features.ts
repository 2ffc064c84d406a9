import type { Picture } from "../../data/image/image.ts";
import { normalise } from "../../data/image/normalise.ts";
import { resize } from "../../data/image/resample.ts";
import { UsageError } from "../../errors.ts";
import type { Checkpoint } from "../../inference/checkpoint/checkpoint.ts";
import { nhwc } from "../../kernels/trace/shape.ts";
import { type NetworkConfig, traceNetwork } from "../../model/zoo.ts";
import { suggestion } from "../../nearest.ts";
import type { Network } from "../../training/network.ts";

/** An intermediate of a network that can be looked at. */
export interface TapShape {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Its numbers for an image, `[height, width, channels]`. */
export interface FeatureMap extends TapShape {
  readonly data: Float32Array;
}

/** The intermediates that a network names, in the order in which they are computed; none where it names none. */
export function tapsOf(config: NetworkConfig): TapShape[] {
  const { intermediates } = traceNetwork(config, { mode: "eval", batch: 1 });
  return [...intermediates].map(([name, { shape }]) => {
    const { h: height, w: width, c: channels } = nhwc("tap", name, shape);
    return { name, height, width, channels };
  });
}

/** UsageError for a name that is none of the network's, with the nearest one. */
export function requireTaps(config: NetworkConfig, names: readonly string[], network: string): TapShape[] {
  const known = tapsOf(config);
  return names.map((name) => {
    const found = known.find((tap) => tap.name === name);
    if (found !== undefined) return found;
    const all = known.map((tap) => tap.name);
    const hint = all.length === 0 ? `a ${config.kind} names none` : suggestion(name, all);
    throw new UsageError(`--at ${name}: ${network} has no such map. ${hint}`);
  });
}

/**
 * What a network computes inside for an image, as it evaluates it: stretched to the trained size, normalised, without random
 * choices. UsageError for a name it does not have.
 */
export async function featureMaps(
  network: Network,
  checkpoint: Checkpoint,
  image: Picture,
  names: readonly string[],
): Promise<FeatureMap[]> {
  const taps = requireTaps(network.config, names, checkpoint.path);
  const { width, height } = network.config;
  const inference = await network.inference({ batch: 1, intermediates: names });
  const { program } = inference;
  try {
    const { mean, std } = checkpoint.facts;
    inference.feed(program, normalise(resize(image, { width, height }, "bicubic"), { mean, std }));
    program.run();
    const maps: FeatureMap[] = [];
    for (const tap of taps) {
      const value = inference.intermediates.get(tap.name);
      if (value === undefined) throw new Error(`${tap.name} was not kept`);
      maps.push({ ...tap, data: await program.read(value) });
    }
    return maps;
  } finally {
    program.destroy();
  }
}
