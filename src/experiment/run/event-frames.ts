import type { FileReader } from "./file-reader.ts";

const POLYNOMIAL = 0x82f63b78; // Castagnoli, bits reversed
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value;
});

/** CRC-32C (Castagnoli). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** TFRecord stores checksums rotated and offset, because a checksum of data that holds checksums is weak. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Bytes of a frame before and after its data: length and its checksum; the data's. */
const HEAD = 12;
const TAIL = 4;
/** An event of ours has some hundred bytes. */
const MOST_FRAME_BYTES = 1 << 20;

/** A TFRecord frame: length, masked CRC-32C of the length, data, masked CRC-32C of the data. */
export function frame(data: Uint8Array): Buffer {
  const out = Buffer.alloc(data.length + HEAD + TAIL);
  out.writeBigUInt64LE(BigInt(data.length), 0);
  out.writeUInt32LE(maskedCrc32c(out.subarray(0, 8)), 8);
  out.set(data, HEAD);
  out.writeUInt32LE(maskedCrc32c(data), HEAD + data.length);
  return out;
}

/**
 * The frames of a file, whole, one by one. At the end, or at the first frame that is none, it returns what the reader
 * stands before: nothing, a frame that was cut off, or bytes that are no frame.
 */
export function* frames(reader: FileReader): Generator<Buffer, "end" | "cut off" | "no frame"> {
  while (reader.rest > 0) {
    const whole = frameAt(reader);
    if (typeof whole === "string") return whole;
    yield reader.take(whole.length);
  }
  return "end";
}

/** The frame that the reader stands before. */
function frameAt(reader: FileReader): Buffer | "cut off" | "no frame" {
  const head = reader.peek(HEAD);
  if (head.length < HEAD) return "cut off";
  const length = Number(head.readBigUInt64LE(0));
  if (length > MOST_FRAME_BYTES || head.readUInt32LE(8) !== maskedCrc32c(head.subarray(0, 8))) return "no frame";
  const whole = reader.peek(HEAD + length + TAIL);
  if (whole.length < HEAD + length + TAIL) return "cut off";
  return whole.readUInt32LE(HEAD + length) === maskedCrc32c(dataOf(whole)) ? whole : "no frame";
}

/** The first whole frame at or behind the reader's place, before which it then stands; undefined where none is near. */
export function nextFrame(reader: FileReader): Buffer | undefined {
  for (let passed = 0; passed < MOST_FRAME_BYTES && reader.rest > 0; passed++, reader.take(1)) {
    const whole = frameAt(reader);
    if (typeof whole !== "string") return whole;
  }
  return undefined;
}

export const dataOf = (whole: Buffer): Buffer => whole.subarray(HEAD, whole.length - TAIL);
