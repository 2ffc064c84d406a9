import { chmodSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SvanetError } from "../../../../errors.ts";
import { writeFileAtomic } from "../../../../files/atomic.ts";
import { makeInnerFolder } from "../../../../files/folder.ts";
import type { StudyRun } from "../../plan.ts";
import type { Launcher, RunEnd, RunState } from "../../runner.ts";
import { failureText, lastLines } from "../log-end.ts";
import { RunProgress, type RunsDisplay } from "../progress.ts";
import { type Ask, askSlurm, endOf, isEnded, type Task, type TaskState, tasksOf } from "./queue.ts";
import { jobScript } from "./script.ts";
import type { SlurmSettings } from "./settings.ts";
import { addSubmission, readSubmissions, slurmFolder } from "./submissions.ts";

/** What a cluster carries runs out with. */
export interface SlurmInput {
  readonly settings: SlurmSettings;
  /** The study's folder, which every node sees. */
  readonly study: string;
  /** The run file of a run. */
  readonly fileOf: (run: StudyRun) => string;
  /** The words that carry out the run of a file. */
  readonly command: (file: string) => readonly string[];
  /** Looks at a run's folder. */
  readonly stateOf: (run: StudyRun) => Promise<RunState>;
  readonly display: RunsDisplay;
  readonly note: (text: string) => void;
  /** True once this process is to end; the jobs go on. */
  readonly stopped?: (() => boolean) | undefined;
  /** Asks Slurm's programs; those of this machine unless given. */
  readonly ask?: Ask;
}

/** A run with the task that carries it out. */
interface Place {
  readonly run: StudyRun;
  readonly task: Task;
  readonly progress: RunProgress;
  state: string;
  /** Looks in a row at which the task had ended and its run had not: a shared disk shows files late, and Slurm a requeued task. */
  doubts: number;
}

/** So many such looks are believed. */
const MOST_DOUBTS = 3;

/**
 * Runs as tasks of a Slurm job array. A run that has a task in the queue already, from an earlier call, is watched, not submitted
 * again. Ends when all are at their end, or when it is to stop, which the tasks do not notice. SvanetError where sbatch refuses.
 */
export function onSlurm(input: SlurmInput): Launcher {
  const { ask = askSlurm, display, note } = input;
  return async (runs, ended) => {
    if (runs.length === 0) return;
    const known = await queuedTasks(ask, input, runs);
    if (known.size > 0) note(`${known.size} runs are in the queue already (job ${jobsOf([...known.values()])})`);
    const missing = runs.filter((run) => !known.has(run));
    const added = missing.length === 0 ? [] : await submit(ask, input, missing);
    const places = [...known, ...added].map(
      ([run, task]): Place => ({ run, task, progress: new RunProgress(run), state: "submitted", doubts: 0 }),
    );
    try {
      if (await watched(ask, input, places, ended)) return;
    } finally {
      display.stop();
    }
    const jobs = jobsOf(places.map(({ task }) => task));
    note(`the jobs go on without this command: the same command watches them again, scancel ${jobs} ends them`);
  };
}

/** Looks at the tasks until all of them are at their end: true then, false where this process is to stop before. */
async function watched(
  ask: Ask,
  input: SlurmInput,
  places: readonly Place[],
  ended: Parameters<Launcher>[1],
): Promise<boolean> {
  for (let left = places; ; ) {
    const open: Place[] = [];
    const queue = await queueOf(ask, left);
    for (const place of left) {
      const end = await look(ask, input, place, queue?.get(place.task.job));
      if (end === undefined) open.push(place);
      else ended(place.run, end);
    }
    left = open;
    input.display.show(places.map(({ progress, state }) => progress.row(state)));
    if (left.length === 0) return true;
    if (await stoppedWithin(input.settings.poll, input.stopped)) return false;
  }
}

const jobsOf = (tasks: readonly Task[]): string => [...new Set(tasks.map(({ job }) => job))].join(" ");

/** Waits for some seconds; true as soon as this process is to stop. */
async function stoppedWithin(seconds: number, stopped: (() => boolean) | undefined): Promise<boolean> {
  for (const until = performance.now() + 1000 * seconds; performance.now() < until; ) {
    if (stopped?.()) return true;
    await sleep(Math.min(200, 1000 * seconds));
  }
  return stopped?.() === true;
}

