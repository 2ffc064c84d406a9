import { type FileHandle, open } from "node:fs/promises";
import { pipeline, Readable } from "node:stream";
import { crc32, createInflateRaw } from "node:zlib";
import { DataError } from "../../errors.ts";
import { requireRegularFile } from "../../files/regular.ts";
import { DEFLATE_RATIO } from "../deflate.ts";

export interface ZipEntry {
  readonly name: string;
  readonly method: "stored" | "deflated";
  readonly crc: number;
  /** Bytes in the archive and unpacked. */
  readonly packed: number;
  readonly size: number;
  /** Byte of the entry's local header. */
  readonly offset: number;
}

const END_MARK = 0x06054b50;
const LOCATOR_MARK = 0x07064b50;
const END_64_MARK = 0x06064b50;
const CENTRAL_MARK = 0x02014b50;
const LOCAL_MARK = 0x04034b50;
/** The end record with the longest comment. */
const LONGEST_END = 22 + 65535;
/** A listing larger than this is no listing of data files. */
const LONGEST_LISTING = 64 * 2 ** 20;

/** Random access to an archive's bytes. */
interface ZipSource {
  readonly size: number;
  /** `length` bytes from `offset`; both were checked against `size`. */
  read(offset: number, length: number): Promise<Buffer>;
}

const zipError = (file: string, what: string) =>
  new DataError(`${file}: the zip archive is damaged or of a kind that is not read (${what})`);

async function readPart(source: ZipSource, file: string, offset: number, length: number): Promise<Buffer> {
  if (!(offset >= 0 && length >= 0 && offset + length <= source.size)) {
    throw zipError(file, `it points to bytes ${offset}..${offset + length}, the file has ${source.size}`);
  }
  return source.read(offset, length);
}

interface Listing {
  readonly entries: number;
  readonly size: number;
  readonly offset: number;
}

async function findListing(source: ZipSource, file: string): Promise<Listing> {
  const tailAt = Math.max(0, source.size - LONGEST_END);
  const tail = await readPart(source, file, tailAt, source.size - tailAt);
  let at = tail.length - 22;
  while (at >= 0 && !(tail.readUInt32LE(at) === END_MARK && at + 22 + tail.readUInt16LE(at + 20) === tail.length)) at--;
  if (at < 0)
    throw zipError(file, "no directory at its end; it is cut short or no zip file; restore it from its source");
  const listing = {
    entries: tail.readUInt16LE(at + 10),
    size: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
  };
  if (listing.entries !== 0xffff && listing.size !== 0xffffffff && listing.offset !== 0xffffffff) return listing;
  if (at < 20 || tail.readUInt32LE(at - 20) !== LOCATOR_MARK) return listing;
  const end64 = await readPart(source, file, Number(tail.readBigUInt64LE(at - 12)), 56);
  if (end64.readUInt32LE(0) !== END_64_MARK) throw zipError(file, "its zip64 directory has a wrong mark");
  return {
    entries: Number(end64.readBigUInt64LE(32)),
    size: Number(end64.readBigUInt64LE(40)),
    offset: Number(end64.readBigUInt64LE(48)),
  };
}

/** Refuses names that are absolute, climb out of a folder or hide what they are. */
function checkName(name: string, file: string): void {
  const steps = name.split(/[\\/]/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const hidden = /[\u0000-\u001f]/.test(name);
  if (name === "" || hidden || /^[\\/]|^[a-z]:/i.test(name) || steps.includes("..")) {
    throw new DataError(
      `${file}: holds an entry named ${JSON.stringify(name)}, which points outside the archive's folder; nothing was read. ` +
        "Get the archive from a source you trust",
    );
  }
}

/** Sizes and place from the zip64 field of an entry, in the order of the figures that did not fit. */
function widen(extra: Buffer, figures: readonly number[]): readonly number[] {
  for (let at = 0; at + 4 <= extra.length; ) {
    const [id, length] = [extra.readUInt16LE(at), extra.readUInt16LE(at + 2)];
    if (id === 1) {
      let next = at + 4;
      const end = Math.min(extra.length, next + length);
      return figures.map((figure) => {
        if (figure !== 0xffffffff || next + 8 > end) return figure;
        next += 8;
        return Number(extra.readBigUInt64LE(next - 8));
      });
    }
    at += 4 + length;
  }
  return figures;
}

function checkEntry(entry: ZipEntry, method: number, flags: number, source: ZipSource, file: string): void {
  const { name, packed, size, offset } = entry;
  checkName(name, file);
  if ((flags & 1) !== 0) throw zipError(file, `entry ${name} is encrypted; unpack it and pack it again`);
  if (method !== 0 && method !== 8) throw zipError(file, `entry ${name} is packed by method ${method}; repack it`);
  if (!(offset + packed <= source.size)) {
    throw zipError(file, `entry ${name} ends at byte ${offset + packed}, the file has ${source.size}`);
  }
  const possible = method === 0 ? packed : packed * DEFLATE_RATIO + 64;
  if (!(size <= possible) || (method === 0 && size !== packed)) {
    throw zipError(file, `entry ${name} is said to unpack from ${packed} to ${size} bytes, which cannot be`);
  }
}

/** Parses the listing; every entry is checked. */
function entriesOf(listing: Buffer, count: number, source: ZipSource, file: string): ZipEntry[] {
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + 46 > listing.length || listing.readUInt32LE(at) !== CENTRAL_MARK) {
      throw zipError(file, `entry ${index} of ${count} is missing in its directory`);
    }
    const [flags, method] = [listing.readUInt16LE(at + 8), listing.readUInt16LE(at + 10)];
    const [nameLength, extraLength] = [listing.readUInt16LE(at + 28), listing.readUInt16LE(at + 30)];
    const end = at + 46 + nameLength + extraLength;
    if (end > listing.length) throw zipError(file, `entry ${index} of ${count} is cut short in its directory`);
    const name = listing.toString("utf8", at + 46, at + 46 + nameLength);
    const figures = [listing.readUInt32LE(at + 24), listing.readUInt32LE(at + 20), listing.readUInt32LE(at + 42)];
    const [size = 0, packed = 0, offset = 0] = widen(listing.subarray(at + 46 + nameLength, end), figures);
    const crc = listing.readUInt32LE(at + 16);
    const entry: ZipEntry = { name, method: method === 0 ? "stored" : "deflated", crc, packed, size, offset };
    checkEntry(entry, method, flags, source, file);
    if (entries.has(name)) throw zipError(file, `entry ${name} occurs twice`);
    entries.set(name, entry);
    at = end + listing.readUInt16LE(at + 32);
  }
  return [...entries.values()];
}

