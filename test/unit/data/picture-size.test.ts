import { crc32, deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { decodePng } from "../../../src/data/codec/png.ts";
import { readStoredPicture } from "../../../src/data/formats/picture.ts";
import { requireDecodable } from "../../../src/data/formats/picture-size.ts";
import { cutOf, tilePositions } from "../../../src/inference/tiles.ts";

const GIB = 2 ** 30;

/** The first bytes of a PNG that announces a size, in a file of `length` bytes. */
function announcing(width: number, height: number, length: number, depth = 8, colour = 2): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]);
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  bytes.set([depth, colour], 24);
  return bytes;
}

/** A grey PNG of that many bits with these packed rows. */
function withRows(width: number, height: number, depth: number, rows: Buffer): Buffer {
  const chunk = (type: string, body: Buffer) => {
    const named = Buffer.concat([Buffer.from(type, "latin1"), body]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(body.length);
    sum.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, sum]);
  };
  const start = announcing(width, height, 33, depth, 0);
  return Buffer.concat([
    start.subarray(0, 8),
    chunk("IHDR", start.subarray(16, 29)),
    chunk("IDAT", rows),
    chunk("IEND", rows.subarray(0, 0)),
  ]);
}

const judged = (width: number, height: number, length: number, memory: number) => () =>
  requireDecodable(announcing(width, height, length), "a.png", { width, height }, memory);

describe("a picture's size", () => {
  test("is held against this machine's memory, and the limit is named", () => {
    expect(judged(17_000, 17_000, 2 ** 24, 4 * GIB)).toThrow(
      "a.png: 17000x17000 are 289 megapixels; the limit is 134 with this machine's memory, cut it into smaller pictures",
    );
    expect(judged(17_000, 17_000, 2 ** 24, 16 * GIB)).not.toThrow();
  });

  test("is bounded further where the file is small beside it: it may have been made to be", () => {
    expect(judged(20_000, 20_000, 2 ** 22, 64 * GIB)).toThrow(
      "400 megapixels; the limit is 358 for a file of 4194304 bytes",
    );
    expect(judged(20_000, 20_000, 2 ** 24, 64 * GIB)).not.toThrow();
  });

  test("that a file's bytes cannot hold is refused without decoding", () => {
    expect(judged(100_000, 100_000, 1000, 2 ** 50)).toThrow(
      "its header announces 30000000000 bytes of pixels, the 1000 of the file cannot hold them",
    );
  });

  test("beyond the decoder's own limit of 268 megapixels is read", async () => {
    const [width, height] = [17_000, 17_000];
    const rows = deflateSync(Buffer.alloc(height * (1 + Math.ceil(width / 8))));
    const { width: read, samples } = await readStoredPicture(withRows(width, height, 1, rows), "slide.png");
    expect(read).toBe(width);
    expect(samples[0]).toBe(0);
  });

  test("of a mask is bounded before it is unpacked", () => {
    const png = withRows(30_000, 30_000, 8, deflateSync(Buffer.alloc(8)));
    expect(() => decodePng(png, "mask.png")).toThrow(
      "mask.png: 30000x30000 are 900 million samples, more than can be read at once (1024 MiB); cut it into smaller pictures",
    );
  });
});

test("what blending takes is known beforehand: tiles as they are cut, one row of them in memory", () => {
  const tiles = { size: { width: 512, height: 256 }, overlap: 0.5 };
  const { tiles: count, tile, bytes } = cutOf({ width: 2000, height: 1000 }, 3, tiles);
  expect(count).toBe(tilePositions(2000, 512, 0.5).length * tilePositions(1000, 256, 0.5).length);
  expect(tile).toEqual({ width: 512, height: 256 });
  expect(bytes).toBe(4 * 256 * 2000 * 4);
  expect(cutOf({ width: 100, height: 100 }, 3, tiles).tiles).toBe(1);
});
