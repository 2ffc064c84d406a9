import { DataError } from "../../errors.ts";
import { DEFLATE_RATIO } from "../deflate.ts";
import { joinedBytes } from "./joined-bytes.ts";

/** What every PNG file begins with. */
export const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** Numbers of the header for kinds of pixels. */
export const COLOUR_TYPES = { grey: 0, rgb: 2, palette: 3, greyAlpha: 4, rgbAlpha: 6 } as const;

export type PngKind = keyof typeof COLOUR_TYPES;

const SAMPLES_PER_PIXEL = { grey: 1, rgb: 3, palette: 1, greyAlpha: 2, rgbAlpha: 4 } satisfies Record<PngKind, number>;

export interface PngSamples {
  readonly width: number;
  readonly height: number;
  readonly kind: PngKind;
  /** Bits a sample: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  /** Samples a pixel, alpha included. */
  readonly channels: number;
  /** Values as stored: palette indices, unscaled grey. Row-major, channels last. */
  readonly samples: Uint16Array;
  /** The colours that palette indices are shown in; undefined where the file has none. */
  readonly palette: readonly Rgb[] | undefined;
}

/** Whether bytes start like a PNG file. */
export const looksLikePng = (bytes: Uint8Array): boolean => SIGNATURE.every((byte, at) => bytes[at] === byte);

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly kind: PngKind;
  readonly interlaced: boolean;
}

interface Chunk {
  readonly type: string;
  readonly body: Uint8Array;
}

const damaged = (file: string, what: string) =>
  new DataError(`${file}: the PNG is damaged or cut short (${what}); restore the file from its source`);

