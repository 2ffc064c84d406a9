import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { svanet } from "../support/svanet.ts";
import { cells, scratchFolder, TINY, traceOf } from "../support/training.ts";

const scratch = scratchFolder();
const data = join(scratch.path, "cells");
const out = join(scratch.path, "cv");

beforeAll(async () => {
  await cells(data, 4, 2);
});
afterAll(() => scratch.remove());

test("two folds of train and val end to end: every image is scored once, by the run that had not seen it", () => {
  const { status, stdout, stderr } = svanet("cv", "--data", data, "--out", out, "--folds", "2", ...TINY);
  expect(status, stderr).toBe(0);
  expect(stderr).toContain("2 folds of 3, 3 images from train and val");
  expect(stdout).toMatch(/fold 1 +3 .*\nfold 2 +3 .*\nmean of the folds +.*±.*\nall images together /);
  const images = readFileSync(join(out, "cv-Synthetic_cells-images.csv"), "utf8").trimEnd().split("\n").slice(1);
  expect(new Set(images.map((line) => line.split(",")[2])).size).toBe(6);
  for (const name of readdirSync(join(out, "runs"))) {
    expect(name).toMatch(/^Synthetic_cells-fold[12]of2-svanet-[0-9a-f]{8}-seed0$/);
    expect(existsSync(join(out, "runs", name, "checkpoints", "best.safetensors"))).toBe(false);
  }
});

test("the run of a fold is repeated to the bit by its config.yaml", () => {
  const [, second = ""] = readdirSync(join(out, "runs")).map((name) => join(out, "runs", name));
  const again = join(scratch.path, "again");
  const { status, stderr } = svanet("train", "--config", join(second, "config.yaml"), "--out", again);
  expect(status, stderr).toBe(0);
  expect(stderr).toContain("trained on all but fold 2of2, which svanet cv scores");
  expect(traceOf(again)).toEqual(traceOf(second));
  expect(readFileSync(join(again, "data.json"), "utf8")).toBe(readFileSync(join(second, "data.json"), "utf8"));
});
