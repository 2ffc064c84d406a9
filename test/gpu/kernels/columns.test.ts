import { afterAll, beforeAll, expect, test } from "vitest";
import { evaluate, floats } from "../../../src/checks/evaluate.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { batchNormTrain } from "../../../src/kernels/ops/norm/batch-norm.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { deviation, noise } from "../../support/numbers.ts";

/** Lanes of a workgroup join their parts on a GPU only. */
let device: Device;
beforeAll(async () => {
  device = await openDevice({ target: { software: false, subgroupSize: null } });
});
afterAll(() => device.close());

/** One workgroup a column with rows to spare, fewer rows than lanes, and so many that several workgroups share a column. */
test.each([
  ["more rows than lanes", [1, 61, 13, 4]],
  ["fewer rows than lanes", [1, 9, 7, 4]],
  ["rows for several workgroups", [1, 131, 130, 4]],
  ["a column too many for a workgroup", [1, 17, 19, 36]],
] as const)("statistics and sums of a gradient by a workgroup: %s", async (_, shape) => {
  const c = shape[3];
  const rows = shape[1] * shape[2];
  const [x, weight, bias, upstream] = [
    noise(rows * c, 1).map((v, i) => 2 * v + (i % c)),
    noise(c, 2).map((v) => v + 1.5),
    noise(c, 3),
    noise(rows * c, 4),
  ];
  const inputs = { x: { shape, data: x }, weight: { shape: [c], data: weight }, bias: { shape: [c], data: bias } };
  const { outputs, grads } = await evaluate(
    device,
    inputs,
    (graph, { x: value, weight: gamma, bias: beta }) =>
      value && gamma && beta
        ? graph.applyAll(batchNormTrain, { x: value, weight: gamma, bias: beta }, { eps: 1e-5 })
        : [],
    { upstream, wanted: ["weight", "bias"] },
  );
  const column = (of: ArrayLike<number>, channel: number) =>
    Array.from({ length: rows }, (__, row) => of[row * c + channel] ?? Number.NaN);
  const total = (of: readonly number[]) => of.reduce((a, b) => a + b, 0);
  const channels = Array.from({ length: c }, (__, channel) => {
    const values = column(x, channel);
    const mean = total(values) / rows;
    const variance = total(values.map((v) => (v - mean) ** 2)) / rows;
    const grad = column(upstream, channel);
    const scaled = total(grad.map((g, row) => (g * ((values[row] ?? 0) - mean)) / Math.sqrt(variance + 1e-5)));
    return { mean, variance, plain: total(grad), scaled };
  });
  const statistics = outputs[1] ? floats(outputs[1]) : new Float32Array();
  expect(
    deviation(
      statistics.subarray(0, c),
      channels.map(({ mean }) => mean),
    ),
  ).toBeLessThan(1e-6);
  expect(
    deviation(
      statistics.subarray(c, 2 * c),
      channels.map(({ variance }) => variance),
    ),
  ).toBeLessThan(2e-6);
  expect(
    deviation(
      grads["bias"],
      channels.map(({ plain }) => plain),
    ),
  ).toBeLessThan(1e-5);
  expect(
    deviation(
      grads["weight"],
      channels.map(({ scaled }) => scaled),
    ),
  ).toBeLessThan(1e-5);
});
