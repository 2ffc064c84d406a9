import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Program } from "../../../src/kernels/compile/program.ts";
import { StateStore } from "../../../src/kernels/compile/state.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { batchNormEval, batchNormTrain, layerNorm, updateRunning } from "../../../src/kernels/ops/norm/norm.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import type { Activation } from "../../../src/kernels/trace/op.ts";
import { sizeOf } from "../../../src/kernels/trace/shape.ts";
import { evaluate, type GivenTensor } from "../../../src/parity/evaluate.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { batchNormReference, layerNormReference } from "../../reference/norm.ts";
import { bits, deviation, noise } from "../../support/numbers.ts";

const TOLERANCE = 2e-5;
const EPS = 1e-5;

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

function given(shape: readonly number[], offset = 0.8) {
  const channels = shape[shape.length - 1] ?? 1;
  const x = { shape, data: noise(sizeOf(shape), 1).map((v) => 2 * v + offset) };
  const weight = { shape: [channels], data: noise(channels, 2).map((v) => 1.2 + v) };
  const bias = { shape: [channels], data: noise(channels, 3) };
  const upstream = noise(sizeOf(shape), 4);
  const data = { x: x.data, weight: weight.data, bias: bias.data, upstream, eps: EPS };
  return { tensors: { x, weight, bias } as Readonly<Record<string, GivenTensor>>, upstream, data };
}

const SHAPES = [
  [2, 5, 7, 8],
  [2, 5, 7, 3],
  [2, 1, 1, 6],
  [1, 1, 2, 4],
  [2, 61, 67, 12],
  [1, 131, 129, 1],
];

function expectGradients(
  got: Readonly<Record<string, Float32Array>>,
  expected: Readonly<Record<"x" | "weight" | "bias", Float64Array>>,
): void {
  for (const name of ["x", "weight", "bias"] as const) {
    expect(deviation(got[name], expected[name]), name).toBeLessThan(TOLERANCE);
  }
}

/** [3, c]: mean, variance, and what rounding took from the mean, which is smaller than the mean's last digit. */
function expectStatistics(got: Float32Array | undefined, { mean, variance }: ReturnType<typeof batchNormReference>) {
  const channels = mean.length;
  expect(deviation(got?.subarray(0, 2 * channels), [...mean, ...variance])).toBeLessThan(TOLERANCE);
  for (const [c, low] of (got?.subarray(2 * channels) ?? []).entries()) {
    expect(Math.abs(low)).toBeLessThanOrEqual(2 ** -23 * Math.max(Math.abs(mean[c] ?? 0), 1e-6));
  }
}

