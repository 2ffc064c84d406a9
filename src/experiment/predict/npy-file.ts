import { AtomicFile } from "../../files/atomic.ts";

/** A NumPy file of float32 (little endian, last index fastest) written piece by piece, so that it need not fit in memory. */
export class NpyFile {
  readonly path: string;
  readonly #file: AtomicFile;
  #left: number;

  /** Starts `path` with the given shape; it takes its name when `finish` is called. */
  constructor(path: string, shape: readonly number[]) {
    this.path = path;
    this.#file = new AtomicFile(path);
    this.#left = shape.reduce((product, extent) => product * extent, 1);
    const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
    // Magic, version and length take 10 bytes; all of the header is a multiple of 64, its end a line feed.
    const length = Math.ceil((10 + text.length + 1) / 64) * 64;
    const header = Buffer.alloc(length, " ");
    header.write("\x93NUMPY\x01\x00", "latin1");
    header.writeUInt16LE(length - 10, 8);
    header.write(text, 10, "latin1");
    header.write("\n", length - 1);
    this.#file.append(header);
  }

  /** Appends values in order. */
  append(values: Float32Array): void {
    this.#left -= values.length;
    this.#file.append(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  /** Ends the file. Throws when it did not get as many values as its shape holds. */
  finish(): void {
    if (this.#left !== 0) throw new Error(`${this.path}: ${this.#left} values are missing`);
    this.#file.finish();
  }

  /** Removes what was written. */
  discard(): void {
    this.#file.discard();
  }
}
