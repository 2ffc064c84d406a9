import { differentiate } from "../../src/autograd/differentiate.ts";
import { Program } from "../../src/kernels/compile/program.ts";
import { StateStore } from "../../src/kernels/compile/state.ts";
import type { Device } from "../../src/kernels/device/device.ts";
import { add } from "../../src/kernels/ops/arithmetic.ts";
import { conv2d, convTranspose2d } from "../../src/kernels/ops/contraction/conv.ts";
import { addBias, linear } from "../../src/kernels/ops/contraction/linear.ts";
import { batchNormEval, batchNormTrain } from "../../src/kernels/ops/norm/batch-norm.ts";
import { Graph } from "../../src/kernels/trace/graph.ts";
import type { Value } from "../../src/kernels/trace/op.ts";
import { type Shape, sizeOf } from "../../src/kernels/trace/shape.ts";
import { noise } from "./numbers.ts";

export const SAME = { stride: 1, padding: 1, dilation: 1, groups: 1 } as const;
export const POINT = { ...SAME, padding: 0 } as const;
export const TURNED = { stride: 2, padding: 1, outputPadding: 1 } as const;

export const map = (graph: Graph, name: string, c = 8, side = 6): Value => graph.input(name, [2, side, side, c]);
export const conv = (graph: Graph, x: Value, name = "weight"): Value =>
  graph.apply(conv2d, { x, weight: graph.input(name, [8, 3, 3, 8]) }, SAME);
export const turned = (graph: Graph, x: Value): Value =>
  graph.apply(convTranspose2d, { x, weight: graph.input("weight", [8, 3, 3, 8]) }, TURNED);
export const dense = (graph: Graph, x: Value, name = "weight"): Value =>
  graph.apply(linear, { x, weight: graph.input(name, [8, 8]) }, {});
export const bias = (graph: Graph, x: Value): Value => graph.apply(addBias, { x, bias: graph.input("bias", [8]) }, {});
export const normInputs = (graph: Graph) => ({ weight: graph.input("gamma", [8]), bias: graph.input("beta", [8]) });
export const norm = (graph: Graph, x: Value): Value =>
  graph.apply(
    batchNormEval,
    { x, ...normInputs(graph), mean: graph.input("mean", [8]), variance: graph.input("variance", [8]) },
    { eps: 1e-3 },
  );
export const normOfBatch = (graph: Graph, x: Value): Value =>
  graph.apply(batchNormTrain, { x, ...normInputs(graph) }, { eps: 1e-3 });
export const sum = (graph: Graph, x: Value, y: Value): Value => graph.apply(add, { x, y }, {});
/** The gradient by `x`. */
export const slope = (graph: Graph, out: Value, x: Value): Value => {
  const found = differentiate(graph, out, graph.input("upstream", out.shape), [x]).get(x.id);
  if (!found) throw new Error("there is no gradient");
  return found;
};

const seeds = (name: string): number => [...name].reduce((sumOf, letter) => 31 * sumOf + letter.charCodeAt(0), 7);

/** Numbers for an input; variances are positive. */
function drawn(name: string, shape: Shape): Float32Array {
  const values = noise(sizeOf(shape), seeds(name));
  return name === "variance" ? values.map((v) => 1 + 0.5 * v) : values;
}

async function run(device: Device, graph: Graph, keep: readonly Value[]): Promise<Float32Array[]> {
  const program = await Program.compile(device, graph, { store: new StateStore(device), keep });
  try {
    program.poison();
    for (const [name, value] of graph.inputs) program.write(name, drawn(name, value.shape));
    program.run();
    const found: Float32Array[] = [];
    for (const value of keep) found.push(await program.read(value));
    return found;
  } finally {
    program.destroy();
  }
}

export const opsOf = (graph: Graph): string[] => graph.steps.map(({ op }) => op.name);

/** Largest difference over the largest number of the literal form. */
function difference(got: readonly Float32Array[], exact: readonly Float32Array[]): number {
  let [most, largest] = [0, 0];
  for (const [n, values] of exact.entries()) {
    for (const [i, value] of values.entries()) {
      const apart = Math.abs(value - (got[n]?.[i] ?? Number.NaN));
      if (!(apart <= most)) most = apart;
      largest = Math.max(largest, Math.abs(value));
    }
  }
  return most / largest;
}

/** The values of the literal steps, and those after `pass`, with the ops that it left and the last step. */
export async function both(
  device: Device,
  write: (graph: Graph) => readonly Value[],
  pass: (graph: Graph, keep: readonly Value[]) => void,
) {
  const [literal, changed] = [new Graph(), new Graph()];
  const exact = await run(device, literal, write(literal));
  const keep = write(changed);
  pass(changed, keep);
  return {
    ops: opsOf(changed),
    last: changed.steps.at(-1),
    apart: difference(await run(device, changed, keep), exact),
  };
}
