import { DataError } from "../../errors.ts";
import type { Rgb } from "./png-read.ts";
import { TAGS, TYPE_BYTES } from "./tiff-tags.ts";

/** What the header says of one picture of a TIFF file. */
export interface TiffPage {
  /** Its place among all pictures of the file, reduced ones included. */
  readonly index: number;
  readonly width: number;
  readonly height: number;
  /** Bits of each sample; 8, 16, 32, 64 and others. */
  readonly bits: number;
  readonly format: "unsigned" | "signed" | "float" | "other";
  /** Samples a pixel, further ones that are alpha included. */
  readonly samples: number;
  readonly hasAlpha: boolean;
  readonly photometric: Photometric;
  /** Whether its compression gives other samples than were written, as JPEG does. */
  readonly lossy: boolean;
  /** The colours of palette indices, 8 bits a channel; undefined where the page has none. */
  readonly palette: readonly Rgb[] | undefined;
  /** The value that says "nothing was measured" (GDAL_NODATA), if one does. */
  readonly noData: number | undefined;
  /** Uncompressed strips of the page, undefined where it is stored otherwise. */
  readonly strips: readonly { readonly offset: number; readonly bytes: number }[] | undefined;
  readonly orientation: number;
  /** Byte places of the numbers of three tags. */
  readonly places: Readonly<Record<"format" | "photometric" | "orientation", readonly number[]>>;
  /** How several samples a pixel lie in the file. */
  readonly layout: TiffLayout;
}

/** How the samples of a page lie in its file. */
export interface TiffLayout {
  /** One plane of the picture behind the other, instead of pixel by pixel. */
  readonly planes: boolean;
  /** 1 none, 2 differences between neighbouring pixels, 3 those of floats. */
  readonly predictor: number;
  /** Rows of a strip; the picture's own where it is one strip. */
  readonly rowsPerStrip: number;
  /** Undefined where it is stored in strips. */
  readonly tile: { readonly width: number; readonly height: number } | undefined;
  /** Where the entry of each tag stands. */
  readonly entries: ReadonlyMap<number, number>;
}

const PHOTOMETRIC = {
  0: "white is zero",
  1: "black is zero",
  2: "RGB",
  3: "palette",
  4: "transparency mask",
  5: "CMYK",
  6: "YCbCr",
  8: "CIELAB",
  9: "ICCLAB",
  10: "ITULAB",
  32803: "colour filter array",
  32844: "LogL",
  32845: "LogLuv",
} as const;
type Photometric = (typeof PHOTOMETRIC)[keyof typeof PHOTOMETRIC] | "unknown";

export interface TiffFile {
  readonly littleEndian: boolean;
  /** A BigTIFF: 8 bytes for a place or a count. */
  readonly big: boolean;
  /** The pictures in their order, without reduced copies of others and transparency masks. */
  readonly pages: readonly TiffPage[];
  /** Pictures of the file; more than `pages` where ImageJ stores a stack behind one header. */
  readonly count: number;
}

/** Headers read of one file: a chain that goes in circles ends here. */
const MOST_PAGES = 65536;
/** Numbers read of one file: places of strips, mostly. */
const MOST_NUMBERS = 2 ** 22;

interface Entry {
  readonly type: number;
  readonly count: number;
  /** Where its content starts. */
  readonly at: number;
  /** Where the entry itself starts. */
  readonly place: number;
}

/** What stands in a header, by tag. */
type Header = ReadonlyMap<number, Entry>;

/** Whether bytes start like a TIFF or BigTIFF file. */
export function looksLikeTiff(bytes: Uint8Array): boolean {
  const [a, b, c, d] = bytes;
  const little = a === 0x49 && b === 0x49 && (c === 42 || c === 43) && d === 0;
  return little || (a === 0x4d && b === 0x4d && c === 0 && (d === 42 || d === 43));
}

