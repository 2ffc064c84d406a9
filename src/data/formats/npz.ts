import { DataError } from "../../errors.ts";
import { type NpyHeader, npyHeaderLength, npySizeError, readNpyHeader } from "./npy.ts";
import { LARGEST_ARRAY, VALUE_TYPES, type ValueReader, valueReader } from "./values.ts";
import { ZipArchive, type ZipEntry } from "./zip.ts";

/** Part of an array: its shape and a reader of values in C order (last index fastest). */
export interface ArrayPart {
  readonly shape: readonly number[];
  readonly at: ValueReader;
}

/** Cuts a stream of pieces into parts of the lengths asked for. */
class Cutter {
  #held: Buffer = Buffer.alloc(0);
  readonly #pieces: AsyncIterator<Buffer>;

  constructor(pieces: AsyncIterable<Buffer>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** The next `length` bytes, fewer where the stream ends. */
  async take(length: number): Promise<Buffer> {
    const parts = [this.#held];
    let have = this.#held.length;
    while (have < length) {
      const { value, done } = await this.#pieces.next();
      if (done === true) break;
      parts.push(value);
      have += value.length;
    }
    const all = parts.length === 1 ? this.#held : Buffer.concat(parts);
    this.#held = all.subarray(length);
    return all.subarray(0, length);
  }

  async stop(): Promise<void> {
    await this.#pieces.return?.();
  }
}

/** Reads values of a Fortran-ordered array in C order. */
export function transposed(read: ValueReader, shape: readonly number[]): ValueReader {
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, extent) => product * extent, 1));
  return (index) => {
    let [rest, place] = [index, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const extent = shape[axis] ?? 1;
      place += (rest % extent) * (strides[axis] ?? 0);
      rest = Math.floor(rest / extent);
    }
    return read(place);
  };
}

/** A NumPy archive (.npz): named arrays in a zip file, read item by item along their first axis. */
export class NpzFile {
  /** Names of the arrays, without ".npy". */
  readonly names: readonly string[];
  readonly #archive: ZipArchive;

  private constructor(archive: ZipArchive) {
    this.#archive = archive;
    this.names = archive.entries.filter(({ name }) => name.endsWith(".npy")).map(({ name }) => name.slice(0, -4));
  }

  /** Opens an archive on disk; close it. */
  static async open(file: string): Promise<NpzFile> {
    return new NpzFile(await ZipArchive.open(file));
  }

  /** An archive in memory. */
  static async fromBytes(bytes: Buffer, file: string): Promise<NpzFile> {
    return new NpzFile(await ZipArchive.fromBytes(bytes, file));
  }

  close(): Promise<void> {
    return this.#archive.close();
  }

  #place(name: string): { entry: ZipEntry; where: string } {
    const entry = this.#archive.entries.find((candidate) => candidate.name === `${name}.npy`);
    if (entry === undefined) {
      throw new DataError(
        `${this.#archive.file}: holds no array "${name}" (found: ${this.names.join(", ") || "none"})`,
      );
    }
    return { entry, where: `${this.#archive.file}: ${entry.name}` };
  }

  async #start(name: string): Promise<{ header: NpyHeader; cutter: Cutter; where: string }> {
    const { entry, where } = this.#place(name);
    const cutter = new Cutter(this.#archive.stream(entry));
    try {
      const first = await cutter.take(12);
      const rest = await cutter.take(npyHeaderLength(first, where) - first.length);
      const header = readNpyHeader(Buffer.concat([first, rest]), where);
      const stored = entry.size - header.dataOffset;
      if (header.dataBytes !== stored) throw npySizeError(where, header, stored);
      return { header, cutter, where };
    } catch (error) {
      await cutter.stop();
      throw error;
    }
  }

  /** Type and shape of an array. */
  async header(name: string): Promise<NpyHeader> {
    const { header, cutter } = await this.#start(name);
    await cutter.stop();
    return header;
  }

  /** A whole array. Throws DataError where it exceeds what one buffer holds. */
  async array(name: string): Promise<ArrayPart> {
    const { header, cutter, where } = await this.#start(name);
    try {
      const { dataBytes, shape, fortran, type, littleEndian } = header;
      if (dataBytes > LARGEST_ARRAY) throw npySizeError(where, header, LARGEST_ARRAY);
      const bytes = await cutter.take(dataBytes);
      await cutter.take(1); // reaching the end has the checksum checked
      if (bytes.length !== dataBytes) throw npySizeError(where, header, bytes.length);
      const read = valueReader(bytes, type, littleEndian);
      return { shape, at: fortran ? transposed(read, shape) : read };
    } finally {
      await cutter.stop();
    }
  }

  /**
   * The items of an array along its first axis, one in memory at a time (a Fortran-ordered array is read whole: its items
   * are spread over the file).
   */
  async *items(name: string): AsyncGenerator<ArrayPart> {
    const { header, cutter, where } = await this.#start(name);
    try {
      const { fortran, type, littleEndian } = header;
      if (header.dataBytes === 0) return; // an extent of 0 beside a huge one would be a long walk through nothing
      const [count = 0, ...shape] = header.shape;
      const length = shape.reduce((product, extent) => product * extent, 1);
      if (fortran) {
        const whole = await this.array(name);
        for (let item = 0; item < count; item++) yield { shape, at: (index) => whole.at(item * length + index) };
        return;
      }
      const bytes = length * VALUE_TYPES[type];
      if (bytes > LARGEST_ARRAY) throw npySizeError(where, header, LARGEST_ARRAY);
      for (let item = 0; item < count; item++) {
        const part = await cutter.take(bytes);
        if (part.length !== bytes) throw npySizeError(where, header, item * bytes + part.length);
        yield { shape, at: valueReader(part, type, littleEndian) };
      }
      await cutter.take(1);
    } finally {
      await cutter.stop();
    }
  }
}
