import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readFacts } from "../../src/experiment/checkpoint/checkpoint.ts";
import { svanet } from "../support/svanet.ts";
import { cells, scratchFolder } from "../support/training.ts";

const scratch = scratchFolder();
const data = join(scratch.path, "cells");
const out = join(scratch.path, "compare");
const TINY = ["--width", "4", "--size", "32", "--batch-size", "2", "--steps", "2", "--workers", "0"];
const compare = (...more: string[]) => svanet("compare", "--data", data, "--out", out, ...TINY, ...more);

beforeAll(async () => {
  await cells(data, 4, 2);
});
afterAll(() => scratch.remove());

test("two networks end to end: the part of one of them, tables by size, native scores from the same runs", async () => {
  const first = compare("--models", "unet,svanet", "--encoder", "mini", "--repeats", "2", "--select", "last");
  expect(first.status, first.stderr).toBe(0);
  expect(first.stderr).toContain("--encoder mini: for svanet; the other networks have no such part");
  expect(first.stderr).toContain("Scored: the last checkpoint of each run.");
  expect(first.stdout).toContain("Networks on Synthetic cells, images whose largest object takes < 1 %");
  expect(first.stdout).toMatch(/network +parameters +mDice +mIoU +MAE \(1e-4\) +sensitivity +F2 +p /);
  const runs = readdirSync(join(out, "runs"));
  expect(runs.map((name) => name.replace(/-[0-9a-f]{8}-/, " "))).toEqual(
    ["svanet seed0", "svanet seed1", "unet seed0", "unet seed1"].map((name) => `Synthetic_cells-${name}`),
  );
  for (const name of runs) {
    const { progress } = await readFacts(join(out, "runs", name, "checkpoints", "last.safetensors"));
    expect(progress.step).toBe(2);
  }
  const name = "compare-Synthetic_cells";
  const stored = JSON.parse(readFileSync(join(out, `${name}.json`), "utf8")) as {
    readonly baseline: string;
    readonly rows: readonly { readonly key: string; readonly complete: boolean; readonly pValue: number | null }[];
  };
  expect(stored.baseline).toBe("svanet");
  expect(stored.rows.map(({ key, complete, pValue }) => [key, complete, pValue !== null])).toEqual([
    ["unet", true, true],
    ["svanet", true, false],
  ]);
  expect(readFileSync(join(out, `${name}.md`), "utf8")).toMatch(/^# Networks on Synthetic cells\n\n## images whose/);

  const native = compare(
    ...["--models", "unet,svanet", "--encoder", "mini", "--repeats", "2", "--select", "last", "--at", "native"],
  );
  expect(native.status, native.stderr).toBe(0);
  expect(native.stderr).toContain("4 of 4 runs are finished and skipped");
  expect(native.stderr).toContain("Scored at the images' own size");
  expect(existsSync(join(out, `${name}-2.json`))).toBe(true);
});
