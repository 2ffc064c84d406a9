import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runPaths } from "../../../src/experiment/run/run-folder.ts";
import { mainFile } from "../../support/svanet.ts";
import { cells, scratchFolder, traceOf } from "../../support/training.ts";
import { Cluster, until } from "./cluster.ts";

const scratch = scratchFolder();
let cluster: Cluster;

beforeAll(async () => {
  await cells(join(scratch.path, "cells"), 4, 2, 64);
  cluster = await Cluster.start();
});
afterAll(async () => {
  await cluster?.stop();
  scratch.remove();
});

const SIZE = ["--encoder", "mini", "--width", "4", "--size", "32", "--batch-size", "2", "--repeats", "1"];
const LENGTH = [
  "--steps",
  "60",
  "--eval-every",
  "1000",
  "--select",
  "last",
  "--workers",
  "0",
  "--checkpoint-every",
  "1",
];

interface Started {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly printed: () => string;
  readonly ended: Promise<number | null>;
}

function ablate(out: string, ...more: readonly string[]): Started {
  const args = [mainFile, "ablate", "table6", "--data", "cells", "--out", out, ...SIZE, ...LENGTH, ...more];
  const child = spawn(process.execPath, args, {
    cwd: scratch.path,
    env: cluster.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [said, printed] = ["", ""];
  child.stderr.on("data", (text) => {
    said += text;
  });
  child.stdout.on("data", (text) => {
    printed += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, said: () => said, printed: () => printed, ended };
}

/** Steps in the log of a run. */
function steps(folder: string): number {
  const { metrics } = runPaths(folder);
  return existsSync(metrics) ? readFileSync(metrics, "utf8").split('"kind":"train"').length - 1 : 0;
}

test("four runs on a cluster, one interrupted, one on a node that fails, give the table of this machine", async () => {
  const local = ablate("local");
  expect(await local.ended, local.said()).toBe(0);
  writeFileSync(join(scratch.path, "cluster.yaml"), "gpus: 0\ncpus: 1\npoll: 0.3\ngrace: 60\n");
  const out = "it's a study, 100% of it";
  const slurm = ["--launcher", "slurm", "--slurm", "cluster.yaml"];
  const first = ablate(out, ...slurm);
  const folder = join(scratch.path, out);
  const runs = readdirSync(join(scratch.path, "local", "runs"));
  const working = () =>
    runs.map((name) => join(folder, "runs", name)).filter((run) => steps(run) > 0 && steps(run) < 50);
  await until("a run is at work", () => working().length > 0 || first.child.exitCode !== null);

  // The watcher goes; the jobs do not.
  first.child.kill("SIGINT");
  expect(await first.ended, first.said()).toBe(130);
  const job = /submitted: job (\d+), 4 tasks/.exec(first.said())?.[1];
  expect(first.said()).toContain(`the same command watches them again, scancel ${job} ends them`);
  const second = ablate(out, ...slurm);

  // One is asked to leave, as by a preemption.
  cluster.run("scancel", "--signal=USR1", "--batch", `${job}_0`);
  const logOf = (task: number) => join(folder, "slurm", `${job}-${task}.log`);
  const log = (task: number) => (existsSync(logOf(task)) ? readFileSync(logOf(task), "utf8") : "");
  await until("it goes back into the queue", () => log(0).includes("asked to stop by USR1: back into the queue"));

  // The node dies under whatever is at work, and comes back.
  await until("a run is at work", () => working().some((run) => existsSync(join(run, "lock"))));
  const pids = working().flatMap((run) => {
    const lock = join(run, "lock");
    return existsSync(lock) ? [(JSON.parse(readFileSync(lock, "utf8")) as { pid: number }).pid] : [];
  });
  expect(pids.length).toBeGreaterThan(0);
  cluster.failNode(pids);
  await cluster.mendNode();

  expect(await second.ended, `${second.said()}\n${[0, 1, 2, 3].map(log).join("\n")}`).toBe(0);
  expect(second.said()).toMatch(/\d runs are in the queue already/);
  expect(second.said()).not.toContain("submitted");
  expect(second.printed()).toBe(local.printed());
  for (const name of runs) {
    expect(traceOf(join(folder, "runs", name)), name).toEqual(traceOf(join(scratch.path, "local", "runs", name)));
  }
  expect([0, 1, 2, 3].some((task) => log(task).includes("resuming at step"))).toBe(true);
});
