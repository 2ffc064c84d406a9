import { appendFileSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { crc32c, maskedCrc32c } from "../../../src/experiment/run/event-frames.ts";
import { cutEvents, EventWriter, readEvents } from "../../../src/experiment/run/tfevents.ts";

import { bytesOf, parseMessage, recordsOf } from "../../support/protobuf.ts";

const eventFile = () => join(mkdtempSync(join(tmpdir(), "svanet-")), "events.tfevents");

test("CRC-32C equals the vectors of RFC 3720, B.4", () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
});

test("the mask rotates and adds", () => {
  const crc = 0xe3069283;
  const rotated = ((crc >>> 15) | (crc << 17)) >>> 0;
  expect(maskedCrc32c(Buffer.from("123456789"))).toBe((rotated + 0xa282ead8) % 2 ** 32);
});

test("a file starts with the version TensorBoard looks for", () => {
  const path = eventFile();
  new EventWriter(path);
  const bytes = readFileSync(path);
  // Length 24 = wall time (1 + 8) + version (1 + 1 + 13).
  expect(bytes.readBigUInt64LE(0)).toBe(24n);
  expect(bytes.subarray(12, 36).toString("latin1")).toContain("\x1a\x0dbrain.Event:2");
  expect([...readEvents(path)]).toEqual([]);
});

test("scalars read back, also with steps past 127 and several tags", () => {
  const path = eventFile();
  const writer = new EventWriter(path);
  writer.add(1, { "train/loss": 0.5 });
  writer.add(300, { "train/loss": 0.25, "val/mIoU": 61.5 });
  const [first, second] = readEvents(path);
  expect(first).toMatchObject({ step: 1, values: new Map([["train/loss", 0.5]]) });
  expect(second?.step).toBe(300);
  expect([...(second?.values ?? [])]).toEqual([
    ["train/loss", 0.25],
    ["val/mIoU", 61.5],
  ]);
  expect(first?.wallTime).toBeGreaterThan(1.6e9);
});

test("truncation drops later steps and a frame that was cut off, and keeps the version", () => {
  const path = eventFile();
  const writer = new EventWriter(path);
  for (const step of [1, 2, 3]) writer.add(step, { loss: step });
  const version = readFileSync(path).subarray(0, 40);
  appendFileSync(path, Buffer.from([24, 0, 0, 0]));
  cutEvents(path, 2, `${path}.cut`);
  const bytes = readFileSync(path);
  expect([...readEvents(path)].map(({ step }) => step)).toEqual([1, 2]);
  expect(bytes.subarray(0, 40)).toEqual(version);
  new EventWriter(path).add(3, { loss: 3 });
  expect([...readEvents(path)].map(({ step }) => step)).toEqual([1, 2, 3]);
});

test("pictures are Summary.Image of summary.proto, and are cut by their step as scalars are", () => {
  const path = eventFile();
  const writer = new EventWriter(path);
  const image = { width: 3, height: 2, png: Buffer.from("a picture") };
  for (const step of [4, 8]) writer.addImages(step, new Map([["val/smallest foreground/a", image]]));
  expect([...readEvents(path)]).toEqual([]); // no scalars
  cutEvents(path, 4, `${path}.cut`);
  const events = recordsOf(readFileSync(path)).map(parseMessage);
  expect(events.map((event) => event.get(2)?.[0])).toEqual([undefined, 0, 4]);
  const [, , event] = events;
  const value = parseMessage(bytesOf(parseMessage(bytesOf(event ?? new Map(), 5)), 1));
  expect(String(bytesOf(value, 1))).toBe("val/smallest foreground/a");
  const stored = parseMessage(bytesOf(value, 4));
  expect([1, 2, 3].map((field) => stored.get(field))).toEqual([[2], [3], [3]]); // height, width, RGB
  expect(String(bytesOf(stored, 4))).toBe("a picture");
});

test("settings are a session of the hparams plugin, written once", () => {
  const path = eventFile();
  new EventWriter(path, { lr: 0.002, loss: "focal", amp: true, neck: false });
  new EventWriter(path, { lr: 1 });
  const records = recordsOf(readFileSync(path));
  expect(records).toHaveLength(2);
  const value = parseMessage(bytesOf(parseMessage(bytesOf(parseMessage(records[1] ?? Buffer.alloc(0)), 5)), 1));
  expect(String(bytesOf(value, 1))).toBe("_hparams_/session_start_info");
  const plugin = parseMessage(bytesOf(parseMessage(bytesOf(value, 9)), 1));
  expect(String(bytesOf(plugin, 1))).toBe("hparams");
  const content = parseMessage(bytesOf(plugin, 2));
  expect(content.get(1)).toEqual([0]);
  const session = parseMessage(bytesOf(content, 3));
  const entries = (session.get(1) ?? []).map((entry) => parseMessage(entry as Buffer));
  const settings = entries.map((entry) => [String(bytesOf(entry, 1)), parseMessage(bytesOf(entry, 2))] as const);
  expect(settings.map(([name]) => name)).toEqual(["lr", "loss", "amp", "neck"]);
  const [lr, loss, amp, neck] = settings.map(([, one]) => one);
  expect(bytesOf(lr ?? new Map(), 2).readDoubleLE()).toBe(0.002);
  expect(String(bytesOf(loss ?? new Map(), 3))).toBe("focal");
  expect([amp?.get(4), neck?.get(4)]).toEqual([[1], [0]]);
  expect(bytesOf(session, 5).readDoubleLE()).toBeGreaterThan(1.6e9);
  // What version the value is of and its empty vector, as TensorBoard's own writer has them.
  expect(bytesOf(value, 8).toString("hex")).toBe("080112021200");
});
