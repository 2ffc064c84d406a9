import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { writeFileAtomic } from "../../files/atomic.ts";

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

/** One curve point as it is stored. */
interface ScalarEvent {
  readonly step: number;
  readonly wallTime: number;
  readonly values: ReadonlyMap<string, number>;
}

/**
 * Appends scalars to TensorBoard's event file: TFRecord frames (length, masked CRC-32C of the length, data, masked
 * CRC-32C of the data) around `Event` messages in protocol-buffer encoding, of which only what a scalar curve needs is
 * written. `truncateEvents` makes a resumed run continue it without double points.
 */
export class EventWriter {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    if (!existsSync(path)) writeFileAtomic(path, frame(fileVersion()));
  }

  /** Adds one step's values, by tag. A value that is not finite is stored as it is; TensorBoard shows a gap. */
  add(step: number, values: Readonly<Record<string, number>>): void {
    appendFileSync(this.#path, frame(scalarEvent(step, Date.now() / 1000, values)));
  }
}

/** Rewrites an event file without the events after `step` and without a last frame that was cut off. */
export function truncateEvents(path: string, step: number): void {
  if (!existsSync(path)) return;
  const belongs = (event: ScalarEvent) => event.values.size === 0 || event.step <= step; // the first names the version
  const kept = frames(readFileSync(path)).filter((data) => belongs(decode(data)));
  writeFileAtomic(path, Buffer.concat(kept.map(frame)));
}

/** Every scalar event of a file's bytes. A frame whose checksum is wrong ends the reading, as in TensorBoard. */
export function readEvents(bytes: Uint8Array): ScalarEvent[] {
  const events = frames(bytes).map(decode);
  return events.filter((event) => event.values.size > 0);
}

function frame(data: Uint8Array): Uint8Array {
  const out = Buffer.alloc(data.length + 16);
  out.writeBigUInt64LE(BigInt(data.length), 0);
  out.writeUInt32LE(maskedCrc32c(out.subarray(0, 8)), 8);
  out.set(data, 12);
  out.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return out;
}

function frames(bytes: Uint8Array): Uint8Array[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Uint8Array[] = [];
  for (let at = 0; at + 16 <= buffer.length; ) {
    const length = Number(buffer.readBigUInt64LE(at));
    const end = at + 12 + length;
    if (buffer.readUInt32LE(at + 8) !== maskedCrc32c(buffer.subarray(at, at + 8)) || end + 4 > buffer.length) break;
    const data = buffer.subarray(at + 12, end);
    if (buffer.readUInt32LE(end) !== maskedCrc32c(data)) break;
    found.push(data);
    at = end + 4;
  }
  return found;
}

/** Field numbers of tensorflow's event.proto and summary.proto. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5 };
const SUMMARY = { value: 1 };
const VALUE = { tag: 1, simpleValue: 2 };
const WIRE = { varint: 0, eight: 1, bytes: 2, four: 5 };

function fileVersion(): Buffer {
  const wallTime = fixed(EVENT.wallTime, Date.now() / 1000, WIRE.eight);
  return Buffer.concat([wallTime, block(EVENT.fileVersion, Buffer.from("brain.Event:2"))]);
}

function scalarEvent(step: number, wallTime: number, values: Readonly<Record<string, number>>): Buffer {
  const points = Object.entries(values).map(([tag, value]) =>
    block(
      SUMMARY.value,
      Buffer.concat([block(VALUE.tag, Buffer.from(tag)), fixed(VALUE.simpleValue, value, WIRE.four)]),
    ),
  );
  const number = Buffer.concat([key(EVENT.step, WIRE.varint), varint(step)]);
  return Buffer.concat([
    fixed(EVENT.wallTime, wallTime, WIRE.eight),
    number,
    block(EVENT.summary, Buffer.concat(points)),
  ]);
}

function key(field: number, wire: number): Buffer {
  return Buffer.from([(field << 3) | wire]);
}

function block(field: number, content: Uint8Array): Buffer {
  return Buffer.concat([key(field, WIRE.bytes), varint(content.length), content]);
}

function fixed(field: number, value: number, wire: number): Buffer {
  const out = Buffer.alloc(wire === WIRE.eight ? 8 : 4);
  if (wire === WIRE.eight) out.writeDoubleLE(value);
  else out.writeFloatLE(value);
  return Buffer.concat([key(field, wire), out]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

/** One field of a message: its number and its content; integers and lengths are decoded already. */
function* fields(message: Buffer): Generator<{ field: number; number: number; content: Buffer }> {
  let at = 0;
  const readVarint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(value);
    }
  };
  while (at < message.length) {
    const head = readVarint();
    const wire = head & 7;
    const number = wire === WIRE.varint || wire === WIRE.bytes ? readVarint() : 0;
    const length = { [WIRE.eight]: 8, [WIRE.four]: 4, [WIRE.bytes]: number }[wire] ?? 0;
    yield { field: head >>> 3, number, content: message.subarray(at, at + length) };
    at += length;
  }
}

function decode(data: Uint8Array): ScalarEvent {
  let step = 0;
  let wallTime = 0;
  const values = new Map<string, number>();
  for (const { field, number, content } of fields(Buffer.from(data))) {
    if (field === EVENT.step) step = number;
    if (field === EVENT.wallTime) wallTime = content.readDoubleLE();
    if (field !== EVENT.summary) continue;
    for (const point of fields(content)) {
      const parts = new Map([...fields(point.content)].map((part) => [part.field, part.content]));
      values.set(String(parts.get(VALUE.tag) ?? ""), parts.get(VALUE.simpleValue)?.readFloatLE() ?? Number.NaN);
    }
  }
  return { step, wallTime, values };
}
