import { crc32, deflateRawSync } from "node:zlib";

export interface NpySpec {
  readonly descr: string;
  readonly shape: readonly number[];
  readonly fortran?: boolean;
  readonly version?: number;
  readonly data: Uint8Array;
}

/** An npy file's bytes, the header padded to 64 bytes as NumPy does. */
export function npyBytes({ descr, shape, fortran = false, version = 1, data }: NpySpec): Buffer {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const start = version === 1 ? 10 : 12;
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': ${tuple}, }`;
  const padded = `${text.padEnd(Math.ceil((start + text.length + 1) / 64) * 64 - start - 1)}\n`;
  const head = Buffer.alloc(start);
  head.write("\x93NUMPY", 0, "latin1");
  head[6] = version;
  if (version === 1) head.writeUInt16LE(padded.length, 8);
  else head.writeUInt32LE(padded.length, 8);
  return Buffer.concat([head, Buffer.from(padded, "latin1"), data]);
}

/** Numbers as little endian float32 or int32. */
export const floats = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);
export const integers = (values: readonly number[]) => new Uint8Array(Int32Array.from(values).buffer);

export interface ZipSpec {
  readonly name: string;
  readonly data: Uint8Array;
  readonly stored?: boolean;
  /** Announce these figures instead of the true ones. */
  readonly size?: number;
  readonly packed?: number;
  readonly crc?: number;
  readonly method?: number;
  readonly flags?: number;
  /** Write sizes and place as zip64. */
  readonly wide?: boolean;
}

function uint64(...values: readonly number[]): Buffer {
  const out = Buffer.alloc(values.length * 8);
  for (const [at, value] of values.entries()) out.writeBigUInt64LE(BigInt(value), at * 8);
  return out;
}

function entryBytes(spec: ZipSpec, offset: number): { local: Buffer; central: Buffer } {
  const body = spec.stored ? spec.data : deflateRawSync(spec.data);
  const [size, packed] = [spec.size ?? spec.data.length, spec.packed ?? body.length];
  const method = spec.method ?? (spec.stored ? 0 : 8);
  const name = Buffer.from(spec.name);
  const crc = spec.crc ?? crc32(spec.data);
  const common = (head: Buffer, at: number) => {
    head.writeUInt16LE(spec.flags ?? 0, at);
    head.writeUInt16LE(method, at + 2);
    head.writeUInt32LE(crc, at + 8);
    head.writeUInt32LE(spec.wide ? 0xffffffff : packed, at + 12);
    head.writeUInt32LE(spec.wide ? 0xffffffff : size, at + 16);
    head.writeUInt16LE(name.length, at + 20);
  };
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  common(local, 6);
  const extra = spec.wide ? Buffer.concat([Buffer.from([1, 0, 24, 0]), uint64(size, packed, offset)]) : Buffer.alloc(0);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  common(central, 8);
  central.writeUInt16LE(extra.length, 30);
  central.writeUInt32LE(spec.wide ? 0xffffffff : offset, 42);
  return { local: Buffer.concat([local, name, body]), central: Buffer.concat([central, name, extra]) };
}

/** A zip archive's bytes, malformed ones too. */
export function zipBytes(entries: readonly ZipSpec[]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const spec of entries) {
    const { local, central } = entryBytes(spec, offset);
    locals.push(local);
    centrals.push(central);
    offset += local.length;
  }
  const listing = Buffer.concat(centrals);
  const wide = entries.some((entry) => entry.wide === true);
  const end64 = Buffer.concat([
    Buffer.from([0x50, 0x4b, 6, 6]),
    uint64(44),
    Buffer.alloc(12),
    uint64(entries.length, entries.length, listing.length, offset),
    Buffer.concat([
      Buffer.from([0x50, 0x4b, 6, 7, 0, 0, 0, 0]),
      uint64(offset + listing.length),
      Buffer.from([1, 0, 0, 0]),
    ]),
  ]);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(wide ? 0xffff : entries.length, 10);
  end.writeUInt32LE(wide ? 0xffffffff : listing.length, 12);
  end.writeUInt32LE(wide ? 0xffffffff : offset, 16);
  return Buffer.concat([...locals, listing, ...(wide ? [end64] : []), end]);
}

/** An npz archive of named arrays. */
export function npzBytes(arrays: Readonly<Record<string, NpySpec>>, stored = false): Buffer {
  return zipBytes(
    Object.entries(arrays).map(([name, spec]) => ({ name: `${name}.npy`, data: npyBytes(spec), stored })),
  );
}
