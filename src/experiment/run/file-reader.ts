import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { DataError } from "../../errors.ts";

/** Bytes asked for at once; memory does not grow with the file. */
const CHUNK_BYTES = 1 << 20;

/** Reads a file of any size from a place on to its end, a chunk at a time. */
export class FileReader {
  readonly size: number;
  readonly #file: number;
  #buffer: Buffer = Buffer.alloc(0);
  /** Where the next chunk lies. */
  #next: number;

  /** Starts `from` bytes behind the start. Throws DataError for pipes and devices, which are not waited for. */
  constructor(path: string, from = 0) {
    this.#file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stats = fstatSync(this.#file);
    if (!stats.isFile() && !stats.isDirectory()) {
      closeSync(this.#file);
      throw new DataError(`${path}: is a pipe or a device, not a file; move it away`);
    }
    this.size = stats.size;
    this.#next = from;
  }

  /** Where in the file it stands, in bytes from the start. */
  get position(): number {
    return this.#next - this.#buffer.length;
  }

  /** Bytes of the file behind those taken so far. */
  get rest(): number {
    return this.size - this.position;
  }

  /** The next `count` bytes, fewer at the end of the file; valid until the next call. */
  peek(count: number): Buffer {
    while (this.#buffer.length < count && this.#fill()) {}
    return this.#buffer.subarray(0, count);
  }

  /** As {@link peek}, and goes on behind them. */
  take(count: number): Buffer {
    const bytes = this.peek(count);
    this.#buffer = this.#buffer.subarray(bytes.length);
    return bytes;
  }

  /** What lies up to the next `byte`, with it, or up to the end of the file; undefined where that is beyond `most`. */
  takeThrough(byte: number, most: number): Buffer | undefined {
    for (let searched = 0; ; ) {
      const at = this.#buffer.indexOf(byte, searched);
      if (at >= 0) return this.take(at + 1);
      searched = this.#buffer.length;
      if (searched > most) return undefined;
      if (!this.#fill()) return this.take(searched);
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  /** False at the end of the file. */
  #fill(): boolean {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(0, this.size - this.#next)));
    const count = chunk.length === 0 ? 0 : readSync(this.#file, chunk, 0, chunk.length, this.#next);
    this.#next += count;
    this.#buffer =
      this.#buffer.length === 0 ? chunk.subarray(0, count) : Buffer.concat([this.#buffer, chunk.subarray(0, count)]);
    return count > 0;
  }
}

/** Longest log that is looked through from its start: that takes about a second. */
const WHOLE_BYTES = 1 << 26;

/**
 * Where to start looking through a log for what is to be cut from its end: 0 for a short one; for one that is too long to
 * be read whole a place near its end, found in ever longer pieces of the end. `begins` gives, of a reader that stands
 * anywhere, the place of the first record it comes to if that one stays in the log; records ascend, so all before it stay.
 */
export function startOfEnd(path: string, begins: (reader: FileReader) => number | undefined): number {
  const size = reading(path, 0, (reader) => reader.size);
  if (size <= WHOLE_BYTES) return 0;
  for (let length = CHUNK_BYTES; length < size; length *= 2) {
    const place = reading(path, size - length, begins);
    if (place !== undefined) return place;
  }
  return 0;
}

function reading<R>(path: string, from: number, read: (reader: FileReader) => R): R {
  const reader = new FileReader(path, from);
  try {
    return read(reader);
  } finally {
    reader.close();
  }
}
