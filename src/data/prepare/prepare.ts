import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { rename, rmdir, stat } from "node:fs/promises";
import { basename, join, relative, resolve, sep } from "node:path";
import { DataError, UsageError } from "../../errors.ts";
import { replaceFile } from "../../files/atomic.ts";
import { writingSlowly } from "../../files/failure.ts";
import { requireWritableFolder } from "../../files/folder.ts";
import { requireRegularFile } from "../../files/regular.ts";
import type { Rgb } from "../codec/png-read.ts";
import { SPLIT_NAMES, type SplitName } from "../dataset/dataset.ts";
import { readBytes } from "../decode.ts";
import { severalPages } from "../formats/picture.ts";
import { openPicture, sampleType } from "../formats/picture-source.ts";
import { defaultWorkers } from "../thread-pool.ts";
import { classTable, type NamedCount } from "./class-table.ts";
import { appendEntry, type Entry, finishedIn, JOURNAL_NAME, keyOf, openTarget } from "./journal.ts";
import { keepingValues } from "./keep-values.ts";
import { filesOf, type PreparationPlan, type SetKind, type Settings, type Task } from "./plan.ts";
import { datasetYaml } from "./provenance.ts";
import { affordable, failureOf, runAll } from "./run-all.ts";

/** What is to be prepared from where to where. */
export interface PrepareOptions {
  readonly set: SetKind;
  readonly from: string;
  readonly out: string;
  readonly settings: Settings;
  /** Threads; 0 = everything in this one. */
  readonly workers?: number | undefined;
  /** The command as it was given, for dataset.yaml. */
  readonly command: string;
  /** Called before anything is written. */
  readonly onPlan?: (plan: PreparationPlan) => void;
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
  /** What `auto` took the folder for. */
  readonly recognised: string | undefined;
  /** What the masks hold, 255 = ignore included. */
  readonly classes: readonly NamedCount[];
}

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

/**
 * Decides what a preparation will do; writes nothing. Throws as the kind's `plan`, where two raw files would be written under one
 * name, and UsageError for a window that nothing would be seen through and for values that cannot be kept.
 */
export async function planOf({ set, from, settings, workers }: PlanOptions): Promise<PreparationPlan> {
  const planned = await set.plan(resolve(from), settings, workers);
  const plan = settings.keepValues ? { ...planned, tasks: keepingValues(planned.tasks, from) } : planned;
  requireDistinct(plan.tasks);
  await requireWindowUsed(plan.tasks, settings, from);
  return plan;
}

interface PlanOptions {
  readonly set: SetKind;
  readonly from: string;
  readonly settings: Settings;
  readonly workers: number;
}

/** Throws UsageError where a window is asked for and all pictures have 8 bits, which are shown as they are. */
async function requireWindowUsed(tasks: readonly Task[], { window, page }: Settings, from: string): Promise<void> {
  if (window === undefined) return;
  for (const task of tasks) {
    if (task.kind !== "picture") return;
    for (const file of [task.image, ...(task.channels ?? [])]) {
      const source = await openPicture(await readBytes(file), file, { page, several: severalPages });
      if (sampleType(source) !== undefined) return;
    }
  }
  throw new UsageError(
    `--window ${window.low},${window.high}: all pictures in ${from} have 8 bits, which are shown as they are, so that a window changes ` +
      "nothing; leave it out (it is for scans and for pictures of more than 8 bits)",
  );
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

/** Images by split. */
export function countImages(entries: Iterable<Entry>): PrepareSummary["images"] {
  const files = [...entries].flatMap((entry) => entry.files);
  const counts = SPLIT_NAMES.map(
    (split) => [split, files.filter((file) => file.startsWith(`${split}/`)).length] as const,
  );
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
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
  if (!existsSync(join(out, JOURNAL_NAME))) requireWritableFolder(out, `--out ${out}`);
  const workers = options.workers ?? defaultWorkers();
  const plan = await planOf({ set, from, settings, workers });
  options.onPlan?.(plan);
  const files = [...new Set(plan.tasks.flatMap(filesOf))];
  const sizes = new Map<string, number>();
  for (const file of files) sizes.set(file, await sizeOf(file));
  const fingerprint = await fingerprintOf(plan, from, sizes);
  const target = await openTarget(out, fingerprint);
  const { folder } = target;
  const finished = await finishedIn(target, plan.tasks);
  const before = finished.size;
  const pending = plan.tasks.filter((task) => !finished.has(keyOf(task)));
  options.onStart?.(plan.tasks.length, before);
  const failures = await runAll({
    tasks: pending,
    destination: { folder, palette: plan.colours as readonly Rgb[] | undefined },
    workers: affordable(workers, pending, sizes),
    onDone: async (entry) => {
      await appendEntry(folder, entry);
      finished.set(entry.key, entry);
      options.onProgress?.(finished.size);
    },
  });
  if (failures.length > 0) throw failureOf(failures, plan.tasks.length, folder);
  const entries = plan.tasks.flatMap((task) => finished.get(keyOf(task)) ?? []);
  // Names inside the raw folder: where it lies on this machine is nobody's business.
  const notes = entries.flatMap((entry) => entry.notes.map((note) => note.replaceAll(`${from}${sep}`, "")));
  const volumes = entries.flatMap(({ volume }) => volume ?? []);
  if (folder !== resolve(out)) {
    for (const file of plan.kept ?? []) await replaceFile(join(folder, basename(file)), await readBytes(file));
    await replaceFile(join(folder, "dataset.yaml"), datasetYaml(plan, { ...options, fingerprint, notes, volumes }));
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
    recognised: plan.recognised?.sentence,
    classes: classTable(plan, entries),
  };
}
