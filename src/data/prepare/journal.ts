import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { requireRegularFile } from "../../files/regular.ts";

/** Name of the journal in a folder that is being prepared. */
export const JOURNAL_NAME = ".prepare.jsonl";

/** A path within the folder: a journal from elsewhere must not vouch for other files of this machine. */
const inner = z.string().refine((path) => path !== "" && !/^([/\\]|[a-z]:)|(^|[/\\])\.\.([/\\]|$)|\0/i.test(path));

const entrySchema = z.object({
  key: z.string(),
  files: z.array(inner).readonly(),
  notes: z.array(z.string()).readonly(),
});

/** One line of the journal: a finished task. The first line holds the fingerprint. */
export type Entry = z.infer<typeof entrySchema>;

export interface Journal {
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
