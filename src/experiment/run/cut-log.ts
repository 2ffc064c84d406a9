import { closeSync, fsyncSync, openSync } from "node:fs";
import { AtomicFile, writeAll } from "../../files/atomic.ts";
import { FileReader } from "./file-reader.ts";

const COPIED_AT_ONCE = 1 << 20;

/**
 * A log that is rewritten without some of its records, which go to a file beside it: nothing that was measured is lost.
 * As long as everything is kept, nothing is written at all.
 */
export class CutLog {
  readonly #path: string;
  readonly #cut: string;
  /** Bytes kept before the first record was left out. */
  #kept = 0;
  #rewritten: AtomicFile | null = null;
  #aside: number | null = null;

  constructor(path: string, cut: string) {
    this.#path = path;
    this.#cut = cut;
  }

  keep(bytes: Uint8Array): void {
    if (this.#rewritten) this.#rewritten.append(bytes);
    else this.#kept += bytes.length;
  }

  /** Leaves out a record that is nothing but torn. */
  drop(): void {
    this.#rewrite();
  }

  /** Leaves out a record and keeps it in the file beside. */
  cut(bytes: Uint8Array): void {
    this.#rewrite();
    this.#aside ??= openSync(this.#cut, "a");
    writeAll(this.#aside, bytes);
  }

  /** Puts the shorter log in place, when the file beside it is safe. */
  finish(): void {
    if (this.#aside !== null) fsyncSync(this.#aside);
    this.#rewritten?.finish();
  }

  /** Closes everything; before {@link finish} the log stays as it was. */
  abandon(): void {
    this.#rewritten?.discard();
    if (this.#aside !== null) closeSync(this.#aside);
    this.#aside = null;
  }

  #rewrite(): void {
    if (this.#rewritten) return;
    this.#rewritten = new AtomicFile(this.#path);
    const reader = new FileReader(this.#path);
    try {
      for (let left = this.#kept; left > 0; ) {
        const bytes = reader.take(Math.min(left, COPIED_AT_ONCE));
        if (bytes.length === 0) return;
        this.#rewritten.append(bytes);
        left -= bytes.length;
      }
    } finally {
      reader.close();
    }
  }
}

/** A sentence on what a log lost to the file `cut`; null where nothing is in `parts`. */
export function movedNote(path: string, cut: string, parts: readonly (string | false)[]): string | null {
  const found = parts.filter((part) => part !== false);
  return found.length === 0 ? null : `${path}: ${found.join(" and ")} moved to ${cut}`;
}
