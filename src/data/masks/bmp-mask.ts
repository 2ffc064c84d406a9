import { DataError } from "../../errors.ts";
import type { Rgb } from "../codec/png-read.ts";
import { labelsIn, type StoredMask } from "./stored-mask.ts";

const FILE_HEADER = 14;
/** BITMAPINFOHEADER; longer headers begin with its fields. */
const INFO_HEADER = 40;
const MOST_PIXELS = 2 ** 29;

const unreadable = (file: string, what: string) =>
  new DataError(`${file}: the BMP is damaged or of a kind that is not read as a mask (${what}); export it as PNG`);

export function looksLikeBmp(bytes: Buffer): boolean {
  return bytes.length > FILE_HEADER + INFO_HEADER && bytes.toString("latin1", 0, 2) === "BM";
}

/** Where the rows lie and how they are stored. */
function headerOf(bytes: Buffer, file: string) {
  const [start, length] = [bytes.readUInt32LE(10), bytes.readUInt32LE(14)];
  if (length < INFO_HEADER) throw unreadable(file, `a header of ${length} bytes`);
  const [width, signedHeight] = [bytes.readInt32LE(18), bytes.readInt32LE(22)];
  const [bits, compression, used] = [bytes.readUInt16LE(28), bytes.readUInt32LE(30), bytes.readUInt32LE(46)];
  const height = Math.abs(signedHeight);
  if (compression !== 0 || ![1, 4, 8, 24, 32].includes(bits)) {
    throw unreadable(file, `${bits} bits a pixel, compression ${compression}`);
  }
  if (!(width > 0 && height > 0 && width * height <= MOST_PIXELS)) throw unreadable(file, `${width}x${height} pixels`);
  // Rows are padded to whole words of 32 bits.
  const stride = Math.ceil((width * bits) / 32) * 4;
  if (start + stride * height > bytes.length) throw unreadable(file, "it is cut short");
  const palette = bits > 8 ? undefined : paletteOf(bytes, FILE_HEADER + length, Math.min(used || 2 ** bits, 2 ** bits));
  return { start, width, height, bits, stride, palette, bottomUp: signedHeight > 0 };
}

/** Colours stand as blue, green, red and a byte unused. */
function paletteOf(bytes: Buffer, at: number, count: number): Rgb[] {
  const channel = (index: number, offset: number) => bytes[at + 4 * index + offset] ?? 0;
  return Array.from({ length: count }, (_, index): Rgb => [channel(index, 2), channel(index, 1), channel(index, 0)]);
}

function readIndexRow(line: Buffer, bits: number, to: Uint8Array): void {
  for (let column = 0; column < to.length; column++) {
    const bit = column * bits;
    to[column] = ((line[bit >> 3] ?? 0) >> (8 - bits - (bit & 7))) & (2 ** bits - 1);
  }
}

/** Blue, green, red, and of 32 bits a byte unused, to red, green, blue. */
function readRgbRow(line: Buffer, bits: number, to: Uint8Array): void {
  for (let at = 0; at < to.length; at++) {
    const pixel = Math.floor(at / 3);
    to[at] = line[(pixel * bits) / 8 + 2 - (at - 3 * pixel)] ?? 0;
  }
}

/**
 * The labels of an uncompressed BMP as stored: palette indices of 1, 4 and 8 bits, RGB of 24 and 32. Throws DataError
 * naming `file` where it is damaged or of another kind.
 */
export function bmpMask(bytes: Buffer, file: string): StoredMask {
  const { start, width, height, bits, stride, palette, bottomUp } = headerOf(bytes, file);
  const channels = palette === undefined ? 3 : 1;
  const samples = new Uint8Array(width * height * channels);
  const read = channels === 3 ? readRgbRow : readIndexRow;
  for (let row = 0; row < height; row++) {
    const line = bytes.subarray(start + stride * (bottomUp ? height - 1 - row : row));
    read(line, bits, samples.subarray(row * width * channels, (row + 1) * width * channels));
  }
  const labels = labelsIn({ width, height, channels, samples }, 255, file);
  const mode = palette === undefined ? "rgb" : "palette";
  const kind = { mode, depth: Math.min(bits, 8), white: 255, whiteIsZero: false, exact: true, palette };
  return { file, width, height, ...labels, ...kind };
}
