import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import { argmaxLast, crossEntropy, segmentationCounts, softDice } from "../../../src/kernels/ops/loss/loss.ts";
import { evaluate } from "../../../src/parity/evaluate.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { crossEntropyReference, softDiceReference } from "../../reference/loss.ts";
import { deviation, noise } from "../../support/numbers.ts";

const TOLERANCE = 2e-5;
const IGNORE = 255;

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

function given(shape: readonly [number, number, number, number], ignored: number) {
  const [n, h, w, k] = shape;
  const logits = { shape, data: noise(n * h * w * k, 1).map((v) => 6 * v) };
  const draws = noise(n * h * w, 2);
  const label = {
    shape: [n, h, w],
    data: Int32Array.from(draws, (v, i) => ((i * 7919) % 100 < 100 * ignored ? IGNORE : Math.floor(((v + 1) / 2) * k))),
  };
  return { logits, label, weight: { shape: [k], data: noise(k, 3).map((v) => 1.1 + v) } };
}

describe("cross-entropy", () => {
  test.each([
    [0, 0],
    [0.3, 0.1],
    [1, 0.1],
  ])("with a share of %f ignored and smoothing %f, weighted", async (ignored, smoothing) => {
    const { logits, label, weight } = given([2, 13, 11, 5], ignored);
    const attrs = { ignoreIndex: IGNORE, smoothing };
    const { outputs, grads } = await evaluate(
      device,
      { logits, label, weight },
      (graph, t) =>
        t["logits"] && t["label"] && t["weight"]
          ? graph.apply(crossEntropy, { logits: t["logits"], label: t["label"], weight: t["weight"] }, attrs)
          : [],
      { upstream: Float32Array.of(0.7), wanted: ["logits"] },
    );
    const expected = crossEntropyReference(logits.data, label.data, weight.data, attrs);
    expect(deviation(outputs[0]?.data, [expected.value])).toBeLessThan(TOLERANCE);
    // Gradients are divided by the number of pixels: measured against their own size.
    const enlarge = (all: ArrayLike<number>) => Array.from(all, (v) => v * label.data.length);
    expect(deviation(enlarge(grads["logits"] ?? []), enlarge(expected.grad.map((v) => 0.7 * v)))).toBeLessThan(
      TOLERANCE,
    );
    if (ignored === 1) expect(outputs[0]?.data).toEqual(Float32Array.of(0));
  });
});

describe("soft Dice", () => {
  test.each([
    [0, 0],
    [0.3, 0],
    [0.3, 1],
  ])("with a share of %f ignored, scored from class %i on", async (ignored, first) => {
    const { logits, label } = given([2, 41, 17, 3], ignored);
    const { outputs, grads } = await evaluate(
      device,
      { logits, label },
      (graph, t) =>
        t["logits"] && t["label"]
          ? graph.apply(softDice, { logits: t["logits"], label: t["label"] }, { smooth: 1, ignoreIndex: IGNORE, first })
          : [],
      { upstream: Float32Array.of(1.3), wanted: ["logits"] },
    );
    const expected = softDiceReference(logits.data, label.data, {
      samples: 2,
      classes: 3,
      smooth: 1,
      ignoreIndex: IGNORE,
      first,
    });
    expect(deviation(outputs[0]?.data, [expected.value])).toBeLessThan(TOLERANCE);
    const enlarge = (all: ArrayLike<number>) => Array.from(all, (v) => v * label.data.length);
    expect(deviation(enlarge(grads["logits"] ?? []), enlarge(expected.grad.map((v) => 1.3 * v)))).toBeLessThan(
      TOLERANCE,
    );
  });
});

test.each([2, 5])("predicted classes and counts of %i classes are exact", async (classes) => {
  const { logits, label } = given([2, 37, 29, classes], 0.2);
  logits.data.fill(1, 0, classes);
  const { outputs } = await evaluate(device, { logits, label }, (graph, { logits: x, label: truth }) => {
    if (!x || !truth) return [];
    const prediction = graph.apply(argmaxLast, { x }, {});
    return [
      prediction,
      graph.apply(segmentationCounts, { prediction, label: truth }, { classes, ignoreIndex: IGNORE }),
    ];
  });
  const expected = new Uint32Array(3 * classes);
  const add = (row: number, c: number) => {
    expected[row * classes + c] = (expected[row * classes + c] ?? 0) + 1;
  };
  const chosen = Array.from(label.data, (_, i) => {
    const row = Array.from(logits.data.subarray(i * classes, (i + 1) * classes));
    return row.indexOf(Math.max(...row));
  });
  for (const [i, truth] of label.data.entries()) {
    if (truth === IGNORE) continue;
    if (chosen[i] === truth) add(0, truth);
    add(1, chosen[i] ?? 0);
    add(2, truth);
  }
  expect([...new Int32Array(outputs[0]?.data.buffer ?? new ArrayBuffer(0))]).toEqual(chosen);
  expect(new Uint32Array(outputs[1]?.data.buffer ?? new ArrayBuffer(0))).toEqual(expected);
});
