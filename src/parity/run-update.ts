import { Program } from "../kernels/compile/program.ts";
import { StateStore } from "../kernels/compile/state.ts";
import type { Device } from "../kernels/device/device.ts";
import { Graph } from "../kernels/trace/graph.ts";
import type { DType, Value } from "../kernels/trace/op.ts";
import type { Shape } from "../kernels/trace/shape.ts";

export interface UpdatedTensor {
  readonly shape: Shape;
  readonly data: Float32Array | Int32Array | Uint32Array;
}

function dtypeOf({ data }: UpdatedTensor): DType {
  if (data instanceof Float32Array) return "f32";
  return data instanceof Int32Array ? "i32" : "u32";
}

/** Runs steps that change their inputs in place and returns all float inputs as they are afterwards. */
export async function runUpdate<N extends string>(
  device: Device,
  inputs: { readonly [K in N]: UpdatedTensor },
  body: (graph: Graph, values: { readonly [K in N]: Value }) => void,
): Promise<{ readonly [K in N]: { readonly shape: Shape; readonly data: Float32Array } }> {
  const graph = new Graph();
  const given = Object.entries<UpdatedTensor>(inputs);
  const values = new Map(given.map(([name, tensor]) => [name, graph.input(name, tensor.shape, dtypeOf(tensor))]));
  body(graph, Object.fromEntries(values) as { [K in N]: Value });
  const program = await Program.compile(device, graph, { store: new StateStore(device) });
  try {
    program.poison();
    for (const [name, { data }] of given) program.write(name, data);
    program.run();
    const after: Record<string, { shape: Shape; data: Float32Array }> = {};
    for (const [name, value] of values) {
      if (value.dtype === "f32") after[name] = { shape: value.shape, data: await program.read(value) };
    }
    return after as { [K in N]: { shape: Shape; data: Float32Array } };
  } finally {
    program.destroy();
  }
}
