import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { runPaths } from "../../../src/experiment/run/run-folder.ts";
import { resolveConfig } from "../../../src/experiment/settings/config.ts";
import { readConfigFile } from "../../../src/experiment/settings/config-file.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { type Cells, cells, scratchFolder, tinyConfig, traceOf, trainHere } from "../../support/training.ts";

// Many short runs, some in processes of their own: minutes where other work fills the machine.
vi.setConfig({ testTimeout: 300_000 });

const scratch = scratchFolder();
const data = join(scratch.path, "cells");
const main = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
let device: Device;
let set: Cells;

// Ten images in batches of four: two full batches and one of two, so both programs and the epoch's end take part.
// Without AssemFormer, which draws nothing: pixel subsets, region owners, stochastic depth and dropout are all there.
const RECIPE = { data, ablation: "t4-svattn", size: "32", steps: 7, evalEvery: 2 };
const out = (name: string) => join(scratch.path, name);
const config = (name: string, flags = {}) => tinyConfig({ ...RECIPE, ...flags, out: out(name), resume: "auto" });

beforeAll(async () => {
  device = await openDevice();
  set = await cells(data, 10, 2);
  await trainHere(device, set, config("whole"));
});
afterAll(() => {
  device.close();
  scratch.remove();
});

test("two runs with one seed are equal to the byte, whatever the number of threads; another seed is another run", async () => {
  expect(await trainHere(device, set, config("again", { workers: 1 }))).toMatchObject({ steps: 7, finished: true });
  expect(traceOf(out("again"))).toEqual(traceOf(out("whole")));
  await trainHere(device, set, config("other", { seed: 1, steps: 3 }));
  expect(traceOf(out("other")).last).not.toEqual(traceOf(out("whole")).last);
});

test("a run is repeated to the byte by its config.yaml", async () => {
  const again = resolveConfig({ out: out("by-config") }, readConfigFile(runPaths(out("whole")).config));
  await trainHere(device, set, again);
  expect(traceOf(out("by-config"))).toEqual(traceOf(out("whole")));
  // Every number of metrics.jsonl has its column in metrics.csv.
  const { metrics, metricsCsv } = runPaths(out("whole"));
  const [header = "", ...lines] = readFileSync(metricsCsv, "utf8").trimEnd().split("\n");
  const rows = readFileSync(metrics, "utf8").trimEnd().split("\n");
  expect(lines).toHaveLength(rows.length);
  const names = new Set(rows.flatMap((row) => Object.keys(JSON.parse(row))));
  expect([...names].filter((name) => !header.split(",").includes(name))).toEqual([]);
  // And by that of the repetition, which differs in the folder alone.
  const text = (name: string) => readFileSync(runPaths(out(name)).config, "utf8");
  expect(text("by-config")).toBe(text("whole").replace(out("whole"), out("by-config")));
});

test.each([1, 3, 5])("a run stopped after step %i ends as if it had not been", async (stopAt) => {
  const name = `stopped-${stopAt}`;
  expect(await trainHere(device, set, config(name), { stopAt })).toMatchObject({ steps: stopAt, finished: false });
  expect(await trainHere(device, set, config(name))).toMatchObject({ steps: 7, finished: true });
  expect(traceOf(out(name))).toEqual(traceOf(out("whole")));
});

test("a run of mixed precision goes on with its loss scale and the steps since that changed", async () => {
  const flags = { amp: true, steps: 5 };
  await trainHere(device, set, config("half", flags));
  expect(await trainHere(device, set, config("half-stopped", flags), { stopAt: 3 })).toMatchObject({ steps: 3 });
  await trainHere(device, set, config("half-stopped", flags));
  expect(traceOf(out("half-stopped"))).toEqual(traceOf(out("half")));
  expect(traceOf(out("half")).metrics).toContain('"lossScale":65536,"skippedSteps":0');
  expect(traceOf(out("half")).last).not.toEqual(traceOf(out("whole")).last);
});

test("accumulating runs stop between updates, and an epoch's last update takes what is left", async () => {
  // Each layer at its own rate, and none of the encoder in the first of the two epochs.
  const rates = { freezeEpochs: 1, layerDecay: 0.75, layerRates: { classifier: 4, aspp: 0 } };
  const flags = { accumulate: 2, steps: 3, ...rates };
  await trainHere(device, set, config("sum", flags));
  for (const stopAt of [1, 2]) {
    const name = `sum-${stopAt}`;
    expect(await trainHere(device, set, config(name, flags), { stopAt })).toMatchObject({ steps: stopAt });
    await trainHere(device, set, config(name, flags));
    expect(traceOf(out(name))).toEqual(traceOf(out("sum")));
  }
});

