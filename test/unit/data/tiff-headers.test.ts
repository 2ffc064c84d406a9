import { expect, test } from "vitest";
import { readTiff } from "../../../src/data/codec/tiff.ts";

/** A header of one tag at byte 8, and `rest` bytes behind it. */
function oneTag(tag: number, type: number, count: number, rest: number): Buffer {
  const bytes = Buffer.alloc(26 + rest);
  bytes.write("II*\0", 0, "latin1");
  bytes.writeUInt32LE(8, 4);
  bytes.writeUInt16LE(1, 8);
  bytes.writeUInt16LE(tag, 10);
  bytes.writeUInt16LE(type, 12);
  bytes.writeUInt32LE(count, 14);
  bytes.writeUInt32LE(26, 18);
  return bytes;
}

test("headers that lie in each other are refused, those behind each other are pages", () => {
  const pages = oneTag(256, 3, 1, 18);
  pages.writeUInt32LE(26, 22);
  pages.copy(pages, 26, 8, 22);
  expect(readTiff(pages, "a.tif").pages).toHaveLength(2);
  const nested = oneTag(1, 3, 1, 4);
  nested.writeUInt32LE(10, 22);
  expect(() => readTiff(nested, "a.tif")).toThrow("a.tif: the TIFF is damaged or cut short (headers that overlap)");
});

test("more places of strips than any picture has are refused before they are read", () => {
  expect(readTiff(oneTag(273, 3, 60_000, 120_000), "a.tif").pages[0]?.strips).toHaveLength(60_000);
  const count = 2 ** 22;
  expect(() => readTiff(oneTag(273, 3, count + 1, 2 * count + 2), "a.tif")).toThrow("tags of 4194305 numbers");
});
