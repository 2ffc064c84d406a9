import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SvanetError, UsageError } from "../../../src/errors.ts";
import { describeEnvironment } from "../../../src/experiment/run/environment.ts";
import { readMetrics } from "../../../src/experiment/run/metrics-log.ts";
import { RunFolder, readRunConfig, runPaths } from "../../../src/experiment/run/run-folder.ts";
import { readEvents } from "../../../src/experiment/run/tfevents.ts";
import { resolveConfig } from "../../../src/experiment/settings/config.ts";
import { writeFileAtomic } from "../../../src/files/atomic.ts";
import { temporaryFor } from "../../../src/files/temporary.ts";
import { deadProcess } from "../../support/dead-process.ts";

const newFolder = () => join(mkdtempSync(join(tmpdir(), "svanet-")), "run");
const config = resolveConfig({ bestBy: "foreground-dice", data: "d", out: "o", seed: 7 });

test("a new run holds its configuration and is given back at the end", () => {
  const folder = newFolder();
  const run = RunFolder.create(folder, config);
  expect(readRunConfig(folder)).toEqual(config);
  expect(run.notes).toEqual([]);
  run.close();
  expect(existsSync(join(folder, "lock"))).toBe(false);
});

test("a second holder is refused", () => {
  const folder = newFolder();
  const run = RunFolder.create(folder, config);
  expect(() => RunFolder.resume(folder, { step: 0 })).toThrow(
    `${folder} is in use by process ${process.pid} on ${hostname()}: wait for it, or choose another --out; where no process works`,
  );
  run.close();
  RunFolder.resume(folder, { step: 0 }).close();
});

test("the lock of a dead process is taken over and named", () => {
  const folder = newFolder();
  RunFolder.create(folder, config).close();
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  writeFileSync(join(folder, "lock"), JSON.stringify({ pid: dead, host: hostname(), started: "1" }));
  const run = RunFolder.resume(folder, { step: 0 });
  expect(run.notes).toEqual([`took over the run from process ${dead}, which is gone`]);
  run.close();
  expect(readdirSync(folder).filter((name) => name.startsWith("lock"))).toEqual([]);
});

test.runIf(process.platform === "linux")("a process id that another process uses by now is no owner", () => {
  const folder = newFolder();
  RunFolder.create(folder, config).close();
  writeFileSync(join(folder, "lock"), JSON.stringify({ pid: process.ppid, host: hostname(), started: "1" }));
  RunFolder.resume(folder, { step: 0 }).close();
});

test("the lock of another host is respected: its process cannot be asked", () => {
  const folder = newFolder();
  RunFolder.create(folder, config).close();
  writeFileSync(join(folder, "lock"), JSON.stringify({ pid: 1, host: "elsewhere", started: "1" }));
  expect(() => RunFolder.resume(folder, { step: 0 })).toThrow("in use by process 1 on elsewhere");
});

