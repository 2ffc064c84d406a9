/** One picture of a TIFF file: its samples as stored, uncompressed in one strip. */
export interface TiffSpec {
  readonly width: number;
  readonly height: number;
  readonly data:
    | Uint8Array
    | Int8Array
    | Uint16Array
    | Int16Array
    | Uint32Array
    | Int32Array
    | Float32Array
    | Float64Array;
  /** Samples a pixel. */
  readonly samples?: number;
  /** 1 unsigned, 2 signed, 3 float, 5 complex; by the kind of array where it is not given. */
  readonly format?: number;
  /** 0 white is zero, 1 black is zero, 2 RGB, 5 CMYK, 8 CIELAB. */
  readonly photometric?: number;
  /** Stored plane by plane: `data` is one channel behind the other. */
  readonly planes?: boolean;
  /** Further tags by number: SHORT numbers, or text. */
  readonly tags?: Readonly<Record<number, number | string>>;
}

const formatOf = ({ data, format }: TiffSpec) =>
  format ??
  (data instanceof Float32Array || data instanceof Float64Array ? 3 : /^Int/.test(data.constructor.name) ? 2 : 1);

/** A file that grows; every part starts at an even place. */
class Parts {
  readonly #parts: Buffer[] = [];
  #length = 0;

  append(bytes: Buffer): number {
    const at = this.#length;
    this.#parts.push(bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(1)]));
    this.#length += bytes.length + (bytes.length % 2);
    return at;
  }

  joined(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

const shorts = (values: readonly number[]) => Buffer.from(Uint16Array.from(values).buffer);

/** One tag: text, a LONG where a SHORT is too small or it is a place, else `count` times the SHORT. */
function tagEntry(tag: number, value: number | string | readonly number[], count: number, parts: Parts): Buffer {
  const list = typeof value === "object" ? value : undefined;
  const long = list !== undefined || (typeof value === "number" && (value > 65535 || tag === 273 || tag === 279));
  const content =
    typeof value === "string"
      ? Buffer.from(`${value}\0`, "latin1")
      : long
        ? Buffer.from(Uint32Array.from(list ?? [Number(value)]).buffer)
        : shorts(Array(count).fill(Number(value)));
  const entry = Buffer.alloc(12);
  entry.writeUInt16LE(tag, 0);
  entry.writeUInt16LE(typeof value === "string" ? 2 : long ? 4 : 3, 2);
  entry.writeUInt32LE(typeof value === "string" ? content.length : (list?.length ?? count), 4);
  if (content.length <= 4) content.copy(entry, 8);
  else entry.writeUInt32LE(parts.append(content), 8);
  return entry;
}

/** A little-endian TIFF of the given pictures, one page each. */
export function tiffBytes(...pages: readonly TiffSpec[]): Buffer {
  const parts = new Parts();
  parts.append(Buffer.from([0x49, 0x49, 42, 0, 0, 0, 0, 0]));
  const links: { readonly from: number; readonly to: number }[] = [];
  let link = 4;
  for (const page of pages) {
    const { width, height, data, samples = 1, photometric = samples >= 3 ? 2 : 1 } = page;
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const strip = parts.append(bytes);
    const each = bytes.length / samples;
    const places = Array.from({ length: samples }, (_, plane) => strip + plane * each);
    const tags: Record<number, number | string | readonly number[]> = {
      ...{ 256: width, 257: height, 258: data.BYTES_PER_ELEMENT * 8, 259: 1, 262: photometric, 273: strip },
      ...{ 277: samples, 278: height, 279: bytes.length, 284: 1, 339: formatOf(page) },
      ...(page.planes ? { 273: places, 279: places.map(() => each), 284: 2 } : {}),
      ...page.tags,
    };
    const entries = Object.entries(tags).map(([tag, value]) =>
      tagEntry(Number(tag), value, tag === "258" || tag === "339" ? samples : 1, parts),
    );
    const header = parts.append(Buffer.concat([shorts([entries.length]), ...entries, Buffer.alloc(4)]));
    links.push({ from: link, to: header });
    link = header + 2 + 12 * entries.length;
  }
  const file = parts.joined();
  for (const { from, to } of links) file.writeUInt32LE(to, from);
  return file;
}
