import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * A file that is written piece by piece beside its final name. A reader, or the machine after a power cut, finds under
 * that name the old content or, after `commit`, the whole new one: flushed, renamed, the folder flushed too.
 */
export class AtomicFile {
  readonly #path: string;
  readonly #temporary: string;
  #handle: number | null;

  constructor(path: string) {
    this.#path = path;
    this.#temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
    this.#handle = openSync(this.#temporary, "w");
  }

  write(bytes: Uint8Array): void {
    if (this.#handle === null) throw new Error(`${this.#path} is closed`);
    writeAll(this.#handle, bytes);
  }

  commit(): void {
    if (this.#handle === null) throw new Error(`${this.#path} is closed`);
    fsyncSync(this.#handle);
    this.#close();
    renameSync(this.#temporary, this.#path);
    syncFolder(dirname(this.#path));
  }

  /** Leaves the old content; does nothing after `commit`. */
  abandon(): void {
    if (this.#handle === null) return;
    this.#close();
    rmSync(this.#temporary, { force: true });
  }

  #close(): void {
    if (this.#handle !== null) closeSync(this.#handle);
    this.#handle = null;
  }
}

/** Writes a whole file as {@link AtomicFile} does. */
export function writeFileAtomic(path: string, content: string | Uint8Array): void {
  writeFileChunks(path, [typeof content === "string" ? new TextEncoder().encode(content) : content]);
}

/** As {@link writeFileAtomic}, for content in pieces that need not lie in memory twice. */
export function writeFileChunks(path: string, chunks: Iterable<Uint8Array>): void {
  const file = new AtomicFile(path);
  try {
    for (const chunk of chunks) file.write(chunk);
    file.commit();
  } finally {
    file.abandon();
  }
}

/** Writes every byte; one `writeSync` may write fewer (it stops at 2 GiB). */
export function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** Removes temporary files that processes which died while writing have left in `folder`. */
export function removeTemporaryFiles(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (/^\..*\.\d+\.tmp$/.test(name)) rmSync(join(folder, name), { force: true });
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
