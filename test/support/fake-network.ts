import type { ByteImage } from "../../src/data/image/image.ts";
import { OutOfMemoryError } from "../../src/errors.ts";
import { Predictor, type PredictorOptions } from "../../src/inference/predictor.ts";
import { random } from "../../src/kernels/random.ts";
import type { InferenceOptions } from "../../src/training/inference-trace.ts";
import type { Network } from "../../src/training/network.ts";

/** Grey noise, a function of its size. */
export function noise(width: number, height: number): ByteImage {
  const walk = random(1, "picture", width, height);
  return { width, height, channels: 1, data: new Uint8Array(width * height).map(() => walk.integer(256)) };
}

/** The same in three equal channels. */
export const rgb = (width: number, height: number): ByteImage => {
  const { data } = noise(width, height);
  return {
    width,
    height,
    channels: 3,
    data: Uint8Array.from({ length: 3 * data.length }, (_, i) => data[i / 3] ?? 0),
  };
};

/**
 * A network that finds class 1 where red is above half, without a GPU; says which programs are alive. Nothing wider than 100
 * pixels fits, and there are 64 MiB of main memory.
 */
export function fakeNetwork() {
  const alive = new Set<string>();
  const requireInference = ({ native = { width: 0, height: 0 } }: Pick<InferenceOptions, "native">) => {
    if (native.width > 100) throw new OutOfMemoryError("the plan needs more", { advice: "use a smaller --batch-size" });
    return native.width * native.height;
  };
  const inference = async ({ native = { width: 0, height: 0 }, probabilities = false }: InferenceOptions) => {
    const key = `${native.width}x${native.height}${probabilities ? "p" : ""}`;
    requireInference({ native });
    alive.add(key);
    let classes = new Int32Array();
    const scores = () =>
      Float32Array.from({ length: 2 * classes.length }, (_, i) => Number(classes[i >> 1] === (i & 1)));
    const program = {
      run() {},
      read: async () => scores(),
      readAll: async (values: readonly unknown[]) => [classes.buffer, scores().buffer].slice(0, values.length),
      destroy: () => alive.delete(key),
    };
    const feed = (_: unknown, image: Float32Array) => {
      classes = Int32Array.from({ length: image.length / 3 }, (_, i) => ((image[3 * i] ?? 0) > 0.5 ? 1 : 0));
    };
    return { program, feed, classes: {}, probabilities: {} };
  };
  const device = { room: { gpu: null, host: 2 ** 26, shared: false } };
  const parts = { config: { width: 8, height: 8, classes: 2 }, device, inference, requireInference };
  const network = parts as unknown as Network;
  const facts = { mean: [0, 0, 0], std: [1, 1, 1] };
  return {
    alive,
    of: (options?: PredictorOptions) => new Predictor(network, { facts }, options),
    /** As one that was trained on patches of 8x8. */
    native: (options?: PredictorOptions) =>
      new Predictor(network, { facts: { ...facts, resolution: "native" } }, options),
  };
}
