import { afterAll, beforeAll, expect, test } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import { dropout } from "../../../src/kernels/ops/dropout.ts";
import { shrinkLabels } from "../../../src/kernels/ops/frame.ts";
import { binaryCrossEntropy } from "../../../src/kernels/ops/loss/binary-loss.ts";
import { crossEntropy } from "../../../src/kernels/ops/loss/loss.ts";
import { evaluate } from "../../../src/parity/evaluate.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { noise } from "../../support/numbers.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const binary = (logits: Float32Array, truth: Float32Array) => {
  const shape = [1, truth.length, 1, 1];
  return evaluate(
    device,
    { logits: { shape, data: logits }, truth: { shape, data: truth } },
    (graph, { logits: x, truth: t }) => (x && t ? graph.apply(binaryCrossEntropy, { logits: x, truth: t }, {}) : []),
    { upstream: Float32Array.of(2), wanted: ["logits"] },
  );
};

test("binary cross-entropy and its gradient equal float64 loops; elements below zero do not count", async () => {
  const logits = noise(3001, 1).map((v, i) => (i === 7 ? 95 : i === 8 ? -95 : 6 * v));
  const truth = noise(3001, 2).map((v, i) => (i % 5 === 0 ? -1 : Math.abs(v)));
  const counted = truth.reduce((sum, t) => sum + (t >= 0 ? 1 : 0), 0);
  let expected = 0;
  const slopes = Array.from(logits, (x, i) => {
    const t = truth[i] ?? -1;
    if (t < 0) return 0;
    expected += (Math.max(x, 0) - x * t + Math.log1p(Math.exp(-Math.abs(x)))) / counted;
    return (2 * (1 / (1 + Math.exp(-x)) - t)) / counted;
  });
  const { outputs, grads } = await binary(logits, truth);
  expect(outputs[0]?.data[0]).toBeCloseTo(expected, 5);
  const worst = slopes.reduce((most, slope, i) => Math.max(most, Math.abs(slope - (grads["logits"]?.[i] ?? 9))), 0);
  expect(worst).toBeLessThan(1e-8);
});

test("is zero, with a zero gradient, where nothing counts", async () => {
  const { outputs, grads } = await binary(noise(9, 1), new Float32Array(9).fill(-1));
  expect(outputs[0]?.data[0]).toBe(0);
  expect(grads["logits"]).toEqual(new Float32Array(9));
});

test("labels shrink to the pixel in the middle, and to the given label outside", async () => {
  const [h, w] = [7, 9];
  const data = Int32Array.from({ length: 2 * h * w }, (_, i) => i % 5);
  const logits = { shape: [2, 2, 3, 5], data: noise(60, 3) };
  const weight = { shape: [5], data: new Float32Array(5).fill(1) };
  const shrunk = { factor: 4, height: 2, width: 3, outside: 255 };
  const loss = (label: Int32Array, shape: readonly number[], shrink: boolean) =>
    evaluate(device, { label: { shape, data: label }, logits, weight }, (graph, values) => {
      const { label: given, logits: scores, weight: weights } = values;
      if (!given || !scores || !weights) return [];
      const small = shrink ? graph.apply(shrinkLabels, { label: given }, shrunk) : given;
      const inputs = { logits: scores, label: small, weight: weights };
      return graph.apply(crossEntropy, inputs, { ignoreIndex: 255, smoothing: 0 });
    });
  const picked = Int32Array.from({ length: 12 }, (_, i) => {
    const [y, x, n] = [4 * (Math.floor(i / 3) % 2) + 2, 4 * (i % 3) + 2, Math.floor(i / 6)];
    return y < h && x < w ? (data[(n * h + y) * w + x] ?? -9) : 255;
  });
  const got = await loss(data, [2, h, w], true);
  const wanted = await loss(picked, [2, 2, 3], false);
  expect(got.outputs[0]?.data).toEqual(wanted.outputs[0]?.data);
  expect(got.outputs[0]?.data[0]).toBeGreaterThan(0);
});

test("dropout keeps its share, scaled, drops the same elements of the gradient, and others with another seed", async () => {
  const count = 40_000;
  const x = { shape: [count], data: new Float32Array(count).fill(3) };
  const dropped = (seed: number) =>
    evaluate(
      device,
      { x, seed: { shape: [1], data: Float32Array.of(seed) } },
      (graph, { x: v, seed: s }) => (v && s ? graph.apply(dropout, { x: v, seed: s }, { drop: 0.1 }) : []),
      { upstream: new Float32Array(count).fill(1), wanted: ["x"] },
    );
  const { outputs, grads } = await dropped(5);
  const values = outputs[0]?.data ?? new Float32Array();
  const kept = values.reduce((sum, v) => sum + (v > 0 ? 1 : 0), 0);
  expect(Math.abs(kept / count - 0.9)).toBeLessThan(0.006);
  expect(values.every((v) => v === 0 || Math.abs(v - 3 / 0.9) < 1e-6)).toBe(true);
  expect(grads["x"]?.map((g) => Math.sign(g))).toEqual(values.map((v) => Math.sign(v)));
  const other = (await dropped(6)).outputs[0]?.data ?? new Float32Array();
  const same = values.reduce((sum, v, i) => sum + (v === other[i] ? 1 : 0), 0);
  expect(Math.abs(same / count - 0.82)).toBeLessThan(0.01);
});