/** Numbers of a TIFF file in its byte order; offsets are checked by the DataView. */
class Reader {
  readonly littleEndian: boolean;
  readonly big: boolean;
  readonly length: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Numbers read so far, and bytes of the headers read so far. */
  #numbers = 0;
  #headers = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.littleEndian = bytes[0] === 0x49;
    this.big = this.short(2) === 43;
    this.length = bytes.length;
  }

  short(at: number): number {
    return this.#view.getUint16(at, this.littleEndian);
  }

  /** An offset or count: 4 bytes, 8 in a BigTIFF. */
  long(at: number): number {
    return this.big
      ? Number(this.#view.getBigUint64(at, this.littleEndian))
      : this.#view.getUint32(at, this.littleEndian);
  }

  numbers({ type, count, at }: Entry): number[] {
    const size = TYPE_BYTES[type] ?? 1;
    const read = (place: number) => {
      if (size === 2) return this.short(place);
      if (size === 4) return this.#view.getUint32(place, this.littleEndian);
      return size === 8 ? Number(this.#view.getBigUint64(place, this.littleEndian)) : this.#view.getUint8(place);
    };
    this.#numbers += count;
    if (this.#numbers > MOST_NUMBERS) throw new RangeError(`tags of ${this.#numbers} numbers`);
    return Array.from({ length: count }, (_, index) => read(at + index * size));
  }

  text({ count, at }: Entry): string {
    return Buffer.from(this.#bytes.subarray(at, at + count))
      .toString("latin1")
      .replace(/\0.*$/s, "");
  }

  /** The tags of the header at `at`, and where the next header stands (0: there is none). */
  header(at: number): { readonly entries: Header; readonly next: number } {
    const [countBytes, entryBytes, inline] = this.big ? [8, 20, 8] : [2, 12, 4];
    const count = this.big ? this.long(at) : this.short(at);
    if (at + countBytes + count * entryBytes > this.length) throw new RangeError(`a header of ${count} tags`);
    // Headers that lie in each other make a small file long to read.
    this.#headers += countBytes + count * entryBytes + inline;
    if (this.#headers > this.length) throw new RangeError("headers that overlap");
    const entries = new Map<number, Entry>();
    for (let index = 0; index < count; index++) {
      const place = at + countBytes + index * entryBytes;
      const type = this.short(place + 2);
      const amount = this.long(place + 4);
      const content = place + entryBytes - inline;
      const outside = amount * (TYPE_BYTES[type] ?? 1) > inline;
      entries.set(this.short(place), { type, count: amount, at: outside ? this.long(content) : content, place });
    }
    return { entries, next: this.long(at + countBytes + count * entryBytes) };
  }
}

/** Old-style and new-style JPEG, JPEG 2000 by its several numbers, WebP. */
const LOSSY_COMPRESSION: ReadonlySet<number> = new Set([6, 7, 33003, 33004, 33005, 34712, 50001]);

/** A ColorMap holds all reds, then all greens, then all blues, of 16 bits. */
function coloursIn(map: readonly number[]): Rgb[] | undefined {
  const count = Math.floor(map.length / 3);
  const channel = (at: number) => (map[at] ?? 0) >> 8;
  const colour = (at: number): Rgb => [channel(at), channel(count + at), channel(2 * count + at)];
  return count === 0 ? undefined : Array.from({ length: count }, (_, at) => colour(at));
}

const FORMATS = { 1: "unsigned", 2: "signed", 3: "float" } as const;

function pageOf(reader: Reader, entries: Header, index: number): TiffPage {
  const all = (tag: number) => {
    const entry = entries.get(tag);
    return entry === undefined ? [] : reader.numbers(entry);
  };
  const one = (tag: number, otherwise: number) => all(tag)[0] ?? otherwise;
  const places = (tag: number) => {
    const { count = 0, at = 0 } = entries.get(tag) ?? {};
    return Array.from({ length: Math.min(count, 16) }, (_, place) => at + 2 * place);
  };
  const height = one(TAGS.height, 0);
  const samples = one(TAGS.samples, 1);
  const extra = all(TAGS.extra);
  const photometric = PHOTOMETRIC[one(TAGS.photometric, 1) as keyof typeof PHOTOMETRIC] ?? "unknown";
  const isRgba = photometric === "RGB" && samples === 4;
  const noData = entries.get(TAGS.noData);
  const text = noData === undefined ? "" : reader.text(noData).trim();
  const offsets = all(TAGS.stripOffsets);
  const bytes = all(TAGS.stripBytes);
  const compression = one(TAGS.compression, 1);
  const isPlain = compression === 1 && (one(TAGS.planar, 1) === 1 || samples === 1) && offsets.length > 0;
  return {
    ...{ index, samples, photometric },
    width: one(TAGS.width, 0),
    height,
    bits: one(TAGS.bits, 1),
    format: FORMATS[one(TAGS.format, 1) as keyof typeof FORMATS] ?? "other",
    hasAlpha: isRgba || extra.includes(1) || extra.includes(2),
    lossy: LOSSY_COMPRESSION.has(compression),
    palette: coloursIn(all(TAGS.colourMap)),
    noData: text === "" ? undefined : Number(text),
    strips: isPlain ? offsets.map((offset, strip) => ({ offset, bytes: bytes[strip] ?? 0 })) : undefined,
    orientation: one(TAGS.orientation, 1),
    places: {
      format: places(TAGS.format),
      photometric: places(TAGS.photometric),
      orientation: places(TAGS.orientation),
    },
    layout: {
      planes: one(TAGS.planar, 1) === 2,
      predictor: one(TAGS.predictor, 1),
      rowsPerStrip: Math.min(one(TAGS.rowsPerStrip, height), height),
      tile: entries.has(TAGS.tileWidth)
        ? { width: one(TAGS.tileWidth, 0), height: one(TAGS.tileHeight, 0) }
        : undefined,
      entries: new Map([...entries].map(([tag, { place }]) => [tag, place] as const)),
    },
  };
}

/** Of `NewSubfileType`: a reduced copy of another picture, a transparency mask. */
const REDUCED = 1;
const MASK = 4;

/**
 * The headers of a TIFF or BigTIFF file: its pages and how each stores its samples. Decoders give the first page and tell
 * neither the others nor the meaning of the samples. Throws DataError naming `file` where the headers are damaged.
 */
export function readTiff(bytes: Uint8Array, file: string): TiffFile {
  try {
    const reader = new Reader(bytes);
    const headers = headersOf(reader);
    const description = headers[0]?.get(TAGS.description);
    const isCopy = (entries: Header) => {
      const kind = entries.get(TAGS.subfile);
      return kind !== undefined && ((reader.numbers(kind)[0] ?? 0) & (REDUCED | MASK)) !== 0;
    };
    const pages = headers.flatMap((entries, index) => (isCopy(entries) ? [] : [pageOf(reader, entries, index)]));
    if (pages.length === 0) throw new RangeError("no picture in it");
    const stack = description === undefined ? 1 : imagesOf(reader.text(description));
    return { littleEndian: reader.littleEndian, big: reader.big, pages, count: Math.max(pages.length, stack) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new DataError(`${file}: the TIFF is damaged or cut short (${why}); restore the file from its source`);
  }
}

/** All headers of a file, in the order of their chain. */
function headersOf(reader: Reader): Header[] {
  const headers: Header[] = [];
  const seen = new Set<number>();
  for (let at = reader.long(reader.big ? 8 : 4); at !== 0 && !seen.has(at); ) {
    seen.add(at);
    if (seen.size > MOST_PAGES) throw new RangeError(`more than ${MOST_PAGES} pages`);
    const { entries, next } = reader.header(at);
    headers.push(entries);
    at = next;
  }
  return headers;
}

/** ImageJ writes how many images follow one header. */
function imagesOf(description: string): number {
  return description.startsWith("ImageJ=") ? Number(/^images=(\d+)$/m.exec(description)?.[1] ?? 1) : 1;
}
