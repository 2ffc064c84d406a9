import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { supervised } from "../../../src/cli/restarts.ts";
import { DeviceLostError } from "../../../src/errors.ts";
import { resolveConfig, type TrainConfig } from "../../../src/experiment/settings/config.ts";
import { networkFor } from "../../../src/experiment/settings/recipe.ts";
import type { TrainObserver } from "../../../src/experiment/train/train-observer.ts";
import { runTraining } from "../../../src/experiment/train/train-run.ts";
import { Program } from "../../../src/kernels/compile/program.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { inferenceTrace } from "../../../src/training/inference-trace.ts";
import { bits, noise } from "../../support/numbers.ts";
import { type Cells, cells, scratchFolder, tinyTrainer, traceOf } from "../../support/training.ts";

const scratch = scratchFolder();
const data = join(scratch.path, "cells");
const RECIPE = {
  data,
  model: "unet",
  width: 4,
  size: "32",
  batchSize: 4,
  lr: 1e-3,
  workers: 0,
  epochs: 2,
  resume: "auto",
};
const config = (name: string) => resolveConfig({ ...RECIPE, out: join(scratch.path, name) });
let set: Cells;

beforeAll(async () => {
  set = await cells(data, 8, 2);
  await attempt(config("whole"));
});
afterAll(() => scratch.remove());

/** When the GPU goes, as a driver's reset would have it. */
type Moment = (device: Device) => { readonly observer?: Partial<TrainObserver> };

const EARLY: Readonly<Record<string, Moment>> = {
  "before anything is allocated": (device) => {
    device.gpu.destroy();
    return {};
  },
  "while the first programs are compiled": (device) => {
    void Promise.resolve().then(() => setTimeout(() => device.gpu.destroy(), 20));
    return {};
  },
};

const LATE: Readonly<Record<string, Moment>> = {
  "in the middle of training": (device) => ({
    observer: { step: ({ step }) => (step === 3 ? device.gpu.destroy() : undefined) },
  }),
  // The last step of an epoch is told just before its validation begins.
  "while validating": (device) => ({
    observer: { step: ({ step }) => (step === 2 ? device.gpu.destroy() : undefined) },
  }),
};

/** One process's attempt at a run. */
async function attempt(own: TrainConfig, moment: Moment = () => ({})) {
  const device = await openDevice();
  try {
    const { dataset, statistics } = set;
    const observer = { note() {}, step() {}, validated() {}, ...moment(device).observer };
    return await runTraining({ config: own, network: networkFor(own, dataset), dataset, statistics, device, observer });
  } finally {
    device.close();
  }
}

test.each(Object.entries(EARLY))("a GPU lost %s is a loss that is worth trying again", async (name, moment) => {
  const failure = await attempt(config(name.replaceAll(" ", "-")), moment).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(DeviceLostError);
  expect(failure).toHaveProperty("exitCode", 75);
});

test.each(Object.entries(LATE))(
  "with --max-restarts a run whose GPU was lost %s ends with the same bits",
  async (name, moment) => {
    const own = config(name.replaceAll(" ", "-"));
    const tried: number[] = [];
    const work = (count: number) => {
      tried.push(count);
      return attempt(own, count === 0 ? moment : undefined);
    };
    expect(await supervised(1, work, 0)).toMatchObject({ finished: true });
    expect(tried).toEqual([0, 1]);
    expect(traceOf(own.out)).toEqual(traceOf(config("whole").out));
  },
);

test("restarts are as many as were asked for, and only for a lost GPU", async () => {
  const lost = new DeviceLostError("gone");
  const tried: number[] = [];
  const work = (count: number) => {
    tried.push(count);
    return Promise.reject(lost);
  };
  await expect(supervised(2, work, 0)).rejects.toBe(lost);
  expect(tried).toEqual([0, 1, 2]);
  await expect(supervised(3, () => Promise.reject(new Error("a bug")), 0)).rejects.toThrow("a bug");
});

test("a GPU lost while predicting is a loss too", async () => {
  const device = await openDevice();
  const { network } = await tinyTrainer(device, { size: "32" });
  const inference = await network.inference({ batch: 1 });
  inference.feed(inference.program, noise(32 * 32 * 3, 1));
  inference.program.run();
  device.gpu.destroy();
  await expect(inference.program.read(inference.logits)).rejects.toBeInstanceOf(DeviceLostError);
  device.close();
});

test("a run that is split into many submits has the same bits as one submit", async () => {
  const device = await openDevice();
  const { network, destroy } = await tinyTrainer(device, { size: "32" });
  const image = noise(32 * 32 * 3, 1);
  const results = [];
  for (const longestSubmit of [Number.POSITIVE_INFINITY, 1e-3]) {
    const { graph, keep, logits, feed } = inferenceTrace(network.config, { batch: 1, parameters: network.table });
    const program = await Program.compile(device, graph, { store: network.store, keep, longestSubmit });
    for (let run = 0; run < 4; run++) {
      feed(program, image);
      program.run();
      await device.finish();
    }
    results.push({ bits: bits(await program.read(logits)), submits: program.submits });
    program.destroy();
  }
  const [one, many] = results;
  expect(one?.submits).toBe(1);
  expect(many?.submits).toBeGreaterThan(50);
  expect(many?.bits).toEqual(one?.bits);
  destroy();
  device.close();
});
