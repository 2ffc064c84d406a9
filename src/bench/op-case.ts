import { differentiate } from "../autograd/differentiate.ts";
import { Program } from "../kernels/compile/program.ts";
import { StateStore } from "../kernels/compile/state.ts";
import type { Device } from "../kernels/device/device.ts";
import { Graph } from "../kernels/trace/graph.ts";
import type { Value, Values } from "../kernels/trace/op.ts";
import { type Shape, sizeOf } from "../kernels/trace/shape.ts";
import { kernelTime, type Timed } from "./measure.ts";
import { randomFloats } from "./numbers.ts";
import type { Floats } from "./reference.ts";

export type Tensors = Readonly<Record<string, Floats>>;

/** An op as the bench times it: its sizes, how to call it, what it must give. */
export interface OpCase<I extends string = string> {
  readonly name: string;
  /** The sizes in words. */
  readonly detail: string;
  readonly inputs: Readonly<Record<I, Shape>>;
  body(graph: Graph, values: Values<I>): Value;
  /** Multiply-accumulates of one pass; absent for ops that only move numbers. */
  readonly macs?: number;
  /** Element `index` of the output. */
  expected(given: Tensors, index: number): number;
  /** The backward passes that are timed, each for the gradients of some inputs. */
  readonly backward: readonly BackwardPass<I>[];
}

export interface BackwardPass<I extends string> {
  readonly name: string;
  /** Times the multiply-accumulates of the forward pass. */
  readonly work?: number;
  /** How many elements of each result are compared, where float64 takes long. */
  readonly samples?: number;
  /** Element `index` of each gradient of `sum(output * given.upstream)`. */
  readonly expected: { readonly [P in I]?: (given: Tensors, index: number) => number };
}

/** One row of the table, ready to be timed. */
export interface PreparedRow {
  readonly op: string;
  readonly detail: string;
  readonly pass: string;
  /** Floating-point operations, two a multiply-accumulate; null where bytes count. */
  readonly flops: number | null;
  /** Bytes of every tensor read or written once. */
  readonly bytes: number;
  /** Why it must not be timed. */
  readonly refusal: string | null;
  readonly time: Timed;
  readonly program: Program;
}

const UPSTREAM = "upstream";
const PATH = "op";

/** Compiles the forward pass and every backward pass of a case, runs each once and compares samples of the results. */
export async function prepare(device: Device, given: OpCase): Promise<PreparedRow[]> {
  const rows = [await prepareRow(device, given, null)];
  for (const pass of given.backward) rows.push(await prepareRow(device, given, pass));
  return rows;
}

async function prepareRow(device: Device, given: OpCase, pass: BackwardPass<string> | null): Promise<PreparedRow> {
  const { graph, values, out, grads } = trace(given, pass);
  const program = await Program.compile(device, graph, {
    store: new StateStore(device),
    keep: [out, ...grads.values()],
  });
  program.poison();
  const data: Record<string, Floats> = {};
  for (const [i, [name, value]] of [...graph.inputs].entries()) {
    const numbers = randomFloats(i + 1, sizeOf(value.shape));
    data[name] = numbers;
    program.write(name, numbers);
  }
  program.run();
  const results = pass === null ? new Map([["output", out]]) : grads;
  const touched = [...Object.values(values), ...(pass === null ? [] : [out]), ...results.values()];
  const macs = given.macs === undefined ? null : given.macs * (pass?.work ?? 1);
  return {
    op: given.name,
    detail: given.detail,
    pass: pass?.name ?? "forward",
    flops: macs === null ? null : 2 * macs,
    bytes: touched.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0),
    refusal: await check(program, results, pass?.samples ?? SAMPLES, (name, index) => {
      const exact = pass === null ? given.expected : pass.expected[name];
      return exact?.(data, index) ?? Number.NaN;
    }),
    time: kernelTime(device, program, (path) => path.startsWith(pass === null ? PATH : `${PATH}'`)),
    program,
  };
}

function trace(given: OpCase, pass: BackwardPass<string> | null) {
  const graph = new Graph();
  const values: Record<string, Value> = {};
  for (const [name, shape] of Object.entries(given.inputs)) values[name] = graph.input(name, shape);
  const out = graph.scope(PATH, () => given.body(graph, values));
  const grads = new Map<string, Value>();
  if (pass) {
    const wanted = Object.keys(pass.expected);
    const sources = wanted.flatMap((name) => values[name] ?? []);
    const found = differentiate(graph, out, graph.input(UPSTREAM, out.shape), sources);
    for (const name of wanted) {
      const grad = found.get(values[name]?.id ?? -1);
      if (!grad) throw new Error(`${given.name} has no gradient of ${name}`);
      grads.set(name, grad);
    }
  }
  return { graph, values, out, grads };
}

const SAMPLES = 48;

/** Compares evenly spaced elements of every result with float64; a sentence about the worst where they differ. */
async function check(
  program: Program,
  results: ReadonlyMap<string, Value>,
  samples: number,
  exact: (name: string, index: number) => number,
): Promise<string | null> {
  for (const [name, value] of results) {
    const got = await program.read(value);
    const problem = compareSamples(name, got, samples, (index) => exact(name, index));
    if (problem !== null) return problem;
  }
  return null;
}

/** Differences count against the largest sample: sums of many numbers round by their size, not by the result's. */
export function compareSamples(
  name: string,
  got: Floats,
  samples: number,
  exact: (index: number) => number,
): string | null {
  const count = Math.min(samples, got.length);
  const places = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.37) * got.length) / count));
  const pairs = places.map((index) => ({ index, got: got[index] ?? Number.NaN, exact: exact(index) }));
  const largest = Math.max(...pairs.map((pair) => Math.abs(pair.exact)));
  const bad = pairs.find((pair) => !(Math.abs(pair.got - pair.exact) <= 2e-4 * largest + 1e-9));
  return bad ? `${name}[${bad.index}] is ${bad.got}, float64 gives ${bad.exact}` : null;
}
