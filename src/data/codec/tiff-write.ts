import { deflateSync } from "node:zlib";
import { TAGS } from "./tiff-tags.ts";

/** Values of one channel, row by row. */
interface ValuePicture {
  readonly width: number;
  readonly height: number;
  readonly values: ArrayLike<number>;
  /** Low values are bright. */
  readonly inverted?: boolean;
}

const SHORT = 3;
const LONG = 4;
const DEFLATE = 8;
/** Byte of the samples; the header stands behind them. */
const START = 8;

const isShort = (value: number) => Number.isInteger(value) && value >= -32768 && value <= 32767;

/**
 * A little-endian TIFF of one channel that keeps its values: as 16-bit whole numbers where all are such, else in single
 * precision, NaN included; one strip, deflated.
 */
export function encodeTiff({ width, height, values, inverted = false }: ValuePicture): Buffer {
  const numbers = Array.from(values);
  const isWhole = numbers.every(isShort);
  const samples = isWhole ? Int16Array.from(numbers) : Float32Array.from(numbers);
  const bytes = deflateSync(new Uint8Array(samples.buffer));
  const tags: readonly (readonly [tag: number, type: number, value: number])[] = [
    [TAGS.width, LONG, width],
    [TAGS.height, LONG, height],
    [TAGS.bits, SHORT, isWhole ? 16 : 32],
    [TAGS.compression, SHORT, DEFLATE],
    [TAGS.photometric, SHORT, inverted ? 0 : 1],
    [TAGS.stripOffsets, LONG, START],
    [TAGS.samples, SHORT, 1],
    [TAGS.rowsPerStrip, LONG, height],
    [TAGS.stripBytes, LONG, bytes.length],
    [TAGS.format, SHORT, isWhole ? 2 : 3],
  ];
  const header = START + bytes.length + (bytes.length % 2);
  const file = Buffer.alloc(header + 2 + 12 * tags.length + 4);
  file.write("II", 0, "latin1");
  file.writeUInt16LE(42, 2);
  file.writeUInt32LE(header, 4);
  file.set(bytes, START);
  file.writeUInt16LE(tags.length, header);
  for (const [index, [tag, type, value]] of tags.entries()) {
    const at = header + 2 + 12 * index;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(type, at + 2);
    file.writeUInt32LE(1, at + 4);
    file.writeUInt32LE(value, at + 8);
  }
  return file;
}
