import { Program } from "../kernels/compile/program.ts";
import { type StateEntry, StateStore } from "../kernels/compile/state.ts";
import type { Device } from "../kernels/device/device.ts";
import { argmaxLast } from "../kernels/ops/loss/loss.ts";
import { softmax } from "../kernels/ops/reduce/softmax.ts";
import { resizeBilinear } from "../kernels/ops/resize.ts";
import { fuse } from "../kernels/passes/fuse.ts";
import { dropUnread, splitPointwiseOverConcat } from "../kernels/passes/rewrite.ts";
import type { Value } from "../kernels/trace/op.ts";
import { lastOf } from "../kernels/trace/shape.ts";
import { initialRegions, initialValues, type Parameter, type ParameterTable } from "../model/parameters.ts";
import { type NetworkConfig, traceNetwork } from "../model/zoo.ts";

/** Parameters are stored in two arenas, each with a clock of its own: a frozen encoder starts late. */
export const GROUPS = ["encoder", "rest"] as const;
export type GroupName = (typeof GROUPS)[number];

export const weightsArena = (group: GroupName): string => `weights/${group}`;
export const STATISTICS_ARENA = "statistics";

export function groupOf({ level }: Pick<Parameter, "level">): GroupName {
  return level === null ? "rest" : "encoder";
}

/** What to store for the weights of a group, or under another prefix for what goes with them. */
export function groupEntries(table: ParameterTable, group: GroupName, prefix = ""): StateEntry[] {
  return table
    .list("weight")
    .filter((entry) => groupOf(entry) === group)
    .flatMap(({ parts }) => parts.map(({ key, shape }) => ({ key: `${prefix}${key}`, shape })));
}

/** What an evaluation program gives back for a batch. */
export interface Inference {
  readonly program: Program;
  readonly batch: number;
  /** `[n, h, w]` i32: the class of every pixel. */
  readonly classes: Value;
  /** `[n, h, w, k]`: class probabilities. */
  readonly probabilities: Value;
  readonly logits: Value;
}

export interface InferenceOptions {
  readonly batch: number;
  /** Sides of the input; those of the configuration when left out. */
  readonly height?: number;
  readonly width?: number;
  /** Resize the logits to this size (bilinear, half-pixel centres) before deciding. */
  readonly native?: { readonly height: number; readonly width: number };
  /** Also compute class probabilities. */
  readonly probabilities?: boolean;
}

/** A network on a device: its parameters, running statistics and region maps, bound by every program made from it. */
export class Network {
  readonly device: Device;
  readonly config: NetworkConfig;
  readonly table: ParameterTable;
  readonly store: StateStore;
  readonly regions = new Map<string, Int32Array>();

  private constructor(device: Device, config: NetworkConfig, table: ParameterTable) {
    this.device = device;
    this.config = config;
    this.table = table;
    this.store = new StateStore(device);
  }

  /** Allocates a network whose numbers are a function of `seed`. */
  static async create(device: Device, config: NetworkConfig, seed: number): Promise<Network> {
    const network = await Network.empty(device, config);
    for (const entry of [...network.table.list("weight"), ...network.table.list("statistic")]) {
      network.write(entry.name, initialValues(entry, seed));
    }
    for (const [name, map] of initialRegions(network.table, seed)) network.regions.set(name, map);
    return network;
  }

  /** Allocates a network of zeros, for a checkpoint to fill. */
  static async empty(device: Device, config: NetworkConfig): Promise<Network> {
    const { build } = traceNetwork(config, { mode: "eval", batch: 2 });
    const network = new Network(device, config, build.parameters);
    for (const group of GROUPS) await network.store.allocate(weightsArena(group), groupEntries(network.table, group));
    await network.store.allocate(STATISTICS_ARENA, network.table.storage("statistic"));
    return network;
  }

  /** Sets a parameter or statistic from PyTorch's numbers. `prefix` chooses what goes with it (a moment). */
  write(name: string, data: Float32Array, prefix = ""): void {
    for (const [key, part] of this.table.toStorage(name, data)) this.store.write(`${prefix}${key}`, part);
  }

  /** PyTorch's numbers of all parameters in an arena, by name. */
  async readArena(arena: string, of: (entry: Parameter) => boolean, prefix = ""): Promise<Map<string, Float32Array>> {
    const stored = await this.store.readArena(arena);
    const entries = this.table.list().filter((entry) => entry.kind !== "region" && of(entry));
    return new Map(
      entries.map(({ name }) => [name, this.table.fromStorage(name, (key) => stored.get(`${prefix}${key}`))] as const),
    );
  }

  /** Compiles the evaluation of a batch, with all rewrites and fusions. */
  async inference(options: InferenceOptions): Promise<Inference> {
    const { batch, native, probabilities = false } = options;
    const { height = this.config.height, width = this.config.width } = options;
    const traced = traceNetwork(this.config, { mode: "eval", batch, parameters: this.table, height, width });
    const { graph } = traced.build;
    splitPointwiseOverConcat(graph);
    const logits = native
      ? graph.apply(resizeBilinear, { x: traced.logits }, { ...native, alignCorners: false })
      : traced.logits;
    const classes = graph.apply(argmaxLast, { x: logits }, {});
    const shape = logits.shape;
    const rows = graph.view(logits, [logits.shape.slice(0, -1).reduce((a, b) => a * b, 1), lastOf(shape)]);
    const scores = probabilities ? graph.view(graph.apply(softmax, { x: rows }, {}), shape) : logits;
    const keep = [logits, classes, scores];
    dropUnread(graph, keep);
    fuse(graph, keep);
    const program = await Program.compile(this.device, graph, {
      name: `evaluation of ${batch} images`,
      store: this.store,
      keep,
    });
    return { program, batch, classes, probabilities: scores, logits };
  }

  destroy(): void {
    this.store.destroy();
  }
}