test("a complete run is left as it is", async () => {
  const before = statSync(runPaths(out("whole")).last).mtimeMs;
  const notes: string[] = [];
  const observer = { note: (text: string) => notes.push(text), step() {}, validated() {} };
  expect(await trainHere(device, set, config("whole"), { observer })).toMatchObject({ steps: 7, finished: true });
  expect(notes).toContain("the run is complete: 7 of 7 steps are done");
  expect(statSync(runPaths(out("whole")).last).mtimeMs).toBe(before);
});

test("a killed run continues from its checkpoint to the same bytes, and nobody else may work in its folder", async () => {
  const flags = { steps: 20, checkpointEvery: 2 };
  const child = spawnTraining("killed", ["--checkpoint-every", "2", "--workers", "2"]);
  await until(() => existsSync(runPaths(out("killed")).last) && stepsOf("killed") >= 4, child);
  child.kill("SIGSTOP");
  await expect(trainHere(device, set, config("killed", flags))).rejects.toThrow(
    `${out("killed")} is in use by process ${child.pid}`,
  );
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  expect(stepsOf("killed")).toBeLessThan(20);
  const notes: string[] = [];
  const observer = { note: (text: string) => notes.push(text), step() {}, validated() {} };
  await trainHere(device, set, config("killed", flags), { observer });
  expect(notes).toContain(`took over the run from process ${child.pid}, which is gone`);
  expect(notes.some((text) => /^resuming at step [1-9]/.test(text))).toBe(true);
  await trainHere(device, set, config("unbroken", { steps: 20 }));
  expect(traceOf(out("killed"))).toEqual(traceOf(out("unbroken")));
});

test("a signal stops a run after a complete step, whose exit code names it", async () => {
  const child = spawnTraining("signalled", ["--workers", "1"]);
  await until(() => stepsOf("signalled") >= 1, child);
  child.kill("SIGTERM");
  expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(143);
  await trainHere(device, set, config("signalled", { steps: 20 }));
  expect(traceOf(out("signalled"))).toEqual(traceOf(out("unbroken")));
});

test("a changed recipe, other data and a missing checkpoint are refused", async () => {
  await expect(trainHere(device, set, config("whole", { lr: 2e-3, batchSize: 2 }))).rejects.toThrow(
    `the run in ${out("whole")} was started with another recipe (batchSize 4, now 2, lr 0.001, now 0.002)`,
  );
  const other = await cells(out("other-cells"), 6, 2);
  await expect(trainHere(device, other, config("whole"))).rejects.toThrow("is not the data set the run in");
  const wanted = tinyConfig({ ...RECIPE, out: out("nothing"), resume: true });
  await expect(trainHere(device, set, wanted)).rejects.toThrow("has no checkpoints/last.safetensors");
  const fresh = tinyConfig({ ...RECIPE, out: out("whole") });
  await expect(trainHere(device, set, fresh)).rejects.toThrow("holds a run already: continue it with --resume");
});

test("a run that ended between its first best checkpoint and its first complete one starts again", async () => {
  await trainHere(device, set, config("cut", { steps: 3 }));
  const whole = traceOf(out("cut"));
  rmSync(runPaths(out("cut")).last);
  await trainHere(device, set, config("cut", { steps: 3 }));
  expect(traceOf(out("cut"))).toEqual(whole);
});

function spawnTraining(name: string, more: readonly string[]): ChildProcess {
  const fixed = {
    data,
    ablation: "t4-svattn",
    out: out(name),
    encoder: "mini",
    width: 4,
    size: 32,
    "batch-size": 4,
    lr: 1e-3,
    steps: 20,
  };
  const flags = Object.entries({ ...fixed, "eval-every": 2, resume: "auto" }).flatMap(([k, v]) => [
    `--${k}`,
    String(v),
  ]);
  return spawn(process.execPath, [main, "train", ...flags, ...more], { stdio: "ignore" });
}

function stepsOf(name: string): number {
  const { metrics } = runPaths(out(name));
  if (!existsSync(metrics)) return 0;
  return readFileSync(metrics, "utf8")
    .split("\n")
    .filter((line) => line.includes('"kind":"train"')).length;
}

async function until(condition: () => boolean, child: ChildProcess): Promise<void> {
  while (!condition()) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the training process ended with ${child.exitCode}`);
    await sleep(20);
  }
}
