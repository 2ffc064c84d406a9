import { afterAll, beforeAll, expect, test } from "vitest";
import { randomFloats } from "../../../src/checks/draw.ts";
import { Program } from "../../../src/kernels/compile/program.ts";
import { StateStore } from "../../../src/kernels/compile/state.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { scale } from "../../../src/kernels/ops/arithmetic.ts";
import { conv2d, convTranspose2d } from "../../../src/kernels/ops/contraction/conv.ts";
import { toHalf } from "../../../src/kernels/passes/to-half.ts";
import type { Target } from "../../../src/kernels/target.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import type { Epilogue, Value } from "../../../src/kernels/trace/op.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { withoutMatrices } from "../../support/matrices.ts";

/** A GPU with matrix units, and the same without. */
const MATRICES: Partial<Target> = { software: false, subgroupSize: null, matrices: true };
const NONE: Partial<Target> = { ...MATRICES, matrices: false };

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** The results of a convolution of halves with its whole tail, and the labels of its kernels. */
async function results(target: Partial<Target>, kind: "gather" | "scatter") {
  const other = await openDevice({ target });
  const store = new StateStore(other);
  const graph = new Graph();
  const half = (name: string, shape: readonly number[]): Value =>
    graph.apply(toHalf, { x: graph.input(name, shape) }, {});
  const x = half("x", [2, 9, 11, 40]);
  const y =
    kind === "gather"
      ? graph.apply(
          conv2d,
          { x, weight: half("weight", [68, 3, 3, 40]) },
          { stride: 1, padding: 1, dilation: 1, groups: 1 },
        )
      : graph.apply(
          convTranspose2d,
          { x, weight: half("weight", [40, 3, 3, 68]) },
          { stride: 2, padding: 1, outputPadding: 1 },
        );
  const epilogue: Epilogue = { bias: graph.input("bias", [68]), residual: graph.input("residual", y.shape) };
  const [step] = graph.steps.slice(-1);
  if (step) graph.replaceSteps([...graph.steps.slice(0, -1), { ...step, epilogue }]);
  const out = graph.apply(scale, { x: y }, { factor: 1 });
  const program = await Program.compile(other, graph, { store, keep: [out], shader: withoutMatrices });
  try {
    program.poison();
    for (const [i, [name, { shape }]] of [...graph.inputs].entries()) {
      program.write(
        name,
        randomFloats(
          i + 1,
          shape.reduce((a, b) => a * b, 1),
        ),
      );
    }
    program.run();
    return { values: await program.read(out), labels: program.dispatches.map(({ label }) => label) };
  } finally {
    program.destroy();
    other.close();
  }
}

test.each(["gather", "scatter"] as const)(
  "%s by matrices equals that by tiles, at odd sizes and with its tail",
  { timeout: 300_000 },
  async (kind) => {
    const [expected, got] = [await results(NONE, kind), await results(MATRICES, kind)];
    expect(got.labels).toContain(`${kind} 64x64 matrices`);
    expect(expected.labels.filter((label) => label.endsWith("tile")).length).toBe(1);
    const largest = Math.max(...expected.values.map(Math.abs));
    const apart = Math.max(...got.values.map((value, i) => Math.abs(value - (expected.values[i] ?? Number.NaN))));
    expect(apart).toBeLessThan(1e-5 * largest);
  },
);
