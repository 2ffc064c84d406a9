import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { replaceFile } from "../../files/atomic.ts";
import { makeFolder } from "../../files/folder.ts";
import { requireInside, requireRegularFile } from "../../files/regular.ts";
import { type FactsAnswer, type FactsTask, type FileFacts, fileFacts, holdFor, type Reading } from "./file-facts.ts";

/** Raised whenever facts or decoding change, so that older indexes are made anew. */
export const INDEX_VERSION = 7;

const entry = z.object({
  size: z.number(),
  /** Of its last change of content, milliseconds. */
  time: z.number(),
  /** Of its last change of any kind: a file that was put in another's place with its time has a new one. */
  changed: z.number(),
  sha256: z.string(),
  facts: fileFacts,
});
type Entry = z.infer<typeof entry>;

const indexSchema = z.object({ version: z.literal(INDEX_VERSION), files: z.record(z.string(), entry) });

type FactsOf<K extends FileFacts["kind"]> = Extract<FileFacts, { readonly kind: K }>;

/** How a file is read: here or in a thread. Rejects with DataError for damaged content. */
export type FactsReader = (task: FactsTask) => Promise<FactsAnswer>;

/** The place for a dataset's index when the caller names none: the user's cache folder, one file a dataset. */
export function defaultIndexFile(folder: string): string {
  const fallback = homedir() === "" ? tmpdir() : join(homedir(), ".cache");
  const cache = process.env["XDG_CACHE_HOME"] || fallback;
  const key = createHash("sha256").update(resolve(folder)).digest("hex").slice(0, 16);
  return join(cache, "svanet", "datasets", `${basename(resolve(folder))}-${key}.json`);
}

/**
 * What was learnt about each file by decoding it once. A second start reads no pixel: equal size and times count as
 * equal content; where only a time differs (a copy, a checkout) the hash decides.
 */
export class FileIndex {
  /** Files decoded since the index was opened; 0 = everything was known. */
  decoded = 0;
  #changed = false;
  readonly #file: string;
  readonly #folder: string;
  readonly #entries: Map<string, Entry>;
  /** Names in the folder of the files asked for, each with the SHA-256 of its content now. */
  readonly hashes = new Map<string, string>();

  private constructor(file: string, folder: string, entries: Map<string, Entry>) {
    this.#file = file;
    this.#folder = folder;
    this.#entries = entries;
  }

  /** Opens the index of dataset `folder`; a missing, foreign or damaged index file counts as empty. */
  static async open(file: string, folder: string): Promise<FileIndex> {
    let entries = new Map<string, Entry>();
    requireRegularFile(file);
    try {
      const { files } = indexSchema.parse(JSON.parse(await readFile(file, "utf8")));
      entries = new Map(Object.entries(files));
    } catch {
      // Only a shortcut: without it every file is decoded again.
    }
    return new FileIndex(file, folder, entries);
  }

  /**
   * The facts about `file`, and the files of its further channels, from the index where size and time or hash agree and, of an image that is no bytes, what it is
   * shown through; else by `read`.
   */
  async facts<K extends FileFacts["kind"]>(
    file: string,
    kind: K,
    read: FactsReader,
    reading: Reading = {},
  ): Promise<FactsOf<K>> {
    const { further = [] } = reading;
    for (const one of [file, ...further]) {
      requireInside(one, this.#folder);
      requireRegularFile(one);
    }
    const { size, time, changed } = await statOf([file, ...further]);
    const name = this.#nameOf(file);
    const entry = this.#entries.get(name);
    const known =
      entry !== undefined && entry.size === size && isOf(entry.facts, kind) && fits(entry.facts, reading)
        ? entry
        : undefined;
    if (known !== undefined && known.time === time && known.changed === changed) {
      this.hashes.set(name, known.sha256);
      return known.facts as FactsOf<K>;
    }
    this.#changed = true;
    const { sha256, facts } = await read({ file, kind, ...reading, known: known?.sha256 });
    this.hashes.set(name, sha256);
    if (facts === undefined && known !== undefined) {
      this.#entries.set(name, { ...known, time, changed });
      return known.facts as FactsOf<K>;
    }
    if (facts === undefined || !isOf(facts, kind)) throw new Error(`${file}: read as something else than ${kind}`);
    this.decoded++;
    this.#entries.set(name, { size, time, changed, sha256, facts });
    return facts;
  }

  #nameOf(file: string): string {
    return relative(this.#folder, file).split(sep).join("/");
  }

  /** Writes the index where something changed; gives a sentence when that fails, since nothing depends on it. */
  async save(): Promise<string | undefined> {
    if (!this.#changed) return undefined;
    const files = Object.fromEntries([...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1)));
    const text = JSON.stringify({ version: INDEX_VERSION, files });
    try {
      makeFolder(dirname(this.#file));
      await replaceFile(this.#file, text);
      this.#changed = false;
      return undefined;
    } catch (error) {
      return `${this.#file}: the index of checked files cannot be written (${String(error)}); the next start checks again`;
    }
  }
}

function isOf<K extends FileFacts["kind"]>(facts: FileFacts, kind: K): facts is FactsOf<K> {
  return facts.kind === kind;
}

const fits = (facts: FileFacts, reading: Reading) => facts.kind === "mask" || holdFor(facts, reading);

/** Bytes of the files together, and when the last of them changed. */
async function statOf(files: readonly string[]) {
  let [size, time, changed] = [0, 0, 0];
  for (const file of files) {
    try {
      const { size: bytes, mtimeMs, ctimeMs } = await stat(file);
      [size, time, changed] = [size + bytes, Math.max(time, mtimeMs), Math.max(changed, ctimeMs)];
    } catch (error) {
      throw new DataError(`${file}: cannot be read (${String(error)})`);
    }
  }
  return { size, time, changed };
}
