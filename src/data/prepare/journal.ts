import { appendFile, readFile, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { writingSlowly } from "../../files/failure.ts";
import { makeFolder } from "../../files/folder.ts";
import { requireFree } from "../../files/new-folder.ts";
import { requireRegularFile } from "../../files/regular.ts";
import type { Task } from "./plan.ts";

/** Name of the journal in a folder that is being prepared. */
export const JOURNAL_NAME = ".prepare.jsonl";

/** A path within the folder: a journal from elsewhere must not vouch for other files of this machine. */
const inner = z.string().refine((path) => path !== "" && !/^([/\\]|[a-z]:)|(^|[/\\])\.\.([/\\]|$)|\0/i.test(path));

const entrySchema = z.object({
  key: z.string(),
  files: z.array(inner).readonly(),
  notes: z.array(z.string()).readonly(),
  classes: z.array(z.object({ label: z.number(), pixels: z.number(), images: z.number() })).readonly(),
  volume: z
    .object({
      name: z.string(),
      spacing: z.tuple([z.number(), z.number(), z.number()]).readonly().optional(),
    })
    .optional(),
});

/** One line of the journal: a finished task. The first line holds the fingerprint. */
export type Entry = z.infer<typeof entrySchema>;

interface Journal {
  readonly fingerprint: string;
  /** By key. */
  readonly entries: ReadonlyMap<string, Entry>;
}

const headSchema = z.object({ fingerprint: z.string() });

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // such as the last line of a process that died while writing it
  }
}

/**
 * What is finished in `folder`; undefined where no journal is. Lines that are no entries count for nothing: their tasks are
 * carried out again. Throws DataError where something stands there that is no file.
 */
export async function readJournal(folder: string): Promise<Journal | undefined> {
  const file = join(folder, JOURNAL_NAME);
  requireRegularFile(file);
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const [head, ...lines] = text.split("\n").map(parsed);
  const entries = lines.flatMap((line) => entrySchema.safeParse(line).data ?? []);
  return {
    fingerprint: headSchema.safeParse(head).data?.fingerprint ?? "",
    entries: new Map(entries.map((entry) => [entry.key, entry])),
  };
}

/** The name of a task in the journal. */
export const keyOf = ({ split, stem }: Task): string => `${split}/${stem}`;

interface Target {
  readonly folder: string;
  readonly journal: Journal;
}

/** Where to write, and what is finished there. Throws DataError where another preparation or anything else is in the way. */
export async function openTarget(out: string, fingerprint: string): Promise<Target> {
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

/** Adds a finished task to the journal in `folder`. */
export async function appendEntry(folder: string, entry: Entry): Promise<void> {
  const line = `${JSON.stringify(entry)}\n`;
  await writingSlowly(folder, () => appendFile(join(folder, JOURNAL_NAME), line));
}

/** Those of `tasks` whose files the journal names and the folder holds, by their keys. */
export async function finishedIn(target: Target, tasks: readonly Task[]): Promise<Map<string, Entry>> {
  const finished = new Map<string, Entry>();
  for (const task of tasks) {
    const entry = target.journal.entries.get(keyOf(task));
    if (entry !== undefined && (await isComplete(target.folder, entry))) finished.set(entry.key, entry);
  }
  return finished;
}