/** How much of an entry is read at once. */
const PIECE = 256 * 1024;

/**
 * A zip archive, read in place: entries stored or deflated, zip64. Nothing is ever written under an entry's name, and
 * names that could leave a folder are refused all the same. Sizes are checked before memory is taken.
 */
export class ZipArchive {
  readonly file: string;
  readonly entries: readonly ZipEntry[];
  readonly #source: ZipSource;
  readonly #handle: FileHandle | undefined;

  private constructor(file: string, source: ZipSource, entries: readonly ZipEntry[], handle?: FileHandle) {
    this.file = file;
    this.#source = source;
    this.entries = entries;
    this.#handle = handle;
  }

  /** Opens an archive on disk; close it. Throws DataError naming `file`. */
  static async open(file: string): Promise<ZipArchive> {
    requireRegularFile(file);
    const handle = await open(file, "r").catch((error: unknown) => {
      throw new DataError(`${file}: cannot be opened (${error instanceof Error ? error.message : String(error)})`);
    });
    try {
      const { size } = await handle.stat();
      const read = async (offset: number, length: number) => {
        const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, offset);
        if (bytesRead !== length) throw zipError(file, `ends at byte ${offset + bytesRead} while being read`);
        return buffer;
      };
      return await ZipArchive.#list(file, { size, read }, handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** An archive in memory. */
  static fromBytes(bytes: Buffer, file: string): Promise<ZipArchive> {
    const read = (offset: number, length: number) => Promise.resolve(bytes.subarray(offset, offset + length));
    return ZipArchive.#list(file, { size: bytes.length, read });
  }

  static async #list(file: string, source: ZipSource, handle?: FileHandle): Promise<ZipArchive> {
    const { entries, size, offset } = await findListing(source, file);
    if (!(size <= LONGEST_LISTING && entries * 46 <= size)) {
      throw zipError(file, `a directory of ${entries} entries in ${size} bytes`);
    }
    const listing = await readPart(source, file, offset, size);
    return new ZipArchive(file, source, entriesOf(listing, entries, source, file), handle);
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }

  /**
   * The unpacked bytes of an entry in pieces, in order. Throws DataError where the entry is damaged, longer or shorter
   * than announced, or its checksum is wrong (known at its end).
   */
  async *stream(entry: ZipEntry): AsyncGenerator<Buffer> {
    let [seen, crc] = [0, 0];
    for await (const part of this.#unpacked(entry)) {
      seen += part.length;
      if (seen > entry.size)
        throw zipError(this.file, `entry ${entry.name} is longer than the announced ${entry.size} bytes`);
      crc = crc32(part, crc);
      yield part;
    }
    if (seen !== entry.size) throw zipError(this.file, `entry ${entry.name} has ${seen} of ${entry.size} bytes`);
    if (crc !== entry.crc)
      throw zipError(this.file, `checksum of entry ${entry.name} is wrong; restore it from its source`);
  }

  async *#packedBytes(entry: ZipEntry): AsyncGenerator<Buffer> {
    const head = await readPart(this.#source, this.file, entry.offset, 30);
    if (head.readUInt32LE(0) !== LOCAL_MARK)
      throw zipError(this.file, `entry ${entry.name} does not start where it should`);
    const start = entry.offset + 30 + head.readUInt16LE(26) + head.readUInt16LE(28);
    for (let at = 0; at < entry.packed; at += PIECE) {
      yield readPart(this.#source, this.file, start + at, Math.min(PIECE, entry.packed - at));
    }
  }

  async *#unpacked(entry: ZipEntry): AsyncGenerator<Buffer> {
    if (entry.method === "stored") {
      yield* this.#packedBytes(entry);
      return;
    }
    // A failing source destroys `inflate` with its error, a reader that stops early destroys the source.
    const inflate = pipeline(Readable.from(this.#packedBytes(entry)), createInflateRaw(), () => {});
    try {
      for await (const part of inflate) yield part as Buffer;
    } catch (error) {
      if (error instanceof DataError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw zipError(this.file, `entry ${entry.name}: ${why}; restore it from its source`);
    } finally {
      inflate.destroy();
    }
  }
}