/** What a PNG is unpacked by: zlib in Node, the same in JavaScript elsewhere. */
export interface PngUnpacking {
  /** CRC-32 of bytes, as an unsigned number. */
  crc32(bytes: Uint8Array): number;
  /** Undoes zlib's format; throws where that does not work. `length` bytes are enough for all that is wanted. */
  inflate(packed: Uint8Array, length: number): Uint8Array;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function* chunksOf(bytes: Uint8Array, file: string, { crc32 }: PngUnpacking): Generator<Chunk> {
  const view = viewOf(bytes);
  let at = SIGNATURE.length;
  while (at < bytes.length) {
    if (at + 12 > bytes.length) throw damaged(file, `ends inside a chunk at byte ${bytes.length}`);
    const length = view.getUint32(at);
    const end = at + 12 + length;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (end > bytes.length) throw damaged(file, `chunk ${type} needs ${end} bytes, the file has ${bytes.length}`);
    if (crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) {
      throw damaged(file, `checksum of chunk ${type} at byte ${at} is wrong`);
    }
    yield { type, body: bytes.subarray(at + 8, end - 4) };
    if (type === "IEND") return;
    at = end;
  }
  throw damaged(file, "no end marker");
}

function headerOf(body: Uint8Array, file: string): Header {
  if (body.length !== 13) throw damaged(file, `header of ${body.length} bytes`);
  const kinds = Object.keys(COLOUR_TYPES) as PngKind[];
  const kind = kinds.find((name) => COLOUR_TYPES[name] === body[9]);
  const header = { width: viewOf(body).getUint32(0), height: viewOf(body).getUint32(4), depth: body[8] ?? 0 };
  const depths = kind === "grey" ? [1, 2, 4, 8, 16] : kind === "palette" ? [1, 2, 4, 8] : [8, 16];
  if (kind === undefined || !depths.includes(header.depth) || header.width === 0 || header.height === 0) {
    throw damaged(file, `header: ${header.width}x${header.height}, ${header.depth} bits, colour type ${body[9]}`);
  }
  return { ...header, kind, interlaced: body[12] === 1 };
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

type Predictor = (left: number, up: number, corner: number) => number;
const PREDICTORS: readonly Predictor[] = [
  () => 0,
  (left) => left,
  (_, up) => up,
  (left, up) => (left + up) >> 1,
  paeth,
];

/** Undoes one row's filter in place. `stride` bytes lie between a byte and the one above it; 0 for the first row. */
function unfilterRow(
  data: Uint8Array,
  start: number,
  end: number,
  pixelBytes: number,
  stride: number,
  predict: Predictor,
) {
  for (let at = start; at < end; at++) {
    const left = at - start >= pixelBytes ? pixelBytes : 0;
    const fromLeft = left === 0 ? 0 : (data[at - left] ?? 0);
    const fromUp = stride === 0 ? 0 : (data[at - stride] ?? 0);
    const fromCorner = left === 0 || stride === 0 ? 0 : (data[at - stride - left] ?? 0);
    data[at] = (data[at] ?? 0) + predict(fromLeft, fromUp, fromCorner);
  }
}

/** Undoes the row filters of `rows` rows of `rowBytes` bytes in place; each is preceded by its filter's number. */
function unfilter(data: Uint8Array, rows: number, rowBytes: number, pixelBytes: number, file: string): void {
  const stride = rowBytes + 1;
  for (let row = 0; row < rows; row++) {
    const start = row * stride;
    const filter = data[start] ?? 255;
    const predict = PREDICTORS[filter];
    if (predict === undefined) throw damaged(file, `row ${row} has filter ${filter}`);
    if (filter !== 0) unfilterRow(data, start + 1, start + stride, pixelBytes, row === 0 ? 0 : stride, predict);
  }
}

/** Sample number `index` of a row that starts at byte `start`. */
function sampleAt(data: Uint8Array, start: number, index: number, depth: number): number {
  if (depth === 8) return data[start + index] ?? 0;
  if (depth === 16) return ((data[start + 2 * index] ?? 0) << 8) | (data[start + 2 * index + 1] ?? 0);
  const bit = index * depth;
  return ((data[start + (bit >> 3)] ?? 0) >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
}

/** A part of the picture stored on its own: every `stepX`-th column from `left`, every `stepY`-th row from `top`. */
type Pass = readonly [left: number, top: number, stepX: number, stepY: number];
const WHOLE_PICTURE: readonly Pass[] = [[0, 0, 1, 1]];
const ADAM7: readonly Pass[] = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/** Copies one pass to its places in `out`; gives the bytes it took. */
function readPass(header: Header, data: Uint8Array, pass: Pass, out: Uint16Array, file: string): number {
  const [left, top, stepX, stepY] = pass;
  const channels = SAMPLES_PER_PIXEL[header.kind];
  const { columns, rows, rowBytes, length } = passSize(header, pass);
  if (length === 0) return 0;
  unfilter(data, rows, rowBytes, Math.max(1, (channels * header.depth) >> 3), file);
  for (let row = 0; row < rows; row++) {
    const start = row * (rowBytes + 1) + 1;
    const line = (top + row * stepY) * header.width;
    if (header.depth === 8 && stepX === 1) {
      out.set(data.subarray(start, start + columns * channels), (line + left) * channels);
      continue;
    }
    for (let index = 0; index < columns * channels; index++) {
      const column = Math.floor(index / channels);
      const to = (line + left + column * stepX) * channels + (index - column * channels);
      out[to] = sampleAt(data, start, index, header.depth);
    }
  }
  return length;
}

/** Extents and bytes of one pass; 0 bytes where the picture is too small for it. */
function passSize({ width, height, depth, kind }: Header, [left, top, stepX, stepY]: Pass) {
  const columns = Math.max(0, Math.ceil((width - left) / stepX));
  const rows = Math.max(0, Math.ceil((height - top) / stepY));
  const rowBytes = Math.ceil((columns * SAMPLES_PER_PIXEL[kind] * depth) / 8);
  return { columns, rows, rowBytes, length: columns === 0 ? 0 : rows * (rowBytes + 1) };
}

/** Largest picture, as bytes of its unpacked rows and of its samples together: 18900 x 18900 pixels of 8 bits. */
const MOST_BYTES = 2 ** 30;
/** Bytes behind the last row that are tolerated. */
const SLACK = 2 ** 16;

/** The unpacked rows. Sizes are checked before memory is taken: a few bytes may announce a picture of terabytes. */
function unpacked(parts: readonly Uint8Array[], length: number, file: string, unpacking: PngUnpacking): Uint8Array {
  const packed = joinedBytes(parts);
  if (length > packed.length * DEFLATE_RATIO) {
    throw damaged(
      file,
      `the header announces ${length} bytes of pixels, ${packed.length} packed ones cannot hold them`,
    );
  }
  try {
    return unpacking.inflate(packed, length + SLACK);
  } catch (error) {
    throw damaged(file, error instanceof Error ? error.message : String(error));
  }
}

/**
 * Decodes a PNG to its stored values, of every colour type, depth and interlacing (PNG, third edition). General
 * decoders turn a palette into colours and stretch 1-, 2- and 4-bit grey to 0..255; in a mask both are class indices
 * and must survive. Throws DataError, naming `file`, for anything else or damaged.
 */
export function readPng(bytes: Uint8Array, file: string, unpacking: PngUnpacking): PngSamples {
  if (bytes.length === 0) throw new DataError(`${file}: the file is empty; restore it from its source`);
  if (!looksLikePng(bytes)) {
    throw new DataError(`${file}: this is no PNG (it starts with other bytes); convert it`);
  }
  let header: Header | undefined;
  let palette: readonly Rgb[] | undefined;
  const parts: Uint8Array[] = [];
  for (const { type, body } of chunksOf(bytes, file, unpacking)) {
    if (type === "IHDR") header = headerOf(body, file);
    if (type === "IDAT") parts.push(body);
    if (type === "PLTE") palette = coloursOf(body);
  }
  if (header === undefined) throw damaged(file, "no header");
  const { width, height, kind, depth } = header;
  const channels = SAMPLES_PER_PIXEL[kind];
  return { width, height, kind, depth, channels, palette, samples: samplesOf(header, parts, file, unpacking) };
}

/** The colours of a PLTE chunk. */
function coloursOf(body: Uint8Array): Rgb[] {
  const channel = (at: number) => body[at] ?? 0;
  return Array.from({ length: Math.floor(body.length / 3) }, (_, index): Rgb => {
    const at = 3 * index;
    return [channel(at), channel(at + 1), channel(at + 2)];
  });
}

/** All samples, in their places. */
function samplesOf(header: Header, parts: readonly Uint8Array[], file: string, unpacking: PngUnpacking): Uint16Array {
  const { width, height, kind, interlaced } = header;
  const count = width * height * SAMPLES_PER_PIXEL[kind];
  const passes = interlaced ? ADAM7 : WHOLE_PICTURE;
  const length = passes.reduce((sum, pass) => sum + passSize(header, pass).length, 0);
  if (length + 2 * count > MOST_BYTES) {
    throw new DataError(
      `${file}: ${width}x${height} are ${(count / 1e6).toFixed(0)} million samples, more than can be read at once ` +
        `(${MOST_BYTES / 2 ** 20} MiB); cut it into smaller pictures`,
    );
  }
  let data = unpacked(parts, length, file, unpacking);
  if (data.length < length) throw damaged(file, "fewer pixels than the header announces");
  const samples = new Uint16Array(count);
  for (const pass of passes) data = data.subarray(readPass(header, data, pass, samples, file));
  return samples;
}

export type Rgb = readonly [red: number, green: number, blue: number];
