import { totalmem } from "node:os";
import { DataError, OutputError, SvanetError } from "../../errors.ts";
import { ThreadPool, threadProgram } from "../thread-pool.ts";
import { type Entry, keyOf } from "./journal.ts";
import { type Destination, filesOf, type Task } from "./plan.ts";
import { runTask } from "./run-task.ts";

/** Gzip and npz unpack to about this many times their size. */
const UNPACKED = 4;

/** As many threads as asked for, fewer where the largest volumes together would fill more than half of the memory. */
export function affordable(workers: number, tasks: readonly Task[], sizes: ReadonlyMap<string, number>): number {
  const volumes = tasks.filter(({ kind }) => kind === "volume" || kind === "series");
  const largest = Math.max(
    1,
    ...volumes.map((task) => filesOf(task).reduce((sum, file) => sum + (sizes.get(file) ?? 0), 0)),
  );
  return Math.max(Math.min(1, workers), Math.min(workers, Math.floor(totalmem() / 2 / (largest * UNPACKED))));
}

interface Run {
  readonly tasks: readonly Task[];
  readonly destination: Destination;
  readonly workers: number;
  readonly onDone: (entry: Entry) => Promise<void>;
}

/** Carries out tasks, one that fails does not stop the others unless nothing more can be written; gives the failures. */
export async function runAll({ tasks, destination, workers, onDone }: Run): Promise<readonly Error[]> {
  const failures: Error[] = [];
  const work = {
    here: runTask,
    entry: threadProgram(import.meta.url, "task-worker"),
    fileOf: ({ task }: { task: Task }) => filesOf(task)[0] ?? task.stem,
  };
  const pool = new ThreadPool(work, Math.min(workers, tasks.length));
  const queue = [...tasks];
  const next = async (): Promise<void> => {
    for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
      try {
        await onDone({ key: keyOf(task), ...(await pool.run({ task, destination })) });
      } catch (error) {
        failures.push(error instanceof Error ? error : new Error(String(error)));
        if (error instanceof OutputError) queue.length = 0;
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.max(1, workers) }, next));
  } finally {
    await pool.close();
  }
  return failures;
}

/** Failures a person can mend, in one message; a fault of ours keeps its stack. `folder`: where what is finished lies. */
export function failureOf(failures: readonly Error[], total: number, folder: string | undefined): Error {
  const bug = failures.find((failure) => !(failure instanceof SvanetError));
  if (bug !== undefined) return bug;
  const unwritten = failures.find((failure) => failure instanceof OutputError);
  if (unwritten !== undefined) {
    return new OutputError(
      `${unwritten.message}. What is finished is kept in ${folder}, the same command goes on from there`,
    );
  }
  const shown = failures.slice(0, 10).map(({ message }) => `\n  ${message}`);
  const more = failures.length > shown.length ? `\n  and ${failures.length - shown.length} more` : "";
  const kept =
    folder === undefined ? "" : `; what is finished is kept in ${folder}, the same command goes on from there`;
  return new DataError(`${failures.length} of ${total} raw items failed${kept}:${shown.join("")}${more}`);
}
