import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeEnvironment } from "../../../src/experiment/run/environment.ts";
import { RunFolder, readMetrics, readRunConfig, runPaths } from "../../../src/experiment/run/run-folder.ts";
import { readEvents } from "../../../src/experiment/run/tfevents.ts";
import { resolveConfig } from "../../../src/experiment/settings/config.ts";
import { writeFileAtomic } from "../../../src/files/atomic.ts";

const newFolder = () => join(mkdtempSync(join(tmpdir(), "svanet-")), "run");
const config = resolveConfig({ data: "d", out: "o", seed: 7 });

test("a new run holds its configuration and is given back at the end", () => {
  const folder = newFolder();
  const run = RunFolder.create(folder, config);
  expect(readRunConfig(folder)).toEqual(config);
  expect(run.tookOverFrom).toBeUndefined();
  run.close();
  expect(existsSync(join(folder, "lock"))).toBe(false);
});

test("a second holder is refused", () => {
  const folder = newFolder();
  const run = RunFolder.create(folder, config);
  expect(() => RunFolder.resume(folder, 0)).toThrow(
    `${folder} is in use by process ${process.pid} on ${hostname()}: wait for it, or choose another --out.`,
  );
  run.close();
  RunFolder.resume(folder, 0).close();
});

test("the lock of a dead process is taken over and named", () => {
  const folder = newFolder();
  RunFolder.create(folder, config).close();
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  writeFileSync(join(folder, "lock"), JSON.stringify({ pid: dead, host: hostname(), started: "1" }));
  const run = RunFolder.resume(folder, 0);
  expect(run.tookOverFrom).toBe(dead);
  run.close();
  expect(readdirSync(folder).filter((name) => name.startsWith("lock"))).toEqual([]);
});

test.runIf(process.platform === "linux")("a process id that another process uses by now is no owner", () => {
  const folder = newFolder();
  RunFolder.create(folder, config).close();
  writeFileSync(join(folder, "lock"), JSON.stringify({ pid: process.ppid, host: hostname(), started: "1" }));
  RunFolder.resume(folder, 0).close();
});

test("the lock of another host is respected: its process cannot be asked", () => {
  const folder = newFolder();
  RunFolder.create(folder, config).close();
  writeFileSync(join(folder, "lock"), JSON.stringify({ pid: 1, host: "elsewhere", started: "1" }));
  expect(() => RunFolder.resume(folder, 0)).toThrow("in use by process 1 on elsewhere");
});

test("resuming drops what was recorded after the step, and a line that was cut off", () => {
  const folder = newFolder();
  const run = RunFolder.create(folder, config);
  for (const step of [1, 2, 3]) run.record({ step, kind: "train", loss: 1 / step, note: "text" });
  run.close();
  appendFileSync(runPaths(folder).metrics, '{"step":4,"ki');
  writeFileSync(join(folder, ".config.yaml.123.tmp"), "half");
  const again = RunFolder.resume(folder, 2);
  again.record({ step: 3, kind: "train", loss: 0.3 });
  again.close();
  expect(readMetrics(folder).map(({ step, loss }) => [step, loss])).toEqual([
    [1, 1],
    [2, 0.5],
    [3, 0.3],
  ]);
  const events = readEvents(readFileSync(runPaths(folder).events));
  expect(events.map(({ step, values }) => [step, [...values.keys()]])).toEqual([
    [1, ["train/loss"]],
    [2, ["train/loss"]],
    [3, ["train/loss"]],
  ]);
  expect(existsSync(join(folder, ".config.yaml.123.tmp"))).toBe(false);
});

test("a finished run and a foreign folder are not overwritten", () => {
  const folder = newFolder();
  RunFolder.create(folder, config).close();
  RunFolder.create(folder, config).close(); // no checkpoint yet: nothing is lost
  writeFileSync(runPaths(folder).last, "");
  expect(() => RunFolder.create(folder, config)).toThrow("holds a run already: continue it with --resume");
  const foreign = newFolder();
  mkdirSync(foreign);
  writeFileSync(join(foreign, "thesis.txt"), "");
  expect(() => RunFolder.create(foreign, config)).toThrow("is not empty and holds no run (thesis.txt)");
  expect(existsSync(join(foreign, "lock"))).toBe(false);
});

test("resuming where there is no run says so", () => {
  const folder = newFolder();
  mkdirSync(folder);
  expect(() => RunFolder.resume(folder, 0)).toThrow("holds no run (no config.yaml)");
});

test("every process that worked on a run is described", () => {
  const folder = newFolder();
  const run = RunFolder.create(folder, config);
  run.addEnvironment(describeEnvironment({ device: "llvmpipe" }));
  run.addEnvironment(describeEnvironment(null));
  run.close();
  const { sessions } = JSON.parse(readFileSync(runPaths(folder).environment, "utf8"));
  expect(sessions).toHaveLength(2);
  expect(sessions[0]).toMatchObject({ node: process.versions.node, adapter: { device: "llvmpipe" } });
  expect(sessions[0].packages.webgpu).toMatch(/^\d+\.\d+\.\d+$/);
});

test("an atomic write leaves the file alone when it fails, and no temporary file", () => {
  const folder = mkdtempSync(join(tmpdir(), "svanet-"));
  const path = join(folder, "a.txt");
  writeFileAtomic(path, "first");
  writeFileAtomic(path, new TextEncoder().encode("second"));
  expect(readFileSync(path, "utf8")).toBe("second");
  expect(readdirSync(folder)).toEqual(["a.txt"]);
});
