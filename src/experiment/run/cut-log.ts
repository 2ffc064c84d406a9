import { closeSync, fsyncSync, ftruncateSync, lstatSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { AtomicFile, syncFolder, writeAll } from "../../files/atomic.ts";
import { FileReader } from "./file-reader.ts";

const COPIED_AT_ONCE = 1 << 20;

/**
 * A log that loses some of its records to a file beside it: nothing that was measured is lost. What is cut from its end is
 * copied, made safe, and only then cut off in place; a log that also keeps something behind what it loses is rewritten. As
 * long as everything is kept, nothing is written at all.
 */
export class CutLog {
  readonly #path: string;
  readonly #cut: string;
  /** Bytes kept before the first record was left out. */
  #kept: number;
  #loses = false;
  #rewritten: AtomicFile | null = null;
  #aside: number | null = null;

  /** The first `kept` bytes stay as they are. */
  constructor(path: string, cut: string, kept = 0) {
    this.#path = path;
    this.#cut = cut;
    this.#kept = kept;
  }

  keep(bytes: Uint8Array): void {
    if (this.#loses) this.#rewrite().append(bytes);
    else this.#kept += bytes.length;
  }

  /** Leaves out a record that is nothing but torn. */
  drop(): void {
    this.#loses = true;
  }

  /** Leaves out a record and keeps it in the file beside. */
  cut(bytes: Uint8Array): void {
    this.#loses = true;
    this.#aside ??= openSync(this.#cut, "a");
    writeAll(this.#aside, bytes);
  }

  /** Makes the log shorter, when the file beside it is safe. */
  finish(): void {
    if (!this.#loses) return;
    if (this.#aside !== null) {
      fsyncSync(this.#aside);
      syncFolder(dirname(this.#cut));
    }
    // Somebody's link is replaced by a log, not followed.
    if (this.#rewritten === null && !lstatSync(this.#path).isSymbolicLink()) truncate(this.#path, this.#kept);
    else this.#rewrite().finish();
  }

  /** Closes everything; before {@link finish} the log stays as it was. */
  abandon(): void {
    this.#rewritten?.discard();
    if (this.#aside !== null) closeSync(this.#aside);
    this.#aside = null;
  }

  #rewrite(): AtomicFile {
    if (this.#rewritten) return this.#rewritten;
    const rewritten = new AtomicFile(this.#path);
    this.#rewritten = rewritten;
    const reader = new FileReader(this.#path);
    try {
      for (let left = this.#kept; left > 0; ) {
        const bytes = reader.take(Math.min(left, COPIED_AT_ONCE));
        if (bytes.length === 0) break;
        rewritten.append(bytes);
        left -= bytes.length;
      }
    } finally {
      reader.close();
    }
    return rewritten;
  }
}

/** Makes a file `bytes` long, for good. */
function truncate(path: string, bytes: number): void {
  const file = openSync(path, "r+");
  try {
    ftruncateSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** A sentence on what a log lost to the file `cut`; null where nothing is in `parts`. */
export function movedNote(path: string, cut: string, parts: readonly (string | false)[]): string | null {
  const found = parts.filter((part) => part !== false);
  return found.length === 0 ? null : `${path}: ${found.join(" and ")} moved to ${cut}`;
}
