import { DataError, OutOfMemoryError, UsageError } from "../errors.ts";

/** So many failures are listed. */
const MOST_LISTED = 100;

/** Whether an error is about one file, so that others may still do. */
const isOfAFile = (error: unknown): error is Error =>
  error instanceof DataError || error instanceof UsageError || error instanceof OutOfMemoryError;

/**
 * What went wrong with single files of a command that goes on with the others, and says at its end which they were. A command
 * with one file ends by that file's own error.
 */
export class FileFailures {
  readonly #total: number;
  readonly #found: string[] = [];

  /** `total` files are tried. */
  constructor(total: number) {
    this.#total = total;
  }

  /** Work on one file; undefined where the file is at fault. Throws what is not about the file, such as a full disk. */
  async over<R>(file: string, work: () => Promise<R>): Promise<R | undefined> {
    try {
      return await work();
    } catch (error) {
      if (this.#total === 1 || !isOfAFile(error)) throw error;
      this.#found.push(error.message.includes(file) ? error.message : `${file}: ${error.message}`);
      return undefined;
    }
  }

  /** Throws DataError that lists the failures, if there were any; `done` is such as "predicted". */
  end(done: string): void {
    if (this.#found.length === 0) return;
    const listed = this.#found.slice(0, MOST_LISTED).map((message) => `  - ${message.replaceAll("\n", "\n    ")}`);
    if (this.#found.length > MOST_LISTED) listed.push(`  - and ${this.#found.length - MOST_LISTED} more`);
    const rest = this.#found.length === this.#total ? "" : "; the rest is done";
    throw new DataError(`${this.#found.length} of ${this.#total} files were not ${done}${rest}:\n${listed.join("\n")}`);
  }
}
