import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TrainObserver } from "../../src/experiment/train/train-observer.ts";
import { openDevice } from "../../src/index.ts";
import type { Device } from "../../src/kernels/device/device.ts";
import { say } from "../support/say.ts";
import { cells, scratchFolder, tinyConfig, trainHere } from "../support/training.ts";

const STEPS = 2000;
const SEEDS = [0, 1, 2] as const;
/** Foreground Dice of the last validation, percent: its least value, and how far the seeds may lie apart. */
const LEAST = 80;
const BAND = 8;

const scratch = scratchFolder();
const data = join(scratch.path, "cells");
let device: Device;

beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => {
  device.close();
  scratch.remove();
});

test(`${SEEDS.length} seeds of ${STEPS} steps end within ${BAND} points of Dice`, async () => {
  const set = await cells(data, 24, 8);
  const reached: number[] = [];
  for (const seed of SEEDS) {
    let last = Number.NaN;
    const observer: TrainObserver = {
      note() {},
      step() {},
      validated: ({ result }) => {
        last = result.strata["all"]?.foregroundDice ?? Number.NaN;
      },
    };
    const flags = { data, out: join(scratch.path, String(seed)), size: "64", width: 8, lr: 2e-3, seed };
    await trainHere(device, set, tinyConfig({ ...flags, steps: STEPS, evalEvery: 20 }), { observer });
    say(`seed ${seed}: foreground Dice ${last.toFixed(2)} %`);
    reached.push(last);
  }
  expect(Math.min(...reached)).toBeGreaterThan(LEAST);
  expect(Math.max(...reached) - Math.min(...reached)).toBeLessThan(BAND);
});
