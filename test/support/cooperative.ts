import { differentiate } from "../../src/autograd/differentiate.ts";
import { lower, type PlacedDispatch } from "../../src/kernels/compile/lower.ts";
import { Program } from "../../src/kernels/compile/program.ts";
import { StateStore } from "../../src/kernels/compile/state.ts";
import type { Device } from "../../src/kernels/device/device.ts";
import { attention } from "../../src/kernels/ops/attention/attention.ts";
import { conv2d, conv2dStatistics } from "../../src/kernels/ops/contraction/conv.ts";
import { conv2dGradWeight } from "../../src/kernels/ops/contraction/weight-gradient.ts";
import { batchNormTrain } from "../../src/kernels/ops/norm/batch-norm.ts";
import { random } from "../../src/kernels/random.ts";
import type { Target } from "../../src/kernels/target.ts";
import { Graph } from "../../src/kernels/trace/graph.ts";
import type { AnyOp, Dispatch, Value } from "../../src/kernels/trace/op.ts";
import { type Shape, sizeOf } from "../../src/kernels/trace/shape.ts";
import { cooperation, isCooperative, mirrored, type Order } from "./mirror.ts";

/** A call of an op that is run with its gradients: sizes at which every loop round a barrier turns more than once. */
export interface CooperativeCase {
  readonly op: AnyOp;
  readonly inputs: Readonly<Record<string, Shape>>;
  readonly attrs: unknown;
  /** Of an op that has no derivative: its outputs are all results. */
  readonly last?: true;
  /** What the target is taken to be besides: with one compute unit a small output gets the tiles of a large one. */
  readonly target?: Partial<Target>;
}

const conv = (x: Shape, weight: Shape): CooperativeCase => {
  const padding = ((weight[1] ?? 1) - 1) / 2;
  return { op: conv2d, inputs: { x, weight }, attrs: { stride: 1, padding, dilation: 1, groups: 1 } };
};
const telling = (x: Shape, weight: Shape): CooperativeCase => ({
  ...conv(x, weight),
  op: conv2dStatistics,
  last: true,
});
const heads = (tokens: number, width: number): CooperativeCase => {
  const rows = [1, tokens, width];
  return { op: attention, inputs: { q: rows, k: rows, v: rows }, attrs: { heads: 2 } };
};

const gradient = (x: Shape, k: number, more: object): CooperativeCase => {
  const attrs = { stride: 1, padding: 1, dilation: 1, groups: 1, like: [k, 3, 3, x[3] ?? 1], ...more };
  return { op: conv2dGradWeight, inputs: { grad: [...x.slice(0, 3), k], x }, attrs, last: true };
};

/** Between them the cases meet every kernel whose lanes depend on one another, for every target. */
export const COOPERATIVE_CASES: readonly CooperativeCase[] = [
  conv([1, 5, 7, 20], [128, 3, 3, 20]),
  { ...conv([1, 8, 16, 68], [100, 3, 3, 68]), target: { computeUnits: 1 } },
  conv([1, 5, 7, 9], [7, 3, 3, 9]),
  conv([1, 90, 91, 12], [68, 1, 1, 12]),
  conv([1, 90, 91, 68], [12, 1, 1, 68]),
  conv([1, 5, 7, 8], [8, 1, 1, 8]),
  telling([1, 9, 15, 20], [68, 3, 3, 20]),
  telling([1, 9, 15, 9], [7, 3, 3, 9]),
  { ...telling([1, 8, 15, 68], [100, 3, 3, 68]), target: { computeUnits: 1 } },
  heads(70, 8),
  heads(70, 6),
  heads(37, 72),
  heads(37, 256),
  gradient([2, 15, 13, 20], 12, { activation: "relu" }),
  gradient([2, 15, 13, 20], 12, { sums: true }),
  gradient([2, 15, 13, 20], 12, { sums: true, activation: "relu" }),
  { op: batchNormTrain, inputs: { x: [1, 9, 7, 20], weight: [20], bias: [20] }, attrs: { eps: 1e-3 } },
];

interface Traced {
  readonly graph: Graph;
  /** The outputs and the gradients of all inputs. */
  readonly results: readonly Value[];
}

/** The call with the gradients of its inputs. */
export function traceCooperative({ op, inputs, attrs, last }: CooperativeCase): Traced {
  const graph = new Graph();
  const values = Object.fromEntries(Object.entries(inputs).map(([name, shape]) => [name, graph.input(name, shape)]));
  if (last) return { graph, results: graph.applyAll(op, values, attrs) };
  const output = graph.apply(op, values, attrs);
  const grads = differentiate(graph, output, graph.input("upstream", output.shape), Object.values(values));
  return { graph, results: [output, ...grads.values()] };
}

/** The dispatches of a trace whose lanes depend on one another, by what they have in common. */
export function cooperativeKernels(graph: Graph, target: Target): Map<string, PlacedDispatch> {
  const found = lower(graph, target).filter(({ wgsl }) => isCooperative(wgsl));
  return new Map(found.map((dispatch) => [cooperation(dispatch.wgsl), dispatch]));
}

/** What a target makes of the cases: each with the kernels that no earlier one has met; those without any are left out. */
export function casesFor(
  target: Target,
): { readonly one: CooperativeCase; readonly kernels: Map<string, PlacedDispatch> }[] {
  const met = new Set<string>();
  return COOPERATIVE_CASES.flatMap((one) => {
    const found = [...cooperativeKernels(traceCooperative(one).graph, { ...target, ...one.target })].filter(
      ([key]) => !met.has(key),
    );
    for (const [key] of found) met.add(key);
    return found.length > 0 ? [{ one, kernels: new Map(found) }] : [];
  });
}

/** Runs a case with its lanes in an order, after a change of its cooperative kernels, and returns the results' bits. */
export function runInOrder(
  device: Device,
  one: CooperativeCase,
  order: Order,
  change: (dispatch: Dispatch) => Dispatch = (dispatch) => dispatch,
): Promise<readonly Uint32Array[]> {
  const inOrder = (dispatch: Dispatch) => mirrored(change(dispatch), device.target.subgroupSize, order);
  return runChanged(device, one, (dispatch) => (isCooperative(dispatch.wgsl) ? inOrder(dispatch) : dispatch));
}

/** Runs a case with its dispatches changed and returns the bits of its results. */
export async function runChanged(
  device: Device,
  one: CooperativeCase,
  change: (dispatch: Dispatch) => Dispatch,
): Promise<readonly Uint32Array[]> {
  const { graph, results } = traceCooperative(one);
  graph.replaceSteps(
    graph.steps.map((step) => {
      const op: AnyOp = {
        ...step.op,
        lower: (call) => step.op.lower({ ...call, target: { ...call.target, ...one.target } }).map(change),
      };
      return { ...step, op };
    }),
  );
  const program = await Program.compile(device, graph, { store: new StateStore(device), keep: results });
  try {
    program.poison();
    for (const [name, { shape }] of graph.inputs) program.write(name, noise(name, sizeOf(shape)));
    program.run();
    return (await program.readAll(results)).map((bytes) => new Uint32Array(bytes));
  } finally {
    program.destroy();
  }
}

/** Numbers in -1 .. 1 that repeat from run to run. */
function noise(name: string, count: number): Float32Array {
  const walk = random(1, name);
  return Float32Array.from({ length: count }, () => 2 * walk.uniform() - 1);
}
