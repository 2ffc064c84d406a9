import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import { arenaOf, CLOCKS_ARENA, STATISTICS_ARENA } from "../../../src/model/keys.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import type { Network } from "../../../src/training/network.ts";
import { noiseBatch } from "../../support/noise-batch.ts";
import { deviation } from "../../support/numbers.ts";
import { PLAIN_STEP, STATE, snapshot, tinyTrainer } from "../../support/training.ts";

// Hundreds of steps: minutes where other work fills the machine.
vi.setConfig({ testTimeout: 300_000 });

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

test("300 steps allocate, compile and create nothing after the third", async () => {
  const { trainer, destroy } = await tinyTrainer(device, { size: "32", batchSize: 2, ablation: "t4-baseline" });
  const batch = noiseBatch(0, { size: 32, count: 2 });
  const create = device.gpu.createBuffer.bind(device.gpu);
  let created = 0;
  device.gpu.createBuffer = (descriptor) => {
    created++;
    return create(descriptor);
  };
  const counters = () => ({ created, bytes: device.allocated, pipelines: device.pipelineCount });
  let waiting: Promise<unknown> | null = null;
  let early = counters();
  try {
    for (let step = 1; step <= 300; step++) {
      const { report } = await trainer.submit(batch, { ...PLAIN_STEP, index: step });
      await waiting;
      waiting = report;
      if (step === 3) early = counters();
    }
    await waiting;
    expect(early.created).toBeGreaterThan(0);
    expect(counters()).toEqual(early);
  } finally {
    device.gpu.createBuffer = create;
    destroy();
  }
});

test("a network that is gone holds no memory", async () => {
  const before = device.allocated;
  const { submit, destroy, network } = await tinyTrainer(device, { size: "32", batchSize: 2 });
  await await submit(noiseBatch(0, { size: 32, count: 2 }));
  expect(device.allocated).toBeGreaterThan(before + network.store.bytes);
  destroy();
  expect(device.allocated).toBe(before);
});

test("accumulated gradients are the sum of the batches' and make one update by their mean", async () => {
  const flags = { optimizer: "sgd", momentum: 0, weightDecay: 0 };
  const rate = 0.25;
  const [one, two] = [noiseBatch(1), noiseBatch(2)];
  const single = await tinyTrainer(device, flags);
  const gradients: Float32Array[] = [];
  const losses: number[] = [];
  for (const batch of [one, two]) {
    losses.push((await submitFirst(single, batch))?.loss ?? Number.NaN);
    gradients.push(await wholeOf(single.network, arenaOf("gradient", "rest")));
  }
  const start = await wholeOf(single.network, arenaOf("weight", "rest"));
  single.destroy();

  const both = await tinyTrainer(device, { ...flags, accumulate: 2 });
  expect(await both.submit(one, { rate, last: false, batches: 2 })).toBeNull();
  expect(await wholeOf(both.network, arenaOf("weight", "rest"))).toEqual(start);
  const report = await both.submit(two, { rate, first: false, batches: 2 });
  expect(report).toMatchObject({ skipped: false });
  expect(report?.loss).toBeCloseTo(((losses[0] ?? 0) + (losses[1] ?? 0)) / 2, 6);
  const sum = Float32Array.from(gradients[0] ?? [], (value, i) => value + (gradients[1]?.[i] ?? Number.NaN));
  const total = await wholeOf(both.network, arenaOf("total", "rest"));
  const largest = sum.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(largest).toBeGreaterThan(0);
  expect(
    deviation(
      total.map((v) => v / largest),
      sum.map((v) => v / largest),
    ),
  ).toBeLessThan(1e-6);
  const moved = await wholeOf(both.network, arenaOf("weight", "rest"));
  expect(
    deviation(
      moved,
      start.map((w, i) => w - rate * ((total[i] ?? Number.NaN) / 2)),
    ),
  ).toBeLessThan(1e-7);
  expect(moved).not.toEqual(start);
  both.destroy();
});

/** Every number of an arena. */
async function wholeOf(network: Network, arena: string): Promise<Float32Array> {
  const tensors = [...(await network.store.readArena(arena)).values()];
  return Float32Array.from(tensors.flatMap((tensor) => [...tensor]));
}

/** Gradients at the very first weights: a rate of zero moves nothing. */
async function submitFirst({ submit }: Awaited<ReturnType<typeof tinyTrainer>>, batch: ReturnType<typeof noiseBatch>) {
  return submit(batch, { rate: 0 });
}

