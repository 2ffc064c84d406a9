import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { checkpointToOnnx } from "../../../src/experiment/checkpoint/export.ts";
import { loadNetwork } from "../../../src/experiment/checkpoint/load-run.ts";
import { evaluateNative } from "../../../src/experiment/evaluate/native.ts";
import { planFlags } from "../../../src/experiment/plan/plan.ts";
import { planForData } from "../../../src/experiment/plan/plan-data.ts";
import { readRunConfig, runPaths } from "../../../src/experiment/run/run-folder.ts";
import { resolveConfig, type TrainField, type TrainFlags } from "../../../src/experiment/settings/config.ts";
import { readConfigFile } from "../../../src/experiment/settings/config-file.ts";
import { Predictor } from "../../../src/inference/predictor.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { type Cells, cells, scratchFolder, TINY, traceOf, trainHere } from "../../support/training.ts";

vi.setConfig({ testTimeout: 300_000 });

const scratch = scratchFolder();
const data = join(scratch.path, "cells");
const out = (name: string) => join(scratch.path, name);
const main = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
let device: Device;
let set: Cells;

/** The smallest network on patches of 32 of pictures of 64, whose objects whole images of 32 would make too small. */
const GIVEN: TrainFlags = { recipe: "auto", encoder: "mini", width: 4, size: "32", batchSize: 4, steps: 5, lr: 1e-3 };
const base = (name: string, further: TrainFlags = {}) => ({ data, out: out(name), workers: 0, ...GIVEN, ...further });

/** What `train --recipe auto` trains by. */
async function auto(name: string, further?: TrainFlags) {
  const flags = base(name, further);
  const config = resolveConfig(flags);
  const given = new Set(Object.keys(flags) as TrainField[]);
  const memory = { bytes: 2 ** 33, source: "a test" };
  const plan = await planForData(set.dataset, { config, given, memory, shared: true });
  return resolveConfig({ ...flags, resume: "auto" }, undefined, planFlags(plan));
}

beforeAll(async () => {
  device = await openDevice();
  set = await cells(data, 6, 2);
});
afterAll(() => {
  device.close();
  scratch.remove();
});

test("a planned run on patches, stopped and resumed, equals one that was not; it is judged at the images' own size", async () => {
  const config = await auto("whole");
  expect(config).toMatchObject({ patches: 4, size: { width: 32, height: 32 }, diceWeight: 1 });
  expect(config.foregroundCrops).toBeGreaterThanOrEqual(0.33);
  await trainHere(device, set, config);
  const stopped = await auto("stopped");
  expect(await trainHere(device, set, stopped, { stopAt: 2 })).toMatchObject({ steps: 2, finished: false });
  expect(await trainHere(device, set, stopped)).toMatchObject({ steps: 5, finished: true });
  expect(traceOf(out("stopped"))).toEqual(traceOf(out("whole")));
  expect(traceOf(out("whole")).metrics).toContain('"scoredAt":"native"');

  const { network, checkpoint } = await loadNetwork(device, runPaths(out("whole")).last);
  expect(checkpoint.facts.resolution).toBe("native");
  const onnx = Buffer.from(checkpointToOnnx(checkpoint).encode());
  expect(onnx.includes("none: tiles of size, half overlapping, at the picture's own resolution")).toBe(true);
  const predictor = new Predictor(network, checkpoint);
  const samples = set.dataset.splits.val ?? [];
  const { images, scoredAt } = await evaluateNative({ samples, classes: 2, predictor });
  expect([scoredAt, images.map(({ width, height }) => [width, height])]).toEqual([
    "native",
    [
      [64, 64],
      [64, 64],
    ],
  ]);
  predictor.destroy();
  network.destroy();
});

test("train --recipe auto keeps its plan beside the run, and the kept plan trains the same bits", async () => {
  const flags = [...TINY, "--batch-size", "4"];
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [main, "train", ...args], { encoding: "utf8", timeout: 240_000 });
  const first = run("--data", data, "--out", out("cli"), "--recipe", "auto", ...flags);
  expect(first.stderr).toMatch(/planned: --patches \d+: /);
  expect(first.status).toBe(0);
  const { plan, config, last } = runPaths(out("cli"));
  expect(readFileSync(plan, "utf8")).toMatch(/^# placed on an object, .*\nforegroundCrops: 0\.\d+$/m);
  expect(readFileSync(config, "utf8")).toContain("recipe: auto");
  const again = resolveConfig({ out: out("by-plan"), workers: 0 }, readConfigFile(plan));
  await trainHere(device, set, again);
  expect(traceOf(out("by-plan"))).toEqual(traceOf(out("cli")));
  // What was planned is given by the run's own configuration.
  const repeated = run("--config", config, "--out", out("by-config"));
  expect(repeated.status, repeated.stderr).toBe(0);
  expect(traceOf(out("by-config"))).toEqual(traceOf(out("cli")));
  // A finished run that is resumed plans nothing anew.
  const resumed = run("--out", out("cli"), "--resume");
  expect(resumed.stderr).toContain("the run is complete: 2 of 2 steps are done");
  expect(resumed.stderr).not.toContain("planned:");
  expect(readRunConfig(out("cli"))).toMatchObject({ recipe: "auto", patches: again.patches });
  expect(existsSync(last)).toBe(true);
});

test("ablate refuses both: its tables compare networks at one trained size", () => {
  for (const flags of [
    ["--patches", "2"],
    ["--recipe", "auto"],
  ]) {
    const args = [main, "ablate", "t4", "--data", data, "--out", out("table"), ...flags];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 240_000 });
    expect([status, stderr]).toEqual([2, expect.stringContaining("leave out --recipe auto and --patches")]);
  }
});