/** The runs that have a task which is not at its end. */
async function queuedTasks(ask: Ask, { study, fileOf }: SlurmInput, runs: readonly StudyRun[]) {
  const found = new Map<StudyRun, Task>();
  for (const { job, files } of readSubmissions(study)) {
    const tasks = await tasksOf(ask, job);
    if (tasks === null) throw new SvanetError(`squeue does not answer for job ${job}: try again when Slurm does`);
    for (const run of runs) {
      const index = files.indexOf(fileOf(run));
      const state = tasks.get(index);
      if (state !== undefined && !isEnded(state)) found.set(run, { job, index });
    }
  }
  return found;
}

/** Submits an array of these runs. */
async function submit(ask: Ask, input: SlurmInput, runs: readonly StudyRun[]): Promise<(readonly [StudyRun, Task])[]> {
  const { settings, study, fileOf, command, note } = input;
  const folder = slurmFolder(study);
  makeInnerFolder(folder);
  const earlier = readSubmissions(study).length;
  const script = join(folder, `job-${earlier + 1}.sh`);
  const files = runs.map(fileOf);
  writeFileAtomic(script, jobScript({ settings, commands: files.map(command), again: earlier > 0 }));
  chmodSync(script, 0o755);
  const limit = settings.limit === undefined ? "" : `%${settings.limit}`;
  const { code, stdout, stderr } = await ask("sbatch", [
    "--parsable",
    "--job-name=svanet",
    `--chdir=${process.cwd()}`,
    `--output=${logPattern(folder)}`,
    `--array=0-${runs.length - 1}${limit}`,
    script,
  ]);
  const [job = ""] = stdout.trim().split(";");
  if (code !== 0 || !/^\d+$/.test(job)) {
    throw new SvanetError(
      `sbatch refused ${script}: ${(stderr.trim() || stdout.trim()).replace(/^sbatch: (error: )?/, "")}`,
    );
  }
  addSubmission(study, { job, files });
  note(`submitted: job ${job}, ${runs.length} tasks (${script})`);
  return runs.map((run, index) => [run, { job, index }] as const);
}

/** In a name of sbatch `%` begins a place holder, and a backslash would forbid all of them. */
const logPattern = (folder: string): string => join(folder.replaceAll("%", "%%"), "%A-%a.log");

/** What a task prints. */
const logOf = (study: string, { job, index }: Task): string => join(slurmFolder(study), `${job}-${index}.log`);

/** The tasks of the jobs that are left; null where Slurm does not answer. */
async function queueOf(ask: Ask, places: readonly Place[]) {
  const found = new Map<string, ReadonlyMap<number, TaskState>>();
  for (const job of new Set(places.map(({ task }) => task.job))) {
    const tasks = await tasksOf(ask, job);
    if (tasks === null) return null;
    found.set(job, tasks);
  }
  return found;
}

/** Looks at a run and its task: its end, or undefined while there is none. */
async function look(
  ask: Ask,
  { study, stateOf }: SlurmInput,
  place: Place,
  tasks: ReadonlyMap<number, TaskState> | undefined,
): Promise<RunEnd | undefined> {
  if (tasks === undefined) {
    place.state = "unknown: Slurm does not answer";
    return undefined;
  }
  const task = tasks.get(place.task.index);
  if (task !== undefined && !isEnded(task)) {
    place.state = `${task.state.toLowerCase()} ${task.place}`.trim();
    place.doubts = 0;
    if (task.state !== "RUNNING") place.progress.rest();
    return undefined;
  }
  if ((await stateOf(place.run)) === "finished") {
    place.state = "finished";
    return { kind: "finished" };
  }
  if (++place.doubts < MOST_DOUBTS) return undefined;
  const state = task?.state ?? (await endOf(ask, place.task)) ?? "ended, and Slurm does not say how";
  place.state = "failed";
  const log = logOf(study, place.task);
  const ending = `its task ${place.task.job}_${place.task.index} ended without finishing it (${state})`;
  return { kind: "failed", why: failureText(ending, log, lastLines(log)) };
}