test.each([
  ["a pixel that is no number", (images: Float32Array) => images.fill(Number.NaN, 100, 101)],
  ["an infinite pixel", (images: Float32Array) => images.fill(Number.POSITIVE_INFINITY, 0, 1)],
])("%s changes nothing, is counted, and training goes on", async (_, spoil) => {
  const { network, submit, destroy } = await tinyTrainer(device);
  await await submit(noiseBatch(0));
  const before = await snapshot(network, STATE);
  const bad = noiseBatch(1);
  spoil(bad.images);
  expect(await await submit(bad)).toMatchObject({ skipped: true });
  expect(await snapshot(network, STATE)).toEqual(before);
  const control = new Uint32Array((await network.store.read("step.control")).buffer);
  expect([...control.subarray(0, 2)]).toEqual([1, 1]);
  const report = await await submit(noiseBatch(2));
  expect(report).toMatchObject({ skipped: false });
  const after = await snapshot(network, STATE);
  expect([...(after.get("clock.rest") ?? [])]).toEqual([2]);
  expect(after).not.toEqual(before);
  destroy();
});

test("a batch that is not finite spoils the whole accumulated update and no other", async () => {
  const { network, submit, destroy } = await tinyTrainer(device, { accumulate: 2 });
  const weights = [
    arenaOf("weight", "encoder"),
    arenaOf("weight", "rest"),
    arenaOf("first", "rest"),
    arenaOf("second", "rest"),
    CLOCKS_ARENA,
  ];
  const before = await snapshot(network, weights);
  const bad = noiseBatch(0);
  bad.images.fill(Number.NaN);
  await submit(bad, { last: false, batches: 2 });
  expect(await await submit(noiseBatch(1), { first: false, batches: 2 })).toMatchObject({ skipped: true });
  expect(await snapshot(network, weights)).toEqual(before);
  await submit(noiseBatch(2), { last: false, batches: 2 });
  expect(await await submit(noiseBatch(3), { first: false, batches: 2 })).toMatchObject({ skipped: false });
  expect(await snapshot(network, weights)).not.toEqual(before);
  destroy();
});

test("a frozen encoder keeps its weights and moments while its statistics move", async () => {
  const { network, submit, destroy } = await tinyTrainer(device);
  const kept = [arenaOf("weight", "encoder"), arenaOf("first", "encoder"), arenaOf("second", "encoder")];
  const before = await snapshot(network, kept);
  const [statistics, rest] = [
    await snapshot(network, [STATISTICS_ARENA]),
    await snapshot(network, [arenaOf("weight", "rest")]),
  ];
  for (let step = 0; step < 2; step++) await await submit(noiseBatch(step), { frozen: true });
  expect(await snapshot(network, kept)).toEqual(before);
  const moved = await snapshot(network, [STATISTICS_ARENA]);
  const encoder = [...moved].filter(([key]) => key.includes("encoder."));
  expect(encoder.length).toBeGreaterThan(0);
  for (const [key, values] of encoder) expect(values, key).not.toEqual(statistics.get(key));
  expect(await snapshot(network, [arenaOf("weight", "rest")])).not.toEqual(rest);
  const clocks = await snapshot(network, [CLOCKS_ARENA]);
  expect([clocks.get("clock.encoder")?.[0], clocks.get("clock.rest")?.[0]]).toEqual([0, 2]);
  await await submit(noiseBatch(2));
  expect(await snapshot(network, [arenaOf("weight", "encoder")])).not.toEqual(before);
  destroy();
});

test("four images are learnt by heart", async () => {
  const { submit, destroy } = await tinyTrainer(device, { diceWeight: 0 });
  const batch = noiseBatch(0);
  const losses: number[] = [];
  for (let step = 0; step < 60; step++)
    losses.push((await await submit({ ...batch, index: step }, { rate: 5e-3 }))?.loss ?? 0);
  expect(Math.min(...losses.slice(-5))).toBeLessThan((losses[0] ?? 0) / 3);
  destroy();
});

test("bindings of 64 KiB give the same bits", async () => {
  const weightsAfter = async (on: Device) => {
    const { network, submit, destroy } = await tinyTrainer(on, { width: 8, size: "32", batchSize: 2 });
    const longest = Math.max(...network.table.list().map(({ shape }) => 4 * shape.reduce((a, b) => a * b, 1)));
    expect(longest).toBeGreaterThan(65536);
    for (let step = 0; step < 2; step++) await await submit(noiseBatch(step, { size: 32, count: 2 }));
    const state = await snapshot(network, [arenaOf("weight", "encoder"), arenaOf("weight", "rest"), STATISTICS_ARENA]);
    destroy();
    return state;
  };
  const narrow = await openDevice({ target: { bindingLimit: 65536 } });
  try {
    expect(await weightsAfter(narrow)).toEqual(await weightsAfter(device));
  } finally {
    narrow.close();
  }
});
