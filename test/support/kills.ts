import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate as breath, setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runPaths } from "../../src/experiment/run/run-folder.ts";
import { type Random, random } from "../../src/kernels/random.ts";
import { traceOf } from "./training.ts";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** When a process is killed: after a time from its start, after some steps, or while a checkpoint is being written. */
type Moment = "time" | "step" | "write";
const MOMENTS: readonly Moment[] = ["write", "step", "write", "time"];

interface KilledRun {
  /** Kills by moment. */
  readonly killed: Readonly<Record<Moment, number>>;
  /** Kills after which a half-written file lay in the folder. */
  readonly torn: number;
  /** Exit code of the process that was left alone in the end. */
  readonly code: number | null;
}

interface KillOptions {
  readonly kills: number;
  /** Decides the moments. */
  readonly seed: number;
}

/** Steps a process makes at most before it is killed. */
const STEPS_A_KILL = 4;

/**
 * Trains one run in processes that are killed and another that is left alone, both in `folder`, and gives what each
 * leaves; equal if a kill at any moment loses nothing.
 */
export async function killedAndUnbroken(folder: string, data: string, options: KillOptions) {
  const steps = STEPS_A_KILL * options.kills + 8;
  const outOf = (name: string) => join(folder, name);
  const flagsOf = (name: string) => {
    const network = { ablation: "t4-svattn", encoder: "mini", width: 4, size: 32 };
    const run = { "batch-size": 4, lr: 1e-3, steps, "checkpoint-every": 1, "eval-every": 2, workers: 1 };
    const flags = { data, out: outOf(name), ...network, ...run, resume: "auto" };
    return Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  };
  const result = await trainKilled(outOf("killed"), flagsOf("killed"), options);
  await finish(flagsOf("unbroken"));
  return { ...result, trace: traceOf(outOf("killed")), unbroken: traceOf(outOf("unbroken")) };
}

/**
 * Trains in processes that are killed (SIGKILL, which nobody can catch) one after another at drawn moments, half of them
 * inside the writing of a checkpoint, and lets the last one finish.
 */
async function trainKilled(out: string, flags: readonly string[], { kills, seed }: KillOptions): Promise<KilledRun> {
  const killed = { time: 0, step: 0, write: 0 };
  let torn = 0;
  for (let kill = 0; kill < kills; kill++) {
    const walk = random(seed, "kill", kill);
    const moment = MOMENTS[kill % MOMENTS.length] ?? "time";
    const child = spawn(process.execPath, [main, "train", ...flags], { stdio: ["ignore", "ignore", "pipe"] });
    const said = textOf(child);
    const gone = new Promise((resolve) => child.once("exit", resolve));
    await waitFor(moment, out, child, walk);
    if (child.exitCode !== null) throw new Error(`kill ${kill} (${moment}) found the process at its end: ${said()}`);
    child.kill("SIGKILL");
    await gone;
    killed[moment]++;
    if (temporaryFiles(out).length > 0) torn++;
  }
  return { killed, torn, code: await finish(flags) };
}

async function finish(flags: readonly string[]): Promise<number | null> {
  const child = spawn(process.execPath, [main, "train", ...flags], { stdio: "ignore" });
  return new Promise((resolve) => child.once("exit", resolve));
}

function textOf(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.on("data", (part) => {
    text += part;
  });
  return () => text.slice(-500);
}

async function waitFor(moment: Moment, out: string, child: ChildProcess, walk: Random): Promise<void> {
  if (moment === "time") return sleep(200 + walk.integer(2000));
  const inside = moment === "write";
  const begun = stepsIn(out);
  const wanted = begun + 1 + walk.integer(STEPS_A_KILL - 1);
  while (child.exitCode === null && stepsIn(out) < wanted) await sleep(5);
  while (inside && child.exitCode === null && temporaryFiles(out).length === 0) await breath();
}

/** Files of a run folder that are being written, or were. */
function temporaryFiles(out: string): string[] {
  const folder = dirname(runPaths(out).last);
  return existsSync(folder) ? readdirSync(folder).filter((name) => /\.(partial|tmp)$/.test(name)) : [];
}

function stepsIn(out: string): number {
  const { metrics } = runPaths(out);
  if (!existsSync(metrics)) return 0;
  return readFileSync(metrics, "utf8").split('"kind":"train"').length - 1;
}
