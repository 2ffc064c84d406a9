import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { writing, writingSlowly } from "./failure.ts";
import { temporaryFor } from "./temporary.ts";

/**
 * Writes a file so that a reader, or the machine after a power cut, finds either the old content or the new one, never
 * a part: a temporary file in the same folder, flushed, renamed over the target, the folder flushed too. A symbolic
 * link of that name is replaced, not followed. Throws OutputError where the operating system refuses.
 */
export function writeFileAtomic(path: string, content: string | Uint8Array): void {
  writeFileChunks(path, [typeof content === "string" ? new TextEncoder().encode(content) : content]);
}

/** As {@link writeFileAtomic}, for content in pieces that need not lie in memory twice. */
export function writeFileChunks(path: string, chunks: readonly Uint8Array[]): void {
  const file = new AtomicFile(path);
  try {
    for (const chunk of chunks) file.append(chunk);
    file.finish();
  } catch (error) {
    file.discard();
    throw error;
  }
}

/**
 * Writes a file whole or not at all, but without waiting for the disk: for one of many that a person would make again
 * after a power cut. Throws OutputError where the operating system refuses.
 */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  await writingSlowly(path, async () => {
    const temporary = temporaryFor(path);
    try {
      await writeFile(temporary, content, { flag: "wx" });
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  });
}

/** A file that is written piece by piece and takes its name, whole, when `finish` is called. */
export class AtomicFile {
  readonly path: string;
  readonly #temporary: string;
  #file: number | null;

  /** Throws OutputError where the folder takes no file. */
  constructor(path: string) {
    this.path = path;
    this.#temporary = writing(path, () => temporaryFor(path));
    this.#file = writing(path, () => openSync(this.#temporary, "wx"));
  }

  /** Throws OutputError where the operating system refuses, such as on a full disk. */
  append(bytes: Uint8Array): void {
    const file = this.#file;
    if (file === null) throw new Error(`${this.path} is written after its end`);
    writing(this.path, () => writeAll(file, bytes));
  }

  /** Writes over the first bytes, which were appended before. Throws OutputError where the operating system refuses. */
  rewriteStart(bytes: Uint8Array): void {
    const file = this.#file;
    if (file === null) throw new Error(`${this.path} is written after its end`);
    writing(this.path, () => writeAll(file, bytes, 0));
  }

  /** Flushes the content and gives it its name. Throws OutputError, and then leaves what had the name before. */
  finish(): void {
    const file = this.#file;
    if (file === null) throw new Error(`${this.path} is finished twice`);
    writing(this.path, () => {
      fsyncSync(file);
      this.#close();
      renameSync(this.#temporary, this.path);
      syncFolder(dirname(this.path));
    });
  }

  /** Removes what was written, unless it has its name already. */
  discard(): void {
    this.#close();
    rmSync(this.#temporary, { force: true });
  }

  #close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }
}

/** Writes every byte, at the end or from `start` on; one `writeSync` may write fewer (it stops at 2 GiB). */
export function writeAll(file: number, bytes: Uint8Array, start?: number): void {
  for (let at = 0; at < bytes.length; ) {
    at += writeSync(file, bytes, at, bytes.length - at, start === undefined ? null : start + at);
  }
}

/** Makes renames in a folder survive a power cut. */
export function syncFolder(folder: string): void {
  if (process.platform === "win32") return; // a folder cannot be opened there; NTFS journals the rename itself
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
