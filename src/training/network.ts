import { Program } from "../kernels/compile/program.ts";
import { StateStore } from "../kernels/compile/state.ts";
import type { Device } from "../kernels/device/device.ts";
import { arenaOf, GROUPS, keyOf, type Role, STATISTICS_ARENA } from "../model/keys.ts";
import { initialRegions, initialValues, type ParameterTable } from "../model/parameters.ts";
import { type NetworkConfig, traceNetwork } from "../model/zoo.ts";
import { groupOf, networkArenas } from "./arenas.ts";
import { type InferenceOptions, type InferenceTrace, inferenceTrace } from "./inference-trace.ts";

/** A compiled evaluation: what it gives back for a batch, and the program to feed, run and read. */
export interface Inference extends InferenceTrace {
  readonly program: Program;
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
    for (const { name, entries } of networkArenas(network.table)) await network.store.allocate(name, entries);
    return network;
  }

  /** Sets a parameter or statistic, or what goes with a weight in another role, from PyTorch's numbers. */
  write(name: string, data: Float32Array, role: Role = "weight"): void {
    for (const [key, part] of this.table.toStorage(name, data)) this.store.write(keyOf(role, key), part);
  }

  /** PyTorch's numbers of all weights, or of what goes with them, by name in the order of declaration. */
  async read(role: Role = "weight"): Promise<Map<string, Float32Array>> {
    const found = new Map<string, Float32Array>();
    for (const group of GROUPS) {
      const stored = await this.store.readArena(arenaOf(role, group));
      for (const entry of this.table.list("weight").filter((one) => groupOf(one) === group)) {
        found.set(
          entry.name,
          this.table.fromStorage(entry.name, (key) => stored.get(keyOf(role, key))),
        );
      }
    }
    return found;
  }

  /** Numbers of all running statistics by name. */
  async readStatistics(): Promise<Map<string, Float32Array>> {
    const stored = await this.store.readArena(STATISTICS_ARENA);
    const names = this.table.list("statistic").map(({ name }) => name);
    return new Map(names.map((name) => [name, this.table.fromStorage(name, (key) => stored.get(key))] as const));
  }

  /** Compiles the evaluation of a batch. */
  async inference(options: InferenceOptions): Promise<Inference> {
    if (options.precision === "f16") this.device.requireHalf();
    const trace = inferenceTrace(this.config, { ...options, parameters: this.table });
    const program = await Program.compile(this.device, trace.graph, {
      name: `evaluation of ${trace.batch} images`,
      store: this.store,
      keep: trace.keep,
    });
    return { ...trace, program };
  }

  /** Throws OutOfMemoryError where {@link inference} would, before anything is made; returns the bytes it needs at the least. */
  requireInference(options: InferenceOptions): number {
    const { graph, keep } = inferenceTrace(this.config, { ...options, parameters: this.table });
    return Program.requireFit(this.device, graph, { name: `evaluation of ${options.batch} images`, keep }).bytes;
  }

  destroy(): void {
    this.store.destroy();
  }
}
