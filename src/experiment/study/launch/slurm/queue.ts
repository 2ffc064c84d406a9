import { execFile } from "node:child_process";
import { SvanetError } from "../../../../errors.ts";

/** What a program of Slurm answered. */
export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Asks a program of Slurm. UsageError-like failures are its exit code; a program that is missing is thrown as ENOENT. */
export type Ask = (program: string, args: readonly string[]) => Promise<Answer>;

/** Runs the programs of Slurm as the shell would find them. SvanetError where one is not there. */
export const askSlurm: Ask = (program, args) =>
  new Promise((resolve, reject) => {
    execFile(program, [...args], { encoding: "utf8", maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (code === "ENOENT") reject(new MissingProgramError(program));
      else resolve({ code: typeof code === "number" ? code : 1, stdout, stderr });
    });
  });

/** A program of Slurm that is not on this machine. */
export class MissingProgramError extends SvanetError {
  override readonly exitCode = 2;

  constructor(program: string) {
    super(
      `--launcher slurm: there is no ${program} on this machine: run the command where jobs are submitted (a login node), ` +
        "or use --launcher print and another scheduler",
    );
  }
}

/** A task of a job array. */
export interface Task {
  readonly job: string;
  readonly index: number;
}

/** What Slurm says of a task: its state, such as `RUNNING`, and why it waits or where it runs. */
export interface TaskState {
  readonly state: string;
  readonly place: string;
}

/** States after which a task does nothing any more; every other one is that of a task which waits, works or ends. */
const ENDED: ReadonlySet<string> = new Set([
  ...["BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL"],
  ...["OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"],
]);

/** Whether a task has come to an end in this state. */
export const isEnded = ({ state }: TaskState): boolean => ENDED.has(state);

/**
 * The tasks of a job that Slurm still remembers, by their index: those in the queue, and for some minutes those that ended. Null
 * where Slurm does not answer at present, which passes.
 */
export async function tasksOf(ask: Ask, job: string): Promise<ReadonlyMap<number, TaskState> | null> {
  const args = ["--noheader", "--array", "--states=all", `--jobs=${job}`, "--format=%K|%T|%R"];
  const { code, stdout, stderr } = await ask("squeue", args);
  if (code !== 0) return /invalid job id/i.test(stderr) ? new Map() : null;
  const found = new Map<number, TaskState>();
  for (const row of stdout.split("\n")) {
    const [index = "", state = "", place = ""] = row.trim().split("|");
    if (/^\d+$/.test(index)) found.set(Number(index), { state, place });
  }
  return found;
}

/** How a task ended, by the cluster's accounts; undefined where it keeps none, or does not know. */
export async function endOf(ask: Ask, { job, index }: Task): Promise<string | undefined> {
  const args = ["--noheader", "--parsable2", "--allocations", `--jobs=${job}_${index}`, "--format=State"];
  const answer = await ask("sacct", args).catch(() => undefined);
  const state = answer?.code === 0 ? answer.stdout.trim().split("\n").at(-1)?.split(" ")[0] : undefined;
  return state === "" ? undefined : state;
}
