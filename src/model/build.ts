import type { LayerTag } from "../kernels/trace/cost.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import type { Shape } from "../kernels/trace/shape.ts";
import { type Draw, DrawTable, drawInputs } from "./draws.ts";
import { type Initialiser, type Parameter, ParameterTable } from "./parameters.ts";

export type Mode = "train" | "eval";

/** Running statistics that a training step has to move towards the batch's. */
export interface RunningStatistics {
  /** The norm's full name. */
  readonly name: string;
  /** `[3, c]`: mean and biased variance of the batch, and what rounding took from the mean. */
  readonly batch: Value;
  /** Values per channel the batch's statistics were taken over. */
  readonly count: number;
  readonly momentum: number;
}

interface BuildOptions {
  readonly graph: Graph;
  readonly mode: Mode;
  /** Shared by all traces of one network, so that they agree on names and shapes. */
  readonly parameters?: ParameterTable;
}

/**
 * What a network is called with: the trace it writes to, and a cursor over parameter names. A layer asks for a
 * parameter by name, PyTorch shape and initialiser in one line; whether that makes it or finds it again is not its
 * concern.
 */
export class Build {
  readonly graph: Graph;
  readonly mode: Mode;
  readonly parameters: ParameterTable;
  /** Of this trace alone: shapes depend on the batch. */
  readonly draws = new DrawTable();
  readonly statistics: RunningStatistics[] = [];

  constructor({ graph, mode, parameters = new ParameterTable() }: BuildOptions) {
    this.graph = graph;
    this.mode = mode;
    this.parameters = parameters;
  }

  /** Runs `body` with `name` (dots allowed) in front of the names it uses. */
  scope<R>(name: string, body: () => R): R {
    return this.graph.scope(name, body);
  }

  /** As {@link scope}, for steps that tables of costs treat as `tag` says. */
  layer<R>(name: string, tag: LayerTag, body: () => R): R {
    return this.scope(name, () => this.graph.tagged(tag, body));
  }

  /** The full name of `name` here. */
  name(name: string): string {
    return this.graph.path === "" ? name : `${this.graph.path}.${name}`;
  }

  /** A trained tensor. `shape` is PyTorch's; the value has axis 1 last. */
  parameter(name: string, shape: Shape, init: Initialiser): Value {
    return this.#value(this.parameters.declare(this.name(name), shape, "weight", init), 0);
  }

  /** A trained tensor stored in several along its first axis. */
  parameterParts(name: string, shape: Shape, init: Initialiser, split: readonly number[]): readonly Value[] {
    const entry = this.parameters.declare(this.name(name), shape, "weight", init, split);
    return split.map((_, i) => this.#value(entry, i));
  }

  /** A running average per channel, starting at `value`. */
  statistic(name: string, channels: number, value: number): Value {
    const init = { kind: "constant", value } as const;
    return this.#value(this.parameters.declare(this.name(name), [channels], "statistic", init), 0);
  }

  /** A map of `cells` cells with whole numbers 0 .. count-1, kept by the host. Returns its full name. */
  region(name: string, cells: number, count: number): string {
    return this.parameters.declare(this.name(name), [cells], "region", { kind: "integer", count }).name;
  }

  /** The inputs of a random choice. */
  draw(draw: Draw): readonly Value[] {
    this.draws.declare(draw);
    return drawInputs(draw).map(([name, shape]) => this.graph.input(name, shape));
  }

  #value({ name, parts }: Parameter, index: number): Value {
    const part = parts[index];
    if (!part) throw new Error(`${name} has no part ${index}`);
    return this.graph.state(part.key, part.shape);
  }
}
