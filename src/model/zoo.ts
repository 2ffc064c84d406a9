import { UsageError } from "../errors.ts";
import { Graph } from "../kernels/graph.ts";
import type { Value } from "../kernels/op.ts";
import { suggestion } from "../nearest.ts";
import { Build, type Mode } from "./build.ts";
import { type Counts, count } from "./count.ts";
import { SVANET_PRESETS, type SvanetConfig, type SvanetPreset } from "./svanet/config.ts";
import { svanet } from "./svanet/network.ts";

/** A network that can be trained and measured by name. */
export interface ZooEntry {
  readonly name: SvanetPreset;
  /** One line for lists. */
  readonly summary: string;
  readonly config: SvanetConfig;
}

/** Every network, in the order of lists. */
export const ZOO: readonly ZooEntry[] = [
  { name: "svanet", summary: "SvANet as the paper measured it", config: SVANET_PRESETS.svanet },
  { name: "svanet-text", summary: "SvANet as the paper's text describes it", config: SVANET_PRESETS["svanet-text"] },
  { name: "svanet-release", summary: "SvANet as its authors published it", config: SVANET_PRESETS["svanet-release"] },
];

/** The entry of that name; UsageError with the nearest one when there is none. */
export function fromZoo(name: string): ZooEntry {
  const names = ZOO.map((entry) => entry.name);
  const found = ZOO.find((entry) => entry.name === name);
  if (!found) throw new UsageError(`there is no network ${name}. ${suggestion(name, names)}`);
  return found;
}

export interface Traced {
  readonly build: Build;
  readonly image: Value;
  readonly logits: Value;
  readonly taps: ReadonlyMap<string, Value>;
}

/** Traces a network on `batch` images of its configured size (or another). The image is the input `image`. */
export function traceNetwork(
  config: SvanetConfig,
  options: {
    readonly mode: Mode;
    readonly batch: number;
    readonly parameters?: Build["parameters"];
    readonly height?: number;
    readonly width?: number;
  },
): Traced {
  const graph = new Graph();
  const { mode, batch, parameters, height = config.height, width = config.width } = options;
  const build = new Build({ graph, mode, ...(parameters ? { parameters } : {}) });
  const image = graph.input("image", [batch, height, width, 3]);
  return { build, image, ...svanet(build, config, image) };
}

export interface Description extends Counts {
  readonly name: string;
  readonly preset: string;
}

/** What a list of networks shows: the costs of one image at the configured size. */
export function describe(preset: SvanetPreset, config: SvanetConfig = SVANET_PRESETS[preset]): Description {
  const { build } = traceNetwork(config, { mode: "eval", batch: 1 });
  return { name: "SvANet", preset, ...count(build.graph, build.parameters) };
}
