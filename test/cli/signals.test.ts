import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, openSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { runPaths } from "../../src/experiment/run/run-folder.ts";
import { mainFile, svanet } from "../support/svanet.ts";

const root = mkdtempSync(join(tmpdir(), "svanet-signals-"));
const data = join(root, "cells");

beforeAll(() => {
  svanet("data", "synth", "cells", "--out", data, "--train", "4", "--val", "2", "--size", "48");
});

/** Starts a small training run. */
function training(name: string, steps: number) {
  const out = join(root, name);
  const recipe = ["--model", "unet", "--width", "4", "--size", "48", "--batch-size", "2", "--eval-every", "1000"];
  const args = ["train", "--data", data, "--out", out, ...recipe, "--steps", String(steps)];
  const child = spawn(process.execPath, [mainFile, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "exit").then(([code]) => code as number | null);
  return { child, ended, paths: runPaths(out) };
}

/** Waits until a run has written a step to its log. */
async function firstStep({ child, paths }: { child: ChildProcess; paths: ReturnType<typeof runPaths> }) {
  while (child.exitCode === null && !existsSync(paths.metrics)) await new Promise((then) => setTimeout(then, 20));
}

const steps = (metrics: string) =>
  readFileSync(metrics, "utf8")
    .split("\n")
    .filter((line) => line.includes('"kind":"train"')).length;

test("Ctrl-C and SIGTERM end a run after saving, each with its own code; a hang-up without a terminal does not", async () => {
  const [interrupted, terminated] = [training("int", 100_000), training("term", 100_000)];
  let said = "";
  terminated.child.stderr.on("data", (text) => {
    said += String(text);
  });
  await Promise.all([firstStep(interrupted), firstStep(terminated)]);
  interrupted.child.kill("SIGINT");
  terminated.child.kill("SIGHUP");
  expect(await interrupted.ended).toBe(130);
  expect(existsSync(interrupted.paths.last)).toBe(true);
  const before = steps(terminated.paths.metrics);
  while (steps(terminated.paths.metrics) < before + 3) await new Promise((then) => setTimeout(then, 20));
  expect(said).toContain("SIGHUP is ignored");
  terminated.child.kill("SIGTERM");
  expect(await terminated.ended).toBe(143);
  expect(existsSync(terminated.paths.last)).toBe(true);
});

test("a run goes on to its end when nobody reads what it prints", async () => {
  const run = training("unread", 3);
  run.child.stdout.destroy();
  run.child.stderr.destroy();
  expect(await run.ended).toBe(0);
  expect(steps(run.paths.metrics)).toBe(3);
  expect(existsSync(run.paths.last)).toBe(true);
});

test.runIf(process.platform === "linux")("results for a full disk are no success", async () => {
  const stdio = ["ignore", openSync("/dev/full", "w"), "pipe"] as const;
  const child = spawn(process.execPath, [mainFile, "models", "--model", "unet", "--size", "48"], { stdio: [...stdio] });
  let said = "";
  child.stderr?.on("data", (text) => {
    said += String(text);
  });
  const [code] = await once(child, "close");
  expect(code).toBe(1);
  expect(said).toContain("svanet: stdout: cannot be written: the disk is full");
});
