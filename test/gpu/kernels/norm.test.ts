import { afterAll, beforeAll, expect, test } from "vitest";
import { byChannel, normalised } from "../../../src/checks/cases/norm.ts";
import { noise } from "../../../src/checks/draw.ts";
import { evaluate, floats } from "../../../src/checks/evaluate.ts";
import { everywhere } from "../../../src/checks/tensor.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { batchNormBy, batchNormTrain } from "../../../src/kernels/ops/norm/batch-norm.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { deviation } from "../../support/numbers.ts";

const EPS = 1e-5;
const SHAPE = [2, 33, 31, 4] as const;
const CHANNELS = SHAPE[3];

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

test.each([1e3, 1e5])("batch norm keeps its digits when the mean is %i deviations from zero", async (far) => {
  const drawn = {
    x: noise(SHAPE, { centre: far }),
    weight: noise([CHANNELS], { centre: 1.2 }),
    bias: noise([CHANNELS]),
  };
  const tensor = (name: keyof typeof drawn, seed: number) => {
    const data = drawn[name].numbers(seed);
    return {
      given: { shape: drawn[name].shape, data },
      exact: { shape: drawn[name].shape, data: Float64Array.from(data) },
    };
  };
  const [x, weight, bias] = [tensor("x", 1), tensor("weight", 2), tensor("bias", 3)];
  const { outputs } = await evaluate(device, { x: x.given, weight: weight.given, bias: bias.given }, (graph, values) =>
    values["x"] && values["weight"] && values["bias"]
      ? graph.applyAll(batchNormTrain, { x: values["x"], weight: values["weight"], bias: values["bias"] }, { eps: EPS })
      : [],
  );
  const exact = { x: x.exact, weight: weight.exact, bias: bias.exact };
  const { out, momentsOf } = normalised(exact, byChannel(SHAPE), EPS);
  expect(deviation(outputs[0]?.data, [...everywhere(SHAPE)].map(out.at))).toBeLessThan(2e-5);
  // What rounding took from the mean is smaller than the mean's last digit, and with it the mean is exact.
  const statistics = outputs[1] ? floats(outputs[1]) : new Float32Array();
  for (let c = 0; c < CHANNELS; c++) {
    const [high = Number.NaN, low = Number.NaN] = [statistics[c], statistics[2 * CHANNELS + c]];
    expect(Math.abs(low)).toBeLessThanOrEqual(2 ** -23 * far);
    expect(Math.abs(high + low - momentsOf(c).mean)).toBeLessThan(1e-6);
  }
});

test.each([4, 3])(
  "batch norm by given statistics repeats the norm they were made for, bit for bit (%i channels)",
  async (c) => {
    const drawn = { x: noise([2, 9, 7, c], { scale: 2, centre: 0.8 }), weight: noise([c]), bias: noise([c]) };
    const inputs = Object.fromEntries(
      Object.entries(drawn).map(([name, d], i) => [name, { shape: d.shape, data: d.numbers(i + 1) }]),
    );
    const { outputs } = await evaluate(device, inputs, (graph, { x, weight, bias }) => {
      if (!x || !weight || !bias) return [];
      const [first, statistics = first] = graph.applyAll(batchNormTrain, { x, weight, bias }, { eps: EPS });
      return [first, graph.apply(batchNormBy, { x, statistics, weight, bias }, { eps: EPS })];
    });
    const [first, repeated] = outputs.map(floats);
    expect(repeated).toEqual(first);
    expect(new Set(first).size).toBeGreaterThan(100);
  },
);
