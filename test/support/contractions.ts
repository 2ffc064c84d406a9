import { Program } from "../../src/kernels/compile/program.ts";
import { StateStore } from "../../src/kernels/compile/state.ts";
import type { Device } from "../../src/kernels/device/device.ts";
import { allTaps, type Contraction, type Lowering } from "../../src/kernels/ops/contraction/contraction.ts";
import { FREE } from "../../src/kernels/trace/cost.ts";
import { Graph } from "../../src/kernels/trace/graph.ts";
import { defineOp, FIRST_ORDER, NO_MACS } from "../../src/kernels/trace/op.ts";
import { type Shape, sizeOf } from "../../src/kernels/trace/shape.ts";
import { noise } from "./numbers.ts";

/** A contraction of 3x3 taps by its shapes. */
export interface Extents {
  readonly x: Shape;
  readonly weight: Shape;
  readonly y: Shape;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}

/** The result of a kind of contraction of noise, with scale, bias, residual and activation where it has an epilogue. */
export async function runContraction(
  device: Device,
  kind: Contraction["kind"],
  extents: Extents,
  lowering: Lowering,
): Promise<Float32Array> {
  const { x, weight, y, stride, padding, dilation } = extents;
  const shapes = { x, weight, y };
  const made = ({ gather: "y", scatter: "x", pair: "weight" } as const)[kind];
  const channels = shapes[made][3] ?? 1;
  const rest = kind === "pair" ? {} : { scale: [channels], bias: [channels], residual: shapes[made] };
  const { [made]: out, ...operands } = shapes;
  const inputs: Readonly<Record<string, Shape>> = { ...operands, ...rest };
  const op = defineOp<unknown>()({
    name: "contraction",
    inputs: Object.keys(inputs),
    shape: () => out,
    lower: ({ inputs: given, out: result, target, scratch }) => {
      const { scale, bias, residual, ...two } = { ...given, [made]: result };
      const epilogue = scale && bias && residual ? { scale, bias, residual, activation: "silu" as const } : {};
      const geometry = { stride, padding, dilation, groups: 1, taps: allTaps(3, 3) };
      const operandsOf = two as unknown as Pick<Contraction, "x" | "weight" | "y">;
      return [...lowering({ kind, ...operandsOf, ...geometry, epilogue, target, scratch })];
    },
    macs: NO_MACS,
    cost: FREE,
    derivative: FIRST_ORDER,
  });
  const graph = new Graph();
  const values = Object.fromEntries(Object.entries(inputs).map(([name, shape]) => [name, graph.input(name, shape)]));
  const result = graph.apply(op, values, {});
  const program = await Program.compile(device, graph, { store: new StateStore(device), keep: [result] });
  try {
    program.poison();
    for (const [i, [name, shape]] of Object.entries(inputs).entries()) program.write(name, noise(sizeOf(shape), i + 1));
    program.run();
    return await program.read(result);
  } finally {
    program.destroy();
  }
}
