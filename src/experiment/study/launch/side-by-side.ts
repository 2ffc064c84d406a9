import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, closeSync, openSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { writing } from "../../../files/failure.ts";
import { makeFolder } from "../../../files/folder.ts";
import { runPaths } from "../../run/run-folder.ts";
import type { StudyRun } from "../plan.ts";
import type { Launcher, RunEnd } from "../runner.ts";
import { failureText, lastLines } from "./log-end.ts";
import { shellLine } from "./program.ts";
import { RunProgress, type RunsDisplay } from "./progress.ts";

/** What runs are carried out with, several at a time on this machine. */
export interface SideBySideInput {
  /** Processes at a time. */
  readonly jobs: number;
  /** Which adapter each of them opens, in turn; empty: the one that each finds first. */
  readonly adapters: readonly string[];
  /** The words of the process that carries a run out. */
  readonly command: (run: StudyRun, adapter: string | undefined) => readonly string[];
  readonly display: RunsDisplay;
  /** True once the study is to stop: every process is then asked to save and end. */
  readonly stopped?: (() => boolean) | undefined;
}

/** How often signals and logs are looked at, milliseconds. */
const PAUSE = 200;
/** How often the display is given the rows. */
const SHOWN_EVERY = 5;

/**
 * Runs as processes beside each other. What each prints goes to `job.log` of its run. A run whose process fails is listed with the
 * last lines of that; the others go on.
 */
export function sideBySide(input: SideBySideInput): Launcher {
  return async (runs, ended) => {
    const places = runs.map((run) => ({ run, progress: new RunProgress(run), state: "waiting" }));
    const waiting = [...places];
    const children = new Set<ChildProcess>();
    const isStopping = () => input.stopped?.() === true;
    const next = () => (isStopping() ? undefined : waiting.shift());
    const workOff = async (slot: number) => {
      const adapter = input.adapters[slot % input.adapters.length];
      for (let place = next(); place !== undefined; place = next()) {
        place.state = "running";
        const end = await carry(place.run, input.command(place.run, adapter), { children, isStopping });
        place.state = end.kind;
        ended(place.run, end);
      }
    };
    const work = Promise.all(Array.from({ length: Math.min(input.jobs, runs.length) }, (_, slot) => workOff(slot)));
    const show = () => input.display.show(places.map(({ progress, state }) => progress.row(state)));
    try {
      await watched(work, { children, isStopping, show });
    } finally {
      for (const child of children) child.kill("SIGTERM");
      input.display.stop();
    }
  };
}

/** Exit codes from here on are those of signals, as shells count. */
const SIGNAL_CODES = 128;

interface Work {
  /** The processes of this moment. */
  readonly children: Set<ChildProcess>;
  readonly isStopping: () => boolean;
}

/** Waits for `work`, shows how far it is, and passes the wish to stop on to the children, to each once. */
async function watched(
  work: Promise<unknown>,
  { children, isStopping, show }: Work & { readonly show: () => void },
): Promise<void> {
  let over = false;
  const end = work.finally(() => {
    over = true;
  });
  end.catch(() => undefined); // said by the last line
  const asked = new Set<ChildProcess>();
  for (let turn = 0; !over; turn++) {
    if (turn % SHOWN_EVERY === 0) show();
    if (isStopping()) {
      for (const child of children) {
        if (!asked.has(child)) child.kill("SIGTERM");
        asked.add(child);
      }
    }
    await Promise.race([end, sleep(PAUSE)]);
  }
  show();
  await end;
}

/** Carries a run out in a process of its own. */
async function carry(run: StudyRun, words: readonly string[], { children, isStopping }: Work): Promise<RunEnd> {
  const { jobLog } = runPaths(run.config.out);
  const log = writing(jobLog, () => {
    makeFolder(run.config.out);
    appendFileSync(jobLog, `${new Date().toISOString()} ${shellLine(words)}\n`);
    return openSync(jobLog, "a");
  });
  const from = statSync(jobLog).size;
  try {
    const [program = "", ...args] = words;
    // A group of its own: Ctrl-C at the terminal reaches this process alone, which passes it on once. The channel tells the
    // child when this process is gone.
    const child = spawn(program, args, { stdio: ["ignore", log, log, "ipc"], detached: true });
    children.add(child);
    const { success, how, bySignal } = await ending(child);
    children.delete(child);
    if (success) return { kind: "finished" };
    if (bySignal && isStopping()) return { kind: "stopped" };
    return { kind: "failed", why: failureText(how, jobLog, lastLines(jobLog, from)) };
  } finally {
    closeSync(log);
  }
}

interface Ending {
  readonly success: boolean;
  readonly how: string;
  /** Whether a signal ended it, caught or not. */
  readonly bySignal: boolean;
}

function ending(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once("error", ({ message }) =>
      resolve({ success: false, how: `its process could not be started (${message})`, bySignal: false }),
    );
    child.once("exit", (code, signal) => {
      const how = signal === null ? `its process ended with exit code ${code}` : `its process was ended by ${signal}`;
      resolve({ success: code === 0, how, bySignal: signal !== null || (code ?? 0) >= SIGNAL_CODES });
    });
  });
}
