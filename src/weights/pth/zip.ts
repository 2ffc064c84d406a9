import { crc32 } from "node:zlib";
import { CheckpointError } from "../../errors.ts";
import type { ByteSource } from "./source.ts";

interface ZipEntry {
  readonly name: string;
  readonly bytes: number;
  readonly crc: number;
  readonly compressed: boolean;
  /** Where its local header begins. */
  readonly header: number;
}

export type ZipDirectory = ReadonlyMap<string, ZipEntry>;

const END = 0x06054b50;
const END_64_LOCATOR = 0x07064b50;
const END_64 = 0x06064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const FULL = 0xffffffff;
/** The end record has 22 bytes and a comment of at most 65535; the locator before it has 20. */
const TAIL_BYTES = 22 + 0xffff + 20;
/** A directory of a network of ten thousand tensors has about one mebibyte. */
const MAX_DIRECTORY_BYTES = 1 << 28;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * The entries of an archive by name. Of the zip format it knows the part that PyTorch writes (APPNOTE 6.3, with its
 * 64-bit extension): a central directory at the end, and entries that are stored, not compressed. Throws
 * CheckpointError for what is no whole zip file.
 */
export async function readDirectory(source: ByteSource): Promise<ZipDirectory> {
  const { offset, bytes, count } = await findDirectory(source);
  if (bytes > MAX_DIRECTORY_BYTES) throw damaged(source, `its directory is said to have ${bytes} bytes`);
  const view = viewOf(await source.read(offset, bytes));
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > view.byteLength || view.getUint32(at, true) !== CENTRAL)
      throw damaged(source, "its directory ends early");
    const length = 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (at + length > view.byteLength) throw damaged(source, "its directory ends early");
    const entry = centralEntry(view, at, source);
    if (entries.has(entry.name)) throw damaged(source, `the entry ${entry.name} is there twice`);
    entries.set(entry.name, entry);
    at += length;
  }
  return entries;
}

async function findDirectory(source: ByteSource): Promise<{ offset: number; bytes: number; count: number }> {
  const start = Math.max(0, source.size - TAIL_BYTES);
  const tail = viewOf(await source.read(start, source.size - start));
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== END) at--;
  if (at < 0) throw damaged(source, "it has no end record; it was cut off");
  if (at >= 20 && tail.getUint32(at - 20, true) === END_64_LOCATOR) {
    const view = viewOf(await source.read(Number(tail.getBigUint64(at - 20 + 8, true)), 56));
    if (view.getUint32(0, true) !== END_64) throw damaged(source, "its 64-bit end record is missing");
    return {
      count: Number(view.getBigUint64(32, true)),
      bytes: Number(view.getBigUint64(40, true)),
      offset: Number(view.getBigUint64(48, true)),
    };
  }
  return {
    count: tail.getUint16(at + 10, true),
    bytes: tail.getUint32(at + 12, true),
    offset: tail.getUint32(at + 16, true),
  };
}

function centralEntry(view: DataView, at: number, source: ByteSource): ZipEntry {
  const nameLength = view.getUint16(at + 28, true);
  const name = new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at + 46, nameLength));
  const extra = at + 46 + nameLength;
  const wide = wideFields(view, extra, extra + view.getUint16(at + 30, true));
  // In this order, and only those whose 32-bit field is full.
  const field = (position: number): number => {
    const short = view.getUint32(position, true);
    if (short !== FULL) return short;
    const value = wide.shift();
    if (value === undefined) throw damaged(source, `the entry ${name} lacks its 64-bit size`);
    return value;
  };
  const bytes = field(at + 24);
  const packed = field(at + 20);
  const method = view.getUint16(at + 10, true);
  return {
    name,
    bytes,
    crc: view.getUint32(at + 16, true),
    compressed: method !== 0 || packed !== bytes,
    header: field(at + 42),
  };
}

/** The numbers of the 64-bit extra field, if there is one. */
function wideFields(view: DataView, begin: number, end: number): number[] {
  for (let at = begin; at + 4 <= end; ) {
    const length = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1) {
      const count = Math.floor(Math.min(length, end - at - 4) / 8);
      return Array.from({ length: count }, (_, i) => Number(view.getBigUint64(at + 4 + 8 * i, true)));
    }
    at += 4 + length;
  }
  return [];
}

/** The contents of an entry, checked against its checksum. */
export async function readEntry(source: ByteSource, entry: ZipEntry): Promise<Uint8Array> {
  if (entry.compressed) {
    throw new CheckpointError(`${source.label}: the entry ${entry.name} is compressed, which PyTorch never does`);
  }
  const header = viewOf(await source.read(entry.header, 30));
  if (header.getUint32(0, true) !== LOCAL) throw damaged(source, `the entry ${entry.name} has no header`);
  const start = entry.header + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  const bytes = await source.read(start, entry.bytes);
  // A writer told not to compute checksums leaves 0.
  if (entry.crc !== 0 && crc32(bytes) !== entry.crc) {
    throw damaged(source, `the entry ${entry.name} does not match its checksum`);
  }
  return bytes;
}

function damaged({ label }: ByteSource, what: string): CheckpointError {
  return new CheckpointError(`${label} is a damaged PyTorch archive: ${what}; download or copy it again`);
}
