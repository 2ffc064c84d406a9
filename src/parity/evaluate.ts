import { differentiate } from "../autograd/differentiate.ts";
import { Program } from "../kernels/compile/program.ts";
import { StateStore } from "../kernels/compile/state.ts";
import type { Device } from "../kernels/device/device.ts";
import { Graph } from "../kernels/trace/graph.ts";
import type { DType, Value } from "../kernels/trace/op.ts";
import type { Shape } from "../kernels/trace/shape.ts";

export interface GivenTensor {
  readonly shape: Shape;
  readonly data: Float32Array | Int32Array;
}

export interface Evaluated {
  readonly outputs: readonly { readonly shape: Shape; readonly data: Float32Array }[];
  /** Gradients of sum(first output * upstream) by input name. */
  readonly grads: Readonly<Record<string, Float32Array>>;
}

/**
 * Runs a small trace once on a device: the way op checks and op tests get numbers. With `upstream` (shape of the
 * first output) the gradients of all f32 inputs named in `wanted` (default: all f32 inputs) come back too.
 * Every buffer the run writes holds NaN before it, so an element nobody wrote cannot look like a zero.
 */
export async function evaluate(
  device: Device,
  inputs: Readonly<Record<string, GivenTensor>>,
  body: (graph: Graph, values: Readonly<Record<string, Value>>) => Value | readonly Value[],
  backward?: { readonly upstream: Float32Array; readonly wanted?: readonly string[] },
): Promise<Evaluated> {
  const graph = new Graph();
  const values: Record<string, Value> = {};
  for (const [name, { shape, data }] of Object.entries(inputs)) {
    const dtype: DType = data instanceof Int32Array ? "i32" : "f32";
    values[name] = graph.input(name, shape, dtype);
  }
  const result = body(graph, values);
  const outputs: readonly Value[] = Array.isArray(result) ? result : [result as Value];
  const [first] = outputs;
  if (!first) throw new Error("the body made no output");
  const wanted = backward?.wanted ?? Object.keys(inputs).filter((name) => values[name]?.dtype === "f32");
  const sources = wanted.flatMap((name) => values[name] ?? []);
  const seed = backward ? graph.input("upstream gradient", first.shape) : null;
  const grads = seed ? differentiate(graph, first, seed, sources) : new Map<number, Value>();
  const kept = [...outputs, ...sources.flatMap((v) => grads.get(v.id) ?? [])];
  const store = new StateStore(device);
  const program = await Program.compile(device, graph, { store, keep: kept });
  try {
    program.poison();
    for (const [name, { data }] of Object.entries(inputs)) program.write(name, data);
    if (backward) program.write("upstream gradient", backward.upstream);
    program.run();
    const read = await readAll(program, outputs);
    const gradients: Record<string, Float32Array> = {};
    for (const name of wanted) {
      const value = values[name];
      const grad = value && grads.get(value.id);
      if (grad) gradients[name] = await program.read(grad);
    }
    return { outputs: read, grads: gradients };
  } finally {
    program.destroy();
  }
}

async function readAll(program: Program, values: readonly Value[]): Promise<{ shape: Shape; data: Float32Array }[]> {
  const out = [];
  for (const value of values) out.push({ shape: value.shape, data: await program.read(value) });
  return out;
}
