import { expect, test } from "vitest";
import { evaluate, floats } from "../../../src/checks/evaluate.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { dropout } from "../../../src/kernels/ops/dropout.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";

const COUNT = 40_000;

/** Threes, with a tenth of them dropped, and the gradient of their sum. */
async function dropped(device: Device, seed: number) {
  const { outputs, grads } = await evaluate(
    device,
    {
      x: { shape: [COUNT], data: new Float32Array(COUNT).fill(3) },
      seed: { shape: [1], data: Float32Array.of(seed) },
    },
    (graph, { x: v, seed: s }) => (v && s ? graph.apply(dropout, { x: v, seed: s }, { drop: 0.1 }) : []),
    { upstream: new Float32Array(COUNT).fill(1), wanted: ["x"] },
  );
  return { values: outputs[0] ? floats(outputs[0]) : new Float32Array(), grads };
}

test("dropout keeps its share, scaled, drops the same elements of the gradient, and others with another seed", async () => {
  const device = await openDevice();
  try {
    const { values, grads } = await dropped(device, 5);
    const kept = values.reduce((sum, v) => sum + (v > 0 ? 1 : 0), 0);
    expect(Math.abs(kept / COUNT - 0.9)).toBeLessThan(0.006);
    expect(values.every((v) => v === 0 || Math.abs(v - 3 / 0.9) < 1e-6)).toBe(true);
    expect(grads["x"]?.map((g) => Math.sign(g))).toEqual(values.map((v) => Math.sign(v)));
    const { values: other } = await dropped(device, 6);
    const same = values.reduce((sum, v, i) => sum + (v === other[i] ? 1 : 0), 0);
    expect(Math.abs(same / COUNT - 0.82)).toBeLessThan(0.01);
  } finally {
    device.close();
  }
});
