import { differentiate } from "../autograd/differentiate.ts";
import { Program, type ProgramOptions } from "../kernels/compile/program.ts";
import { StateStore } from "../kernels/compile/state.ts";
import type { Device } from "../kernels/device/device.ts";
import { Graph } from "../kernels/trace/graph.ts";
import type { DType, Value } from "../kernels/trace/op.ts";
import type { Shape } from "../kernels/trace/shape.ts";

export interface GivenTensor {
  readonly shape: Shape;
  readonly data: Float32Array | Int32Array | Uint32Array;
}

export interface EvaluatedTensor {
  readonly shape: Shape;
  /** Of the tensor's element type. */
  readonly data: Float32Array | Int32Array | Uint32Array;
}

export interface Evaluated {
  readonly outputs: readonly EvaluatedTensor[];
  /** Gradients of sum(first output * upstream) by input name; those that no derivative computes are absent. */
  readonly grads: Readonly<Record<string, Float32Array>>;
}

export interface EvaluateOptions extends Pick<ProgramOptions, "shader"> {
  /** The gradient of the first output, in its shape. */
  readonly upstream?: Float32Array;
  /** Inputs whose gradients come back; all of floats when left out. */
  readonly wanted?: readonly string[];
}

const UPSTREAM = "upstream gradient";

/**
 * Runs a small trace once on a device: the way checks and tests get numbers. The body returns what is read afterwards:
 * outputs, or inputs that it changes in place. With `upstream` the gradients of the wanted inputs come back too.
 * Every buffer the run writes holds NaN before it, so an element nobody wrote cannot look like a zero.
 */
export async function evaluate(
  device: Device,
  inputs: Readonly<Record<string, GivenTensor>>,
  body: (graph: Graph, values: Readonly<Record<string, Value>>) => Value | readonly Value[],
  { upstream, wanted, shader }: EvaluateOptions = {},
): Promise<Evaluated> {
  const graph = new Graph();
  const values: Record<string, Value> = {};
  for (const [name, given] of Object.entries(inputs)) values[name] = graph.input(name, given.shape, dtypeOf(given));
  const outputs = [body(graph, values)].flat();
  const grads = upstream ? gradients(graph, outputs, values, wanted) : new Map<string, Value>();
  const read = [...outputs, ...grads.values()];
  const options = { store: new StateStore(device), keep: read, ...(shader ? { shader } : {}) };
  const program = await Program.compile(device, graph, options);
  try {
    program.poison();
    for (const [name, { data }] of Object.entries(inputs)) program.write(name, data);
    if (upstream) program.write(UPSTREAM, upstream);
    program.run();
    const bytes = await program.readAll(read);
    const tensors = read.map(({ shape, dtype }, i) => ({ shape, data: typed(dtype, bytes[i] ?? new ArrayBuffer(0)) }));
    const own = [...grads.keys()].map((name, i) => [name, tensors[outputs.length + i]?.data] as const);
    return {
      outputs: tensors.slice(0, outputs.length),
      grads: Object.fromEntries(own.flatMap(([name, data]) => (data instanceof Float32Array ? [[name, data]] : []))),
    };
  } finally {
    program.destroy();
  }
}

/** Appends the backward steps; gradients by the name of their input. */
function gradients(
  graph: Graph,
  [first]: readonly Value[],
  values: Readonly<Record<string, Value>>,
  wanted: readonly string[] = Object.keys(values).filter((name) => values[name]?.dtype === "f32"),
): Map<string, Value> {
  if (!first) throw new Error("the body made no output to differentiate");
  const sources = wanted.flatMap((name) => values[name] ?? []);
  const found = differentiate(graph, first, graph.input(UPSTREAM, first.shape), sources);
  return new Map(
    wanted.flatMap((name) => {
      const grad = found.get(values[name]?.id ?? -1);
      return grad ? [[name, grad] as const] : [];
    }),
  );
}

/** The numbers of a tensor of floats. */
export function floats({ data, shape }: EvaluatedTensor): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new Error(`the tensor [${shape}] holds integers, not floats`);
}

function dtypeOf({ data }: GivenTensor): DType {
  if (data instanceof Float32Array) return "f32";
  return data instanceof Int32Array ? "i32" : "u32";
}

function typed(dtype: DType, bytes: ArrayBuffer): Float32Array | Int32Array | Uint32Array {
  if (dtype === "f32") return new Float32Array(bytes);
  return dtype === "i32" ? new Int32Array(bytes) : new Uint32Array(bytes);
}
