import { appendFileSync, existsSync, statSync } from "node:fs";
import { writeFileAtomic } from "../../files/atomic.ts";
import { CutLog, movedNote } from "./cut-log.ts";
import { dataOf, frame, frames, nextFrame } from "./event-frames.ts";
import {
  EVENT,
  type EventImage,
  type HyperParameters,
  imageEvent,
  scalarEvent,
  sessionEvent,
  VALUE,
  versionEvent,
} from "./event-messages.ts";
import { FileReader, startOfEnd } from "./file-reader.ts";

const COPIED_AT_ONCE = 1 << 20;

/** One curve point as it is stored. */
interface ScalarEvent {
  readonly step: number;
  readonly wallTime: number;
  readonly values: ReadonlyMap<string, number>;
}

/** Any event: `others` is how many values it has that are no scalars: pictures, settings, what other programs store. */
interface AnyEvent extends ScalarEvent {
  readonly others: number;
}

/**
 * Appends to TensorBoard's event file: TFRecord frames (length, masked CRC-32C of the length, data, masked CRC-32C of the
 * data) around the `Event` messages of event-messages.ts. `cutEvents` makes a resumed run continue it without double points.
 */
export class EventWriter {
  readonly #path: string;

  /** A file that begins says the hyper-parameters of the run, by name, for TensorBoard's table of runs. */
  constructor(path: string, settings: HyperParameters = {}) {
    this.#path = path;
    if (existsSync(path) && statSync(path).size > 0) return;
    const first = [versionEvent(now()), sessionEvent(now(), settings)];
    writeFileAtomic(path, Buffer.concat(first.map(frame)));
  }

  /** Adds one step's values, by tag. A value that is not finite is stored as it is; TensorBoard shows a gap. */
  add(step: number, values: Readonly<Record<string, number>>): void {
    appendFileSync(this.#path, frame(scalarEvent({ step, wallTime: now() }, values)));
  }

  /** Adds pictures of one step, by tag. */
  addImages(step: number, images: ReadonlyMap<string, EventImage>): void {
    appendFileSync(this.#path, frame(imageEvent({ step, wallTime: now() }, images)));
  }
}

/** Seconds since 1970, as events have them. */
const now = (): number => Date.now() / 1000;

/**
 * Moves the events after `step`, and whatever is behind the first damaged frame, from an event file to the file `cut`. A
 * last frame that was cut off, as a killed process leaves it, is dropped. A file that is no event file is moved whole. Of
 * a file longer than 64 MiB only the end is looked at. Returns a sentence on what was moved, null where nothing was.
 */
export function cutEvents(path: string, step: number, cut: string): string | null {
  if (!existsSync(path)) return null;
  const start = startOfEnd(path, (end) => placeOfKept(end, step));
  const log = new CutLog(path, cut, start);
  const reader = new FileReader(path, start);
  let [whole, late, strange] = [0, 0, 0];
  try {
    const all = frames(reader);
    let next = all.next();
    for (; !next.done; next = all.next(), whole++) {
      const { values, others, step: at } = decode(dataOf(next.value));
      const belongs = values.size + others === 0 || at <= step; // the first names the version
      if (belongs) log.keep(next.value);
      else {
        log.cut(next.value);
        late++;
      }
    }
    if (next.value === "cut off" && whole > 0) log.drop();
    else {
      strange = reader.rest;
      while (reader.rest > 0) log.cut(reader.take(COPIED_AT_ONCE));
    }
    log.finish();
  } finally {
    log.abandon();
    reader.close();
  }
  return movedNote(path, cut, [
    late > 0 && `${late} events after step ${step}`,
    strange > 0 && `${strange} bytes that are no events`,
  ]);
}

/** Where the first event near the reader begins, if it is one of `step` or before. */
function placeOfKept(reader: FileReader, step: number): number | undefined {
  const whole = nextFrame(reader);
  return whole !== undefined && decode(dataOf(whole)).step <= step ? reader.position : undefined;
}

/** Every scalar event of a file, one by one. A frame whose checksum is wrong ends the reading, as in TensorBoard. */
export function* readEvents(path: string): Generator<ScalarEvent> {
  const reader = new FileReader(path);
  try {
    for (const whole of frames(reader)) {
      const event = decode(dataOf(whole));
      if (event.values.size > 0) yield event;
    }
  } finally {
    reader.close();
  }
}

/** How a field is written: its number's lowest three bits. */
const WIRE = { varint: 0, eight: 1, bytes: 2, four: 5 };

/** Bytes of the longest number of 64 bits; sums over longer ones would take their time. */
const MOST_VARINT_BYTES = 10;

/**
 * One field of a message: its number and its content; integers and lengths are decoded already. What is no field ends the
 * message.
 */
function* fields(message: Buffer): Generator<{ field: number; number: number; content: Buffer }> {
  let at = 0;
  const readVarint = () => {
    let value = 0n;
    for (let count = 0; count < MOST_VARINT_BYTES; count++) {
      const byte = message[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << BigInt(7 * count);
      if (byte < 0x80) return Number(value);
    }
    at = message.length;
    return 0;
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

function decode(data: Uint8Array): AnyEvent {
  let step = 0;
  let wallTime = 0;
  let others = 0;
  const values = new Map<string, number>();
  for (const { field, number, content } of fields(Buffer.from(data))) {
    if (field === EVENT.step) step = number;
    if (field === EVENT.wallTime && content.length === 8) wallTime = content.readDoubleLE();
    if (field !== EVENT.summary) continue;
    for (const point of fields(content)) {
      const parts = new Map([...fields(point.content)].map((part) => [part.field, part.content]));
      const value = parts.get(VALUE.simpleValue);
      if (value?.length === 4) values.set(String(parts.get(VALUE.tag) ?? ""), value.readFloatLE());
      else others++;
    }
  }
  return { step, wallTime, values, others };
}
