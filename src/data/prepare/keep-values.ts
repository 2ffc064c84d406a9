import { UsageError } from "../../errors.ts";
import type { Window } from "../formats/window.ts";
import type { SeriesTask, Task, VolumeTask } from "./plan.ts";

type ScanTask = VolumeTask | SeriesTask;

const isScan = (task: Task): task is ScanTask => task.kind === "volume" || task.kind === "series";

/** The window that a scan's values are to be seen through when they are read, where one is known. */
function windowOf(task: ScanTask): Window | undefined {
  return task.window ?? (task.kind === "volume" ? task.channels?.[0]?.window : undefined);
}

/** The window of scans whose values are kept; undefined where none are. */
export function keptWindow(tasks: readonly Task[]): Window | undefined {
  const first = tasks.find((task) => isScan(task) && task.keepValues === true);
  return first !== undefined && isScan(first) ? windowOf(first) : undefined;
}

/**
 * Tasks whose slices keep their values, to be seen through their window when they are read. Throws UsageError where there are
 * no scans, where they have several channels, or where no window is the same for all: slices are read one by one, and each would choose
 * percentiles of its own.
 */
export function keepingValues(tasks: readonly Task[], from: string): Task[] {
  const scans = tasks.filter(isScan);
  if (scans.length < tasks.length || scans.length === 0) {
    throw new UsageError(`--keep-values: ${from} holds pictures, which keep their values in any case; leave it out`);
  }
  if (scans.some((task) => task.kind === "volume" && (task.channels?.length ?? 1) > 1)) {
    throw new UsageError("--keep-values: several channels become the colours of a picture; choose one with --channels");
  }
  const windows = new Set(scans.map((task) => JSON.stringify(windowOf(task) ?? null)));
  if (windows.size > 1 || windows.has("null")) {
    throw new UsageError(
      "--keep-values: say with --window LOW,HIGH what the slices are seen through; each would choose percentiles of its own, " +
        "while predict sees whole volumes",
    );
  }
  return scans.map((task) => ({ ...task, keepValues: true }));
}
