import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Bytes asked for at once; memory does not grow with the file. */
const CHUNK_BYTES = 1 << 20;

/** Reads a file of any size from its start to its end, a chunk at a time. */
export class FileReader {
  readonly size: number;
  readonly #file: number;
  #buffer: Buffer = Buffer.alloc(0);
  #read = 0;

  constructor(path: string) {
    this.#file = openSync(path, "r");
    this.size = fstatSync(this.#file).size;
  }

  /** Bytes of the file behind those taken so far. */
  get rest(): number {
    return this.size - this.#read + this.#buffer.length;
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
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(0, this.size - this.#read)));
    const count = chunk.length === 0 ? 0 : readSync(this.#file, chunk, 0, chunk.length, null);
    this.#read += count;
    this.#buffer =
      this.#buffer.length === 0 ? chunk.subarray(0, count) : Buffer.concat([this.#buffer, chunk.subarray(0, count)]);
    return count > 0;
  }
}
