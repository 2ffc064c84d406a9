import { createHash } from "node:crypto";
import { appendFile, rename, rmdir, stat, writeFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { join, relative, resolve, sep } from "node:path";
import { stringify } from "yaml";
import { DataError, OutputError, SvanetError } from "../../errors.ts";
import { replaceFile } from "../../files/atomic.ts";
import { writingSlowly } from "../../files/failure.ts";
import { makeFolder, requireWritableFolder } from "../../files/folder.ts";
import { requireFree } from "../../files/new-folder.ts";
import { requireRegularFile } from "../../files/regular.ts";
import { packageInfo } from "../../package-info.ts";
import type { Rgb } from "../codec/png.ts";
import type { SplitName } from "../dataset/dataset.ts";
import type { Window } from "../formats/window.ts";
import { readingText } from "../masks/parse-reading.ts";
import { defaultWorkers, ThreadPool, threadProgram } from "../thread-pool.ts";
import { type Entry, JOURNAL_NAME, type Journal, readJournal } from "./journal.ts";
import { type Destination, filesOf, type PreparationPlan, type SetKind, type Settings, type Task } from "./plan.ts";
import { runTask } from "./run-task.ts";

interface PrepareOptions {
  readonly set: SetKind;
  readonly from: string;
  readonly out: string;
  readonly settings: Settings;
  /** Threads; 0 = everything in this one. */
  readonly workers?: number | undefined;
  /** The command as it was given, for dataset.yaml. */
  readonly command: string;
  readonly onStart?: (total: number, done: number) => void;
  readonly onProgress?: (done: number) => void;
}

export interface PrepareSummary {
  readonly out: string;
  readonly name: string;
  /** Images by split. */
  readonly images: Readonly<Partial<Record<SplitName, number>>>;
  /** Raw items carried out now, and found finished. */
  readonly done: number;
  readonly finishedBefore: number;
  readonly notes: readonly string[];
}

const keyOf = ({ split, stem }: Task) => `${split}/${stem}`;

async function sizeOf(file: string): Promise<number> {
  requireRegularFile(file);
  try {
    return (await stat(file)).size;
  } catch (error) {
    throw new DataError(`${file}: cannot be read (${error instanceof Error ? error.message : String(error)})`);
  }
}

/** Changes whenever tasks, settings or sizes of raw files do; where the raw folder lies does not matter. */
async function fingerprintOf(plan: PreparationPlan, from: string, sizes: ReadonlyMap<string, number>): Promise<string> {
  const withoutFolder = (_: string, value: unknown) =>
    typeof value === "string" && value.startsWith(from) ? relative(from, value).split(sep).join("/") : value;
  const text = JSON.stringify([plan.tasks, plan.classes, [...sizes.values()]], withoutFolder);
  return createHash("sha256").update(text).digest("hex");
}

/** Where to write, and what is finished there. */
async function openTarget(out: string, fingerprint: string): Promise<{ folder: string; journal: Journal }> {
  const partial = `${resolve(out)}.partial`;
  for (const folder of [resolve(out), partial]) {
    const journal = await readJournal(folder);
    if (journal === undefined) continue;
    if (journal.fingerprint === fingerprint) return { folder, journal };
    throw new DataError(
      `${folder}: was prepared from other raw files or with other settings; name a new folder with --out, or remove this one`,
    );
  }
  await requireFree(out);
  await requireFree(partial);
  makeFolder(partial);
  const first = `${JSON.stringify({ fingerprint })}\n`;
  await writingSlowly(partial, () => writeFile(join(partial, JOURNAL_NAME), first));
  return { folder: partial, journal: { fingerprint, entries: new Map() } };
}

async function isComplete(folder: string, { files }: Entry): Promise<boolean> {
  const found = await Promise.all(
    files.map((file) =>
      stat(join(folder, file)).then(
        ({ size }) => size > 0,
        () => false,
      ),
    ),
  );
  return found.every(Boolean);
}

/** Two raw files that would be written under one name would silently become one. */
function requireDistinct(tasks: readonly Task[]): void {
  const seen = new Map<string, Task>();
  for (const task of tasks) {
    const other = seen.get(task.stem);
    if (other !== undefined) {
      throw new DataError(
        `${filesOf(other)[0]} and ${filesOf(task)[0]} would both be written as ${task.stem}; rename one`,
      );
    }
    seen.set(task.stem, task);
  }
}

function requireApart(from: string, out: string): void {
  const inside = (folder: string, other: string) => `${other}${sep}`.startsWith(`${folder}${sep}`);
  if (inside(resolve(from), resolve(out)) || inside(resolve(out), resolve(from))) {
    throw new DataError(`${out}: lies inside ${from} or around it; raw files stay untouched, name a folder elsewhere`);
  }
}

/** Gzip and npz unpack to about this many times their size. */
const UNPACKED = 4;

/** As many threads as asked for, fewer where the largest volumes together would fill more than half of the memory. */
function affordable(workers: number, tasks: readonly Task[], sizes: ReadonlyMap<string, number>): number {
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
async function runAll({ tasks, destination, workers, onDone }: Run): Promise<readonly Error[]> {
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

/** Failures a person can mend, in one message; a fault of ours keeps its stack. */
function failureOf(failures: readonly Error[], total: number, folder: string): Error {
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
  return new DataError(
    `${failures.length} of ${total} raw items failed; what is finished is kept in ${folder}, the same command goes on from there:` +
      shown.join("") +
      more,
  );
}

/** Pictures that are copied are seen through a window later, when they are read. */
const isCopied = (task: Task) => task.kind === "picture" && task.page === undefined;

/** The window that every image was drawn through; undefined where there is none, or each scan has its own. */
function commonWindow(tasks: readonly Task[]): Window | undefined {
  const [first, ...others] = tasks.map((task) => ("window" in task && !isCopied(task) ? task.window : undefined));
  return others.every((other) => other?.low === first?.low && other?.high === first?.high) ? first : undefined;
}

function yamlOf(
  plan: PreparationPlan,
  { set, settings, command }: PrepareOptions,
  notes: readonly string[],
  fingerprint: string,
): string {
  const { name, classes, colours, modality, licence, source } = plan;
  const { window, reading, ...rest } = settings;
  const common = commonWindow(plan.tasks);
  const provenance = {
    ...{ set: set.name, source, command, program: `svanet ${packageInfo().version}`, fingerprint },
    settings: {
      ...rest,
      window: window === undefined ? "the set's own" : [window.low, window.high],
      ...(reading ? { masks: readingText(reading) } : {}),
    },
    ...(common ? { window: { low: common.low, high: common.high } } : {}),
    how: plan.notes,
    ...(notes.length > 0 ? { notes } : {}),
  };
  const copied = plan.tasks.find(isCopied);
  const later = copied?.kind === "picture" ? copied.window : undefined;
  return stringify({
    name,
    ...(later ? { window: { low: later.low, high: later.high } } : {}),
    ...(classes ? { classes } : {}),
    ...(colours ? { colours } : {}),
    modality,
    licence,
    provenance,
  });
}

function countImages(entries: Iterable<Entry>): PrepareSummary["images"] {
  const images: Partial<Record<SplitName, number>> = {};
  for (const { files } of entries) {
    for (const file of files) {
      const [part] = file.split("/");
      if (part === "train" || part === "val" || part === "test") images[part] = (images[part] ?? 0) + 1;
    }
  }
  return images;
}

/**
 * Prepares a dataset folder from a raw download: planned first, carried out in threads, resumable, the raw files only
 * read. Until everything is written it is called `<out>.partial`; the same command then goes on where an interrupted
 * one stopped, and does nothing where all is there. Throws DataError for a raw folder of another kind, for damaged
 * files (all others are finished first) and for a folder prepared differently.
 */
export async function prepare(options: PrepareOptions): Promise<PrepareSummary> {
  const { set, settings, out } = options;
  const from = resolve(options.from);
  requireApart(from, out);
  if ((await readJournal(out)) === undefined) requireWritableFolder(out, `--out ${out}`);
  const workers = options.workers ?? defaultWorkers();
  const plan = await set.plan(from, settings, workers);
  requireDistinct(plan.tasks);
  const files = [...new Set(plan.tasks.flatMap(filesOf))];
  const sizes = new Map<string, number>();
  for (const file of files) sizes.set(file, await sizeOf(file));
  const fingerprint = await fingerprintOf(plan, from, sizes);
  const { folder, journal } = await openTarget(out, fingerprint);

  const finished = new Map<string, Entry>();
  for (const task of plan.tasks) {
    const entry = journal.entries.get(keyOf(task));
    if (entry !== undefined && (await isComplete(folder, entry))) finished.set(entry.key, entry);
  }
  const before = finished.size;
  const pending = plan.tasks.filter((task) => !finished.has(keyOf(task)));
  options.onStart?.(plan.tasks.length, before);
  const failures = await runAll({
    tasks: pending,
    destination: { folder, palette: plan.colours as readonly Rgb[] | undefined },
    workers: affordable(workers, pending, sizes),
    onDone: async (entry) => {
      const line = `${JSON.stringify(entry)}\n`;
      await writingSlowly(folder, () => appendFile(join(folder, JOURNAL_NAME), line));
      finished.set(entry.key, entry);
      options.onProgress?.(finished.size);
    },
  });
  if (failures.length > 0) throw failureOf(failures, plan.tasks.length, folder);
  const entries = plan.tasks.flatMap((task) => finished.get(keyOf(task)) ?? []);
  // Names inside the raw folder: where it lies on this machine is nobody's business.
  const notes = entries.flatMap((entry) => entry.notes.map((note) => note.replaceAll(`${from}${sep}`, "")));
  if (folder !== resolve(out)) {
    await replaceFile(join(folder, "dataset.yaml"), yamlOf(plan, options, notes, fingerprint));
    await rmdir(out).catch(() => undefined); // an empty folder of that name
    await writingSlowly(out, () => rename(folder, out));
  }
  return {
    out,
    name: plan.name,
    images: countImages(entries),
    done: pending.length,
    finishedBefore: before,
    notes: [...plan.notes, ...notes],
  };
}
