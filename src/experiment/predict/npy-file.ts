import { closeSync, openSync, renameSync, rmSync } from "node:fs";
import { writeAll } from "../atomic.ts";

/** A NumPy file of float32 (little endian, last index fastest) written piece by piece, so that it need not fit in memory. */
export class NpyFile {
  readonly path: string;
  readonly #partial: string;
  readonly #file: number;
  #left: number;

  /** Starts `path` with the given shape; it takes its name when `finish` is called. */
  constructor(path: string, shape: readonly number[]) {
    this.path = path;
    this.#partial = `${path}.partial`;
    this.#file = openSync(this.#partial, "w");
    this.#left = shape.reduce((product, extent) => product * extent, 1);
    const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
    // Magic, version and length take 10 bytes; all of the header is a multiple of 64, its end a line feed.
    const length = Math.ceil((10 + text.length + 1) / 64) * 64;
    const header = Buffer.alloc(length, " ");
    header.write("\x93NUMPY\x01\x00", "latin1");
    header.writeUInt16LE(length - 10, 8);
    header.write(text, 10, "latin1");
    header.write("\n", length - 1);
    writeAll(this.#file, header);
  }

  /** Appends values in order. */
  append(values: Float32Array): void {
    this.#left -= values.length;
    writeAll(this.#file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  /** Ends the file. Throws when it did not get as many values as its shape holds. */
  finish(): void {
    if (this.#left !== 0) throw new Error(`${this.path}: ${this.#left} values are missing`);
    closeSync(this.#file);
    renameSync(this.#partial, this.path);
  }

  /** Removes what was written. */
  discard(): void {
    closeSync(this.#file);
    rmSync(this.#partial, { force: true });
  }
}
