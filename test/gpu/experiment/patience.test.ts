import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readMetrics } from "../../../src/experiment/run/metrics-log.ts";
import { runPaths } from "../../../src/experiment/run/run-folder.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { type Cells, cells, scratchFolder, tinyConfig, traceOf, trainHere } from "../../support/training.ts";

const scratch = scratchFolder();
const data = join(scratch.path, "cells");
let device: Device;
let set: Cells;
// A rate that learns nothing: the validation cannot rise for ever.
const RECIPE = { data, ablation: "t4-svattn", size: "32", epochs: 25, lr: 1e-9, patience: 2, resume: "auto" };
const config = (name: string, flags = {}) => tinyConfig({ ...RECIPE, ...flags, out: join(scratch.path, name) });

beforeAll(async () => {
  device = await openDevice();
  set = await cells(data, 4, 2);
});
afterAll(() => {
  device.close();
  scratch.remove();
});

test("training ends when the validation has not risen for so many epochs, resumed or not", async () => {
  const notes: string[] = [];
  const observer = { note: (text: string) => void notes.push(text), step() {}, validated() {} };
  const { steps, finished, best } = await trainHere(device, set, config("whole"), { observer });
  expect(finished).toBe(true);
  expect(steps).toBeLessThan(25);
  expect(notes).toContain("stopping early: no better validation in 2 epochs (--patience)");
  const scores = [...readMetrics(runPaths(join(scratch.path, "whole")).metrics)]
    .filter(({ kind }) => kind === "val")
    .map(({ foregroundDice }) => Number(foregroundDice));
  expect(scores).toHaveLength(steps);
  expect(scores.indexOf(Math.max(...scores))).toBe(steps - 3);
  expect(best).toBe(Math.max(...scores));

  expect(await trainHere(device, set, config("cut"), { stopAt: steps - 1 })).toMatchObject({ finished: false });
  expect(await trainHere(device, set, config("cut"))).toMatchObject({ steps, finished: true });
  expect(traceOf(join(scratch.path, "cut"))).toEqual(traceOf(join(scratch.path, "whole")));
  expect(await trainHere(device, set, config("cut"))).toMatchObject({ steps, finished: true });
});

test("patience without validation images is refused before anything is written", async () => {
  const { train = [] } = set.dataset.splits;
  const alone = { ...set, dataset: { ...set.dataset, splits: { train } } };
  await expect(trainHere(device, alone, config("never"))).rejects.toThrow(
    "has nothing to judge by (there is no val split)",
  );
  expect(existsSync(join(scratch.path, "never"))).toBe(false);
});