test("resuming drops what was recorded after the step, and a line that was cut off", () => {
  const folder = newFolder();
  const run = RunFolder.create(folder, config);
  for (const step of [1, 2, 3]) run.record({ step, kind: "train", loss: 1 / step, note: "text" });
  run.close();
  appendFileSync(runPaths(folder).metrics, '{"step":4,"ki');
  const left = temporaryFor(join(folder, "config.yaml")).replace(`-${process.pid}-`, `-${deadProcess()}-`);
  writeFileSync(left, "half");
  const again = RunFolder.resume(folder, { step: 2 });
  again.record({ step: 3, kind: "train", loss: 0.3 });
  again.close();
  expect([...readMetrics(runPaths(folder).metrics)].map(({ step, loss }) => [step, loss])).toEqual([
    [1, 1],
    [2, 0.5],
    [3, 0.3],
  ]);
  const events = [...readEvents(runPaths(folder).events)];
  expect(events.map(({ step, values }) => [step, [...values.keys()]])).toEqual([
    [1, ["train/loss"]],
    [2, ["train/loss"]],
    [3, ["train/loss"]],
  ]);
  expect(existsSync(left)).toBe(false);
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
  expect(() => RunFolder.resume(folder, { step: 0 })).toThrow("holds no run (no config.yaml)");
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

const lockOf = (folder: string) => join(folder, "lock");
const started = (name: string) => {
  const folder = newFolder();
  const run = RunFolder.create(folder, config);
  for (const step of [1, 2, 3]) run.record({ step, kind: "train", loss: step });
  run.close();
  return { folder, paths: runPaths(folder), name };
};

test.each([
  ["of another host", JSON.stringify({ pid: 1, host: "elsewhere", started: "1" }), "held by process 1 on elsewhere"],
  ["torn", '{"pid":12', "no lock that svanet wrote"],
  ["of another form", "null", "no lock that svanet wrote"],
  ["without a process", '{"pid":-1,"host":"x","started":""}', "no lock that svanet wrote"],
  ["a folder", undefined, "no lock that svanet wrote"],
])("a lock %s is refused in one sentence, and taken by force when asked", (_, content, what) => {
  const { folder } = started("lock");
  if (content === undefined) mkdirSync(lockOf(folder));
  else writeFileSync(lockOf(folder), content);
  const resume = () => RunFolder.resume(folder, { step: 3 });
  expect(resume).toThrow(UsageError);
  expect(resume).toThrow(/^[^\n]+--steal-lock takes the lock$/);
  const run = RunFolder.resume(folder, { step: 3 }, { ...config, stealLock: true });
  expect(run.notes).toEqual([`took the run's lock by force (--steal-lock): it was ${what}`]);
  run.close();
  expect(readdirSync(folder).filter((name) => name.startsWith("lock"))).toEqual([]);
});

test("who lost the lock by force writes no further state", async () => {
  const folder = newFolder();
  const run = RunFolder.create(folder, config);
  await run.replaceLast(async (path) => writeFileSync(path, "1"));
  RunFolder.resume(folder, { step: 0 }, { ...config, stealLock: true }).close();
  await expect(run.replaceLast(async (path) => writeFileSync(path, "2"))).rejects.toThrow("has taken the lock");
  expect(readFileSync(runPaths(folder).last, "utf8")).toBe("1");
});

test("what a lock leaves behind makes no folder foreign, and goes", () => {
  const folder = newFolder();
  mkdirSync(folder);
  for (const name of ["lock.77", "lock.stale.78"]) writeFileSync(join(folder, name), "");
  RunFolder.create(folder, config).close();
  expect(readdirSync(folder).filter((name) => name.startsWith("lock"))).toEqual([]);
});

test("nothing that was recorded is lost when a run goes back", () => {
  const { folder, paths } = started("back");
  const before = readFileSync(paths.metrics, "utf8");
  const run = RunFolder.resume(folder, { step: 1 });
  run.close();
  const cut = join(folder, "metrics.cut-1.jsonl");
  expect(readFileSync(paths.metrics, "utf8") + readFileSync(cut, "utf8")).toBe(before);
  expect([...readEvents(join(folder, "events.cut-1"))].map(({ step }) => step)).toEqual([2, 3]);
  expect(run.notes).toEqual([
    `${paths.metrics}: 2 rows after step 1 moved to ${cut}`,
    `${paths.events}: 2 events after step 1 moved to ${join(folder, "events.cut-1")}`,
  ]);
});

test("torn and foreign logs are put right, with a note, and keep what they had", () => {
  const { folder, paths } = started("torn");
  const [first = "", second = "", third = ""] = readFileSync(paths.metrics, "utf8").split("\n");
  writeFileSync(paths.metrics, `${first}\n${second.slice(0, 9)}\0\0\0\nnull\n${third}\n{"step":4`);
  const events = readFileSync(paths.events);
  events[60] = 1 ^ (events[60] ?? 0); // within the first scalar
  writeFileSync(paths.events, events);
  writeFileSync(paths.environment, '{"sessions": [{');
  const run = RunFolder.resume(folder, { step: 3 });
  expect(run.notes.join("\n")).toMatch(
    /2 lines that are no rows \(the first is line 2\) moved to .*bytes that are no events moved/s,
  );
  expect(run.addEnvironment(describeEnvironment(null))).toMatch(
    /environment\.json is damaged: kept as .*damaged\.json/,
  );
  run.record({ step: 4, kind: "train", loss: 4 });
  run.close();
  expect([...readMetrics(paths.metrics)].map(({ step }) => step)).toEqual([1, 3, 4]);
  expect(readFileSync(join(folder, "metrics.cut-3.jsonl"), "utf8")).toBe(`${second.slice(0, 9)}\0\0\0\nnull\n`);
  expect([...readEvents(paths.events)].map(({ step }) => step)).toEqual([4]);
  expect(JSON.parse(readFileSync(paths.environment, "utf8")).sessions).toHaveLength(1);
  writeFileSync(paths.events, "hello"); // of another program
  RunFolder.resume(folder, { step: 4 }).close();
  expect(readFileSync(join(folder, "events.cut-4"), "utf8")).toBe("hello");
});

test("a log that is no log, and folders in the place of files, are one sentence each", () => {
  const line = started("line");
  writeFileSync(line.paths.metrics, "x".repeat(3 << 20));
  expect(() => RunFolder.resume(line.folder, { step: 3 })).toThrow("line 1 has more than 1048576 bytes");
  expect(existsSync(lockOf(line.folder))).toBe(false);
  for (const name of ["metrics", "events", "config"] as const) {
    const { folder, paths } = started(name);
    rmSync(paths[name]);
    mkdirSync(paths[name]);
    writeFileSync(join(paths[name], "inside"), "");
    const resume = () => RunFolder.resume(folder, { step: 3 }, config);
    expect(resume).toThrow(SvanetError);
    expect(resume).toThrow(`${paths[name]}: cannot be written: there is a folder of that name`);
  }
  const { folder, paths } = started("checkpoints");
  rmSync(paths.checkpoints, { recursive: true });
  writeFileSync(paths.checkpoints, "");
  expect(() => RunFolder.resume(folder, { step: 3 })).toThrow(`${paths.checkpoints} is a file; name a folder`);
  expect(() => RunFolder.create(folder, config)).toThrow(`${paths.checkpoints} is a file`);
});

test("a torn configuration says what to do", () => {
  const { folder, paths } = started("config");
  writeFileSync(paths.config, readFileSync(paths.config, "utf8").replace(/batchSize: .*/s, "batch"));
  expect(() => readRunConfig(folder)).toThrow(
    /config\.yaml is damaged \(.*\): move it away and give the run's settings/,
  );
});

test("the state before the last one is kept, and takes its place when the last is damaged", async () => {
  const { folder, paths } = started("states");
  const run = RunFolder.resume(folder, { step: 3 });
  for (const state of ["1", "2", "3"]) await run.replaceLast(async (path) => writeFileSync(path, state));
  await expect(
    run.replaceLast(async (path) => {
      writeFileSync(path, "half");
      throw new Error("the disk is full");
    }),
  ).rejects.toThrow("the disk is full");
  run.close();
  const states = () =>
    readdirSync(paths.checkpoints).map((name) => [name, readFileSync(join(paths.checkpoints, name), "utf8")]);
  expect(states()).toContainEqual(["last.safetensors", "3"]);
  expect(states()).toContainEqual(["previous.safetensors", "2"]);
  const back = RunFolder.resume(folder, { step: 3, fromPrevious: true });
  expect(back.notes[0]).toMatch(/^the damaged .*last\.safetensors is kept as .*last\.damaged\.safetensors$/);
  await back.replaceLast(async (path) => writeFileSync(path, "4"));
  back.close();
  expect(states()).toEqual([
    ["last.damaged.safetensors", "3"],
    ["last.safetensors", "4"],
    ["previous.safetensors", "2"],
  ]);
});

test("metrics.csv has the rows of metrics.jsonl under one header, also after a kill and a resumption", () => {
  const folder = newFolder();
  const { metricsCsv: path } = runPaths(folder);
  const two = { ...config, classes: 2 };
  const run = RunFolder.create(folder, two);
  run.record({ step: 1, kind: "train", epoch: 0, time: "t", loss: 0.5, dice: null, gradientNorm: 1.25, rate: 1e-7 });
  run.record({ step: 1, kind: "val", epoch: 0, time: "t", loss: 0.25, scoredAt: 'odd, "quoted"', dice1: 61.5 });
  run.record({ step: 2, kind: "train", epoch: 1, time: "t", loss: 0.125, skipped: 1 });
  run.close();
  const header =
    "step,kind,epoch,time,loss,dice,gradientNorm,rate,skipped,lossScale,skippedSteps,scoredAt,foregroundDice,mIoU,mDice,sensitivity,dice0,iou0,dice1,iou1";
  const rows = ["1,train,0,t,0.5,,1.25,1e-7,,,,,,,,,,,,", '1,val,0,t,0.25,,,,,,,"odd, ""quoted""",,,,,,,61.5,'];
  const last = "2,train,1,t,0.125,,,,1,,,,,,,,,,,";
  expect(readFileSync(path, "utf8")).toBe(`${[header, ...rows, last].join("\n")}\n`);
  // A line that a killed process left half, and one of a step that runs again.
  writeFileSync(path, readFileSync(path, "utf8").slice(0, -5));
  const again = RunFolder.resume(folder, { step: 1 });
  expect(readFileSync(path, "utf8")).toBe(`${[header, ...rows].join("\n")}\n`);
  again.record({ step: 2, kind: "train", loss: 1 });
  again.close();
  expect(readFileSync(path, "utf8").split("\n")[3]).toBe("2,train,,,1,,,,,,,,,,,,,,,");
  // A run of before there was the file gets it.
  rmSync(path);
  RunFolder.resume(folder, { step: 1 }, two).close();
  expect(readFileSync(path, "utf8")).toBe(`${[header, ...rows].join("\n")}\n`);
});
