import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { SvanetError } from "../../errors.ts";
import { runPaths } from "../run/run-folder.ts";
import { isLockFile } from "../run/run-lock.ts";
import { collectReport } from "./collect.ts";
import type { ReportData } from "./data.ts";
import { runPagePath } from "./run-page.ts";

/** Milliseconds between two looks at the folders. */
const PERIOD = 1000;
/** Collecting takes a tenth of the time at most. */
const REST = 9;

/** What a follower is told. */
export interface Follower {
  /** The folders changed. */
  changed(data: ReportData): void;
  /** All runs have ended: nothing follows. */
  ended(): void;
}

/**
 * The report of run folders, collected anew whenever a file in them has changed. Watched are sizes and times of files, once a
 * second: that works on every file system, shared ones of a cluster too.
 */
export class LiveReport {
  readonly #folders: readonly string[];
  readonly #note: (text: string) => void;
  readonly #followers = new Set<Follower>();
  #data: ReportData;
  #seen: string;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #said = "";

  private constructor(folders: readonly string[], note: (text: string) => void, seen: string, data: ReportData) {
    this.#folders = folders;
    this.#note = note;
    this.#seen = seen;
    this.#data = data;
  }

  /** Collects the first report. Throws as {@link collectReport}; what fails later is told to `note`, and tried again. */
  static async open(folders: readonly string[], note: (text: string) => void): Promise<LiveReport> {
    const seen = stateOf(folders);
    const live = new LiveReport(folders, note, seen, await collectReport(folders));
    live.#wait(PERIOD);
    return live;
  }

  /** The newest report. */
  get data(): ReportData {
    return this.#data;
  }

  /** Whether every run that was named has made its last step; in the folder of a study further ones may begin at any time. */
  get isOver(): boolean {
    const isAtEnd = ({ step, steps }: ReportData["runs"][number]) => steps !== null && step >= steps;
    return this.#folders.every(isRunFolder) && this.#data.runs.every(isAtEnd);
  }

  /** Tells a follower of every change, until the returned function is called. */
  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #wait(time: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#look(), time);
  }

  async #look(): Promise<void> {
    const began = performance.now();
    const seen = stateOf(this.#folders);
    if (seen !== this.#seen) await this.#collect(seen);
    this.#wait(Math.max(PERIOD, REST * (performance.now() - began)));
  }

  async #collect(seen: string): Promise<void> {
    try {
      this.#data = await collectReport(this.#folders);
      this.#seen = seen;
      for (const follower of this.#followers) follower.changed(this.#data);
      if (this.isOver) for (const follower of this.#followers) follower.ended();
    } catch (error) {
      // A file that is just being written is whole a second later; what stays wrong is said once.
      if (!(error instanceof SvanetError)) throw error;
      if (error.message !== this.#said) this.#note(`not shown: ${error.message}`);
      this.#said = error.message;
    }
  }
}

const isRunFolder = (folder: string): boolean => existsSync(runPaths(folder).config);

/** How deep tables, runs and evaluations lie below a folder that is named: OUT/runs/NAME/eval/FILE. */
const DEPTH = 4;

/** Names, sizes and times of the files below some folders, but for checkpoints, locks and the pages of runs. */
function stateOf(folders: readonly string[]): string {
  return folders.flatMap((folder) => filesOf(folder, DEPTH)).join("\n");
}

function filesOf(folder: string, depth: number): string[] {
  let entries: ReturnType<typeof entriesOf>;
  try {
    entries = entriesOf(folder);
  } catch {
    return []; // removed meanwhile
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return depth > 1 && entry.name !== "checkpoints" ? filesOf(path, depth - 1) : [];
    if (isLockFile(entry.name) || path === runPagePath(folder) || !entry.isFile()) return [];
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats === undefined ? [] : [`${path} ${stats.size} ${stats.mtimeMs}`];
  });
}

const entriesOf = (folder: string) => readdirSync(folder, { withFileTypes: true });
