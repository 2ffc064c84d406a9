import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { supervised } from "../../../src/cli/restarts.ts";
import { DeviceLostError } from "../../../src/errors.ts";
import { resolveConfig, type TrainConfig } from "../../../src/experiment/settings/config.ts";
import { networkFor } from "../../../src/experiment/settings/recipe.ts";
import type { TrainObserver } from "../../../src/experiment/train/train-observer.ts";
import { runTraining } from "../../../src/experiment/train/train-run.ts";
import { Program } from "../../../src/kernels/compile/program.ts";
import { ENDLESS_PATIENCE, type Patience } from "../../../src/kernels/compile/submits.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { inferenceTrace } from "../../../src/training/inference-trace.ts";
import type { Network } from "../../../src/training/network.ts";
import { bits, noise } from "../../support/numbers.ts";
import { type Cells, cells, scratchFolder, tinyTrainer, traceOf } from "../../support/training.ts";

const scratch = scratchFolder();
const data = join(scratch.path, "cells");
const RECIPE = {
  data,
  model: "unet",
  width: 4,
  size: "32",
  batchSize: 2,
  lr: 1e-3,
  workers: 0,
  epochs: 2,
  resume: "auto",
};
const config = (name: string) => resolveConfig({ ...RECIPE, out: join(scratch.path, name) });
let set: Cells;

beforeAll(async () => {
  set = await cells(data, 4, 1, 48);
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

/** One loss after the other, each in an attempt of its own. */
const LATE: readonly Moment[] = [
  // The last step of an epoch is told just before its validation begins.
  (device) => ({ observer: { step: ({ step }) => (step === 2 ? device.gpu.destroy() : undefined) } }),
  // In the second epoch, with a state of the first to go on from.
  (device) => ({ observer: { step: ({ step }) => (step === 3 ? device.gpu.destroy() : undefined) } }),
];

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

test("with --max-restarts a run whose GPU is lost while validating, then while training, ends with the same bits", async () => {
  const own = config("late");
  const tried: number[] = [];
  const work = (count: number) => {
    tried.push(count);
    return attempt(own, LATE[count]);
  };
  expect(await supervised(2, work, 0)).toMatchObject({ finished: true });
  expect(tried).toEqual([0, 1, 2]);
  expect(traceOf(own.out)).toEqual(traceOf(config("whole").out));
});

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

describe("a program", () => {
  const said: string[] = [];
  let device: Device;
  let network: Network;
  beforeAll(async () => {
    device = await openDevice({ onNotice: (sentence) => said.push(sentence) });
    network = (await tinyTrainer(device, { size: "32" })).network;
  });
  afterAll(() => device.close());

  /** Four runs of an evaluation, by when the pace is found. */
  async function runs(patience: Patience) {
    const { graph, keep, logits, feed } = inferenceTrace(network.config, { batch: 1, parameters: network.table });
    const program = await Program.compile(device, graph, { name: "evaluation", store: network.store, keep, patience });
    for (let run = 0; run < 4; run++) {
      feed(program, noise(32 * 32 * 3, 1));
      program.run();
      await device.finish();
    }
    const result = { bits: bits(await program.read(logits)), submits: program.submits };
    program.destroy();
    return result;
  }

  test("has the same bits in many submits as in few; a dispatch that takes too long is said once, with its layer", async () => {
    const few = await runs(ENDLESS_PATIENCE);
    const many = await runs({ submit: 1e-3, dispatch: 60_000 });
    expect(few.submits).toBeLessThan(5);
    expect(many.submits).toBeGreaterThan(50);
    expect(many.bits).toEqual(few.bits);
    expect(said).toEqual([]);
    const timed = await runs({ submit: 60_000, dispatch: 0 });
    expect(timed.bits).toEqual(few.bits);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(
      /^evaluation: .+ in \S+ took \d+ ms in one dispatch; a display driver may reset a GPU that is busy for long: use a/,
    );
  });

  test("whose GPU is lost while predicting says so", async () => {
    const inference = await network.inference({ batch: 1 });
    inference.feed(inference.program, noise(32 * 32 * 3, 1));
    inference.program.run();
    device.gpu.destroy();
    await expect(inference.program.read(inference.logits)).rejects.toBeInstanceOf(DeviceLostError);
  });
});
