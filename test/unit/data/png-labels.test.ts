import { crc32 as nodeCrc32 } from "node:zlib";
import { PNG } from "pngjs";
import { expect, test } from "vitest";
import { crc32 } from "../../../src/data/codec/crc32.ts";
import { encodePng } from "../../../src/data/codec/png.ts";
import { encodeLabels } from "../../../src/data/codec/png-labels.ts";

/** A colour a class, none like another. */
const COLOURS = Array.from({ length: 5 }, (_, at) => [40 * at, 255 - 30 * at, at] as const);

test("checksums are zlib's", () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, at) => (at * 7919) % 256);
  for (const length of [0, 1, 255, 1000]) {
    expect(crc32(bytes.subarray(0, length))).toBe(nodeCrc32(bytes.subarray(0, length)));
  }
});

test.each([
  [1, 1],
  [17, 5],
  [64, 64],
])("a mask of %dx%d decodes to the colours of its classes, and predict writes the same bytes", (width, height) => {
  const data = Uint8Array.from({ length: width * height }, (_, at) => (at * 31) % COLOURS.length);
  const mask = { width, height, channels: 1, data } as const;
  const bytes = encodeLabels(mask, COLOURS);
  const decoded = PNG.sync.read(Buffer.from(bytes));
  expect([decoded.width, decoded.height]).toEqual([width, height]);
  const expected = [...data].flatMap((label) => [...(COLOURS[label] ?? []), 255]);
  expect([...decoded.data]).toEqual(expected);
  expect(encodePng(mask, COLOURS).equals(bytes)).toBe(true);
});
