import { afterAll, beforeAll, expect, test } from "vitest";
import { networkTensors } from "../../../src/inference/checkpoint/checkpoint.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { float32 } from "../../../src/weights/safetensors.ts";
import { noiseBatch } from "../../support/noise-batch.ts";
import { tinyTrainer } from "../../support/training.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const BATCH = noiseBatch(0, { size: 32, count: 2 });

/** How far one update moves every tensor, by name. */
async function moved(flags: Parameters<typeof tinyTrainer>[1], frozen = false) {
  const { network, trainer, submit, destroy } = await tinyTrainer(device, {
    momentum: 0,
    size: "32",
    batchSize: 2,
    ...flags,
  });
  const weights = network.table.list("weight").map(({ name }) => name);
  const read = async () => {
    const tensors = await networkTensors(network);
    return new Map(weights.map((name) => [name, Float32Array.from(float32(tensors.get(name) ?? NONE))]));
  };
  const before = await read();
  await submit(BATCH, { rate: 0.125, frozen });
  const after = await read();
  const state = await trainer.state();
  destroy();
  const difference = (name: string) =>
    after.get(name)?.map((value, i) => value - (before.get(name)?.[i] ?? Number.NaN)) ?? new Float32Array(0);
  const moment = (name: string) => state.get(`optimizer.first.${name}`)?.data.some((v) => v !== 0) ?? false;
  return {
    by: new Map(weights.map((name) => [name, difference(name)])),
    moments: new Map(weights.map((name) => [name, moment(name)])),
  };
}

const NONE = { dtype: "F32", shape: [0], bytes: new Uint8Array(0) } as const;

const largestOf = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Every tensor moves by `factorOf` its name times what it moves at the whole rate; 0 is not moved by a bit. */
function expectFactors(
  whole: Awaited<ReturnType<typeof moved>>,
  rated: Awaited<ReturnType<typeof moved>>,
  factorOf: (name: string) => number,
): void {
  for (const [name, move] of whole.by) {
    const factor = factorOf(name);
    const own = rated.by.get(name) ?? new Float32Array(0);
    if (factor === 0) expect([name, largestOf(own), rated.moments.get(name)]).toEqual([name, 0, false]);
    if (factor === 1) expect([name, own]).toEqual([name, move]);
    const apart = move.reduce((most, value, i) => Math.max(most, Math.abs((own[i] ?? Number.NaN) - factor * value)), 0);
    // Differences of float32 weights near 1.
    expect([name, apart < 1e-6 * Math.max(1, largestOf(move))]).toEqual([name, true]);
  }
  expect([...whole.by.values()].filter((move) => largestOf(move) > 1e-3).length).toBeGreaterThan(whole.by.size / 3);
}

const RATED = { layerDecay: 0.5, encoderRate: 0.75, layerRates: { classifier: 2, "encoder.stages.1": 0, aspp: 0.25 } };

function ratedFactor(name: string): number {
  const [first = "", second = "", third = ""] = name.split(".");
  if (first === "classifier") return 2;
  if (first === "aspp") return 0.25;
  if (first !== "encoder") return 1;
  if (second === "stem") return 0.75 * 0.5 ** 5;
  return third === "1" ? 0 : 0.75 * 0.5 ** (4 - Number(third));
}

test.each([
  { optimizer: "sgd", weightDecay: 0.5 },
  { optimizer: "sgd", weightDecay: 0, accumulate: 2 },
  { optimizer: "adamw", weightDecay: 0.5 },
])("%j: every tensor moves by its share of the rate", async (flags) => {
  const whole = await moved(flags);
  expectFactors(whole, await moved({ ...flags, ...RATED }), ratedFactor);
});

test("the encoder alone moves by its share of the rate", async () => {
  const half = await moved({ encoderRate: 0.5 });
  expectFactors(await moved({}), half, (name) => (name.startsWith("encoder.") ? 0.5 : 1));
});

test.each([
  ["unet", /^enc\.(\d)/],
  ["hrnet", /^(stem|stage1|widen|stage)\./],
])("%s, whose encoder has other names, is frozen and rated like any", async (model, encoder) => {
  const flags = { model, encoder: null, optimizer: "sgd", weightDecay: 0 };
  const whole = await moved(flags);
  const inEncoder = (name: string) => encoder.test(name);
  expect([...whole.by.keys()].some(inEncoder)).toBe(true);
  expectFactors(whole, await moved(flags, true), (name) => (inEncoder(name) ? 0 : 1));
  if (model !== "unet") return;
  const level = (name: string) => Number(encoder.exec(name)?.[1] ?? Number.NaN);
  const factor = (name: string) => (inEncoder(name) ? 0.5 ** (5 - level(name)) : 1);
  expectFactors(whole, await moved({ ...flags, layerDecay: 0.5 }), factor);
});

test("what is frozen takes no part in the norm that gradients are clipped to", async () => {
  const flags = { optimizer: "sgd", weightDecay: 0, clipNorm: 1e-3 };
  const [part, whole] = [await moved({ ...flags, layerRates: { encoder: 0 } }), await moved(flags)];
  const norm = ({ by }: typeof part) =>
    Math.sqrt([...by.values()].reduce((sum, move) => sum + move.reduce((own, value) => own + value ** 2, 0), 0));
  expect(norm(part) / 0.125e-3).toBeCloseTo(1, 2);
  expect(norm(whole) / 0.125e-3).toBeCloseTo(1, 2);
});
