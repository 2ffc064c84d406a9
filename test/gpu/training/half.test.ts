import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DeviceError } from "../../../src/errors.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { LOSS_SCALE } from "../../../src/model/keys.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import type { Precision } from "../../../src/training/passes.ts";
import { noiseBatch } from "../../support/noise-batch.ts";
import { STATE, snapshot, tinyTrainer } from "../../support/training.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const SIDE = 32;
const UNET = { model: "unet", encoder: null, width: 4, size: String(SIDE) } as const;
const STEPS = 30;

/** How far the losses of 30 steps may part, of the loss: on llvmpipe the U-Net's part by 0.6 %. */
const BAND = 0.02;
const AGREEMENT = 0.999;

type Trained = Awaited<ReturnType<typeof tinyTrainer>>;

async function losses({ submit }: Trained): Promise<number[]> {
  const found: number[] = [];
  for (let index = 0; index < STEPS; index++) {
    const report = await submit(noiseBatch(index % 3, { size: SIDE }), { index });
    expect(report?.skipped).toBe(false);
    found.push(report?.loss ?? Number.NaN);
  }
  return found;
}

async function classesBy({ network }: Trained, precision: Precision): Promise<Int32Array> {
  const { program, classes, feed } = await network.inference({ batch: 4, precision });
  try {
    program.poison();
    feed(program, noiseBatch(7, { size: SIDE }).images);
    program.run();
    return await program.readInts(classes);
  } finally {
    program.destroy();
  }
}

describe("a U-Net of half precision", () => {
  let whole: Trained;
  let half: Trained;
  beforeAll(async () => {
    [whole, half] = [await tinyTrainer(device, UNET), await tinyTrainer(device, { ...UNET, amp: true })];
  });
  afterAll(() => {
    whole.destroy();
    half.destroy();
  });

  test("takes the way of the whole one for thirty steps, and learns", async () => {
    const [expected, got] = [await losses(whole), await losses(half)];
    expect(expected[STEPS - 1]).toBeLessThan(0.7 * (expected[0] ?? 0));
    for (const [step, loss] of expected.entries()) {
      expect(Math.abs((got[step] ?? Number.NaN) - loss), `step ${step}`).toBeLessThan(BAND * loss);
    }
    expect(got).not.toEqual(expected);
  });

  test("finds the same class at 99.9 % of the pixels, of which many are not background", async () => {
    const [expected, got] = [await classesBy(whole, "f32"), await classesBy(whole, "f16")];
    const share = (values: Int32Array, is: (value: number, at: number) => boolean) =>
      values.filter(is).length / values.length;
    expect(share(expected, (value) => value === 1)).toBeGreaterThan(0.05);
    expect(share(got, (value, at) => value === expected[at])).toBeGreaterThanOrEqual(AGREEMENT);
  });

  test("a gradient beyond 16 bits skips the step, changes nothing, and halves the loss scale", async () => {
    const { network, submit } = half;
    network.store.write(LOSS_SCALE.key, Float32Array.of(2 ** 100, 5));
    const before = await snapshot(network, STATE);
    const report = await submit(noiseBatch(0, { size: SIDE }));
    expect(report).toMatchObject({ skipped: true, scaling: { lossScale: 2 ** 99, skippedSteps: 1 } });
    expect(await snapshot(network, STATE)).toEqual(before);
  });

  test("2000 steps without one double it, and the scale decides nothing but range", async () => {
    const { network, submit } = half;
    const norms: number[] = [];
    for (const scale of [2 ** 10, 2 ** 14]) {
      network.store.write(LOSS_SCALE.key, Float32Array.of(scale, 1999));
      const report = await submit(noiseBatch(0, { size: SIDE }), { rate: 0 });
      expect(report).toMatchObject({ skipped: false, scaling: { lossScale: 2 * scale } });
      norms.push(report?.gradientNorm ?? Number.NaN);
    }
    expect(Math.abs((norms[0] ?? 0) / (norms[1] ?? 0) - 1)).toBeLessThan(1e-3);
  });
});

test("accumulated batches carry one scale, and their update moves it", async () => {
  const trained = await tinyTrainer(device, { ...UNET, amp: true, accumulate: 2 });
  try {
    const { network, submit } = trained;
    const plain = { rate: 0, batches: 2 };
    expect(await submit(noiseBatch(0, { size: SIDE }), { ...plain, first: true, last: false })).toBeNull();
    expect(Array.from(await network.store.read(LOSS_SCALE.key))).toEqual([65536, 0]);
    const report = await submit(noiseBatch(1, { size: SIDE }), { ...plain, first: false, last: true });
    expect(report).toMatchObject({ skipped: false, scaling: { lossScale: 65536, skippedSteps: 0 } });
    expect(Array.from(await network.store.read(LOSS_SCALE.key))).toEqual([65536, 1]);
    const whole = await tinyTrainer(device, { ...UNET, accumulate: 2 });
    try {
      await whole.submit(noiseBatch(0, { size: SIDE }), { ...plain, first: true, last: false });
      const exact = await whole.submit(noiseBatch(1, { size: SIDE }), { ...plain, first: false, last: true });
      expect(Math.abs((report?.gradientNorm ?? 0) / (exact?.gradientNorm ?? 0) - 1)).toBeLessThan(0.1);
    } finally {
      whole.destroy();
    }
  } finally {
    trained.destroy();
  }
});

test("an adapter without 16-bit floats is told by its name, and what to do", async () => {
  const poor = await openDevice({ target: { half: false } });
  const sentence = `${poor.report.name} cannot store tensors in half precision`;
  const { network, trainer, destroy } = await tinyTrainer(poor, { ...UNET, amp: true });
  try {
    const refused = [network.inference({ batch: 1, precision: "f16" }), trainer.prepare(4, false)];
    for (const each of refused) {
      await expect(each).rejects.toBeInstanceOf(DeviceError);
      await expect(each).rejects.toThrow(sentence);
      await expect(each).rejects.toThrow("leave out --amp and --precision f16");
    }
  } finally {
    destroy();
    poor.close();
  }
});