describe("batch norm", () => {
  test.each(SHAPES)("of a batch, [%i, %i, %i, %i]: output, statistics and gradients", async (...shape) => {
    const { tensors, upstream, data } = given(shape);
    const run = () =>
      evaluate(
        device,
        tensors,
        (graph, { x, weight, bias }) =>
          x && weight && bias ? graph.applyAll(batchNormTrain, { x, weight, bias }, { eps: EPS }) : [],
        { upstream },
      );
    const { outputs, grads } = await run();
    const expected = batchNormReference(data);
    expect(deviation(outputs[0]?.data, expected.out)).toBeLessThan(TOLERANCE);
    expectStatistics(outputs[1]?.data, expected);
    expectGradients(grads, expected);
    expect((await run()).grads).toEqual(grads);
  });

  test.each([1e3, 1e5])("keeps its digits when the mean is %i deviations from zero", async (far) => {
    const { tensors, upstream, data } = given([2, 33, 31, 4], far);
    const { outputs } = await evaluate(
      device,
      tensors,
      (graph, { x, weight, bias }) =>
        x && weight && bias ? graph.apply(batchNormTrain, { x, weight, bias }, { eps: EPS }) : [],
      { upstream },
    );
    expect(deviation(outputs[0]?.data, batchNormReference(data).out)).toBeLessThan(TOLERANCE);
  });

  test.each(SHAPES.slice(0, 3))("by running statistics, [%i, %i, %i, %i]", async (...shape) => {
    const { tensors, upstream, data } = given(shape);
    const channels = data.weight.length;
    const mean = noise(channels, 5);
    const variance = noise(channels, 6).map((v) => 1.5 + v);
    const { outputs, grads } = await evaluate(
      device,
      { ...tensors, mean: { shape: [channels], data: mean }, variance: { shape: [channels], data: variance } },
      (graph, t) =>
        graph.apply(
          batchNormEval,
          t as Record<"x" | "weight" | "bias" | "mean" | "variance", NonNullable<(typeof t)[string]>>,
          { eps: EPS },
        ),
      { upstream, wanted: ["x", "weight", "bias"] },
    );
    const expected = batchNormReference(data, { mean, variance });
    expect(deviation(outputs[0]?.data, expected.out)).toBeLessThan(TOLERANCE);
    expectGradients(grads, expected);
  });

  test.each([8, 3])(
    "with %i channels adds a residual and applies an activation in the same kernel",
    async (channels) => {
      const { tensors, data } = given([2, 5, 3, channels]);
      const residual = noise(data.x.length, 9);
      const { outputs } = await evaluate(
        device,
        { ...tensors, residual: { shape: [2, 5, 3, channels], data: residual } },
        (graph, { x, weight, bias, residual: added }) => {
          if (!x || !weight || !bias || !added) return [];
          const out = graph.apply(batchNormTrain, { x, weight, bias }, { eps: EPS });
          const step = graph.steps.pop();
          const epilogue = { residual: added, activation: "silu" as Activation };
          if (step) graph.steps.push({ ...step, epilogue });
          return out;
        },
      );
      const expected = batchNormReference(data).out.map((v, i) => {
        const y = v + (residual[i] ?? Number.NaN);
        return y / (1 + Math.exp(-y));
      });
      expect(deviation(outputs[0]?.data, expected)).toBeLessThan(TOLERANCE);
    },
  );
});

test.each([[0], [1]])("running statistics move unless the step is skipped (flag %i)", async (flag) => {
  const graph = new Graph();
  const [mean, variance] = [graph.state("mean", [5]), graph.state("variance", [5])];
  const statistics = graph.input("statistics", [3, 5]);
  const control = graph.input("control", [4], "u32");
  graph.update(updateRunning, { mean, variance, statistics, control }, { momentum: 0.1, count: 12 });
  const store = new StateStore(device);
  await store.allocate("statistics", [
    { key: "mean", shape: [5] },
    { key: "variance", shape: [5] },
  ]);
  const [before, spread, batch] = [noise(5, 1), noise(5, 2).map((v) => v + 1.5), noise(15, 3)];
  store.write("mean", before);
  store.write("variance", spread);
  const program = await Program.compile(device, graph, { store });
  program.write("statistics", flag ? batch.fill(Number.NaN) : batch);
  program.write("control", Uint32Array.of(flag, 0, 0, 0));
  program.run();
  const [mean1, variance1] = [await store.read("mean"), await store.read("variance")];
  program.destroy();
  store.destroy();
  if (flag) {
    expect([bits(mean1), bits(variance1)]).toEqual([bits(before), bits(spread)]);
    return;
  }
  expect(
    deviation(
      mean1,
      before.map((v, c) => 0.9 * v + 0.1 * (batch[c] ?? 0)),
    ),
  ).toBeLessThan(1e-6);
  const unbiased = spread.map((v, c) => 0.9 * v + (0.1 * 12 * (batch[5 + c] ?? 0)) / 11);
  expect(deviation(variance1, unbiased)).toBeLessThan(1e-6);
});

describe("layer norm", () => {
  test.each([
    [3, 5, 8],
    [2, 37, 33],
    [4, 3, 1],
    [1, 600, 4],
    [2, 9, 512],
  ])("[%i, %i, %i]: output and gradients", async (...shape) => {
    const { tensors, upstream, data } = given(shape);
    const { outputs, grads } = await evaluate(
      device,
      tensors,
      (graph, { x, weight, bias }) =>
        x && weight && bias ? graph.apply(layerNorm, { x, weight, bias }, { eps: EPS }) : [],
      { upstream },
    );
    const expected = layerNormReference(data);
    expect(deviation(outputs[0]?.data, expected.out)).toBeLessThan(TOLERANCE);
    expectGradients(grads, expected);
  });
});
