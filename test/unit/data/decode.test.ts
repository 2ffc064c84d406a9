import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { decodePng, encodePng } from "../../../src/data/codec/png.ts";
import { decodeImage, decodeMask } from "../../../src/data/decode.ts";
import type { ByteImage } from "../../../src/data/image/image.ts";
import { random } from "../../../src/kernels/random.ts";

function noise(width: number, height: number, channels: 1 | 3, count: number): ByteImage {
  const walk = random(1, "noise", width, height, channels);
  const data = new Uint8Array(width * height * channels).map(() => walk.integer(count));
  return { width, height, channels, data };
}

const grey = noise(37, 23, 1, 4);
const rgb = noise(37, 23, 3, 256);
const raw = ({ data, width, height, channels }: ByteImage) =>
  sharp(data, { raw: { width, height, channels: channels === 1 ? 1 : 3 } });
const PALETTE = [
  [0, 0, 0],
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
] as const;

describe("masks", () => {
  test("keep palette indices, also of 2 bits", async () => {
    expect(await decodeMask(encodePng(grey, PALETTE), "m.png")).toEqual(grey);
    const colours = grey.data.length * 3;
    const shown = new Uint8Array(colours).map((_, at) => PALETTE[grey.data[Math.floor(at / 3)] ?? 0]?.[at % 3] ?? 0);
    const bytes = await raw({ ...grey, channels: 3, data: shown })
      .png({ palette: true, colours: 4 })
      .toBuffer();
    const png = decodePng(bytes, "m.png");
    expect([png.kind, png.depth]).toEqual(["palette", 2]);
    expect(new Set(png.samples)).toEqual(new Set([0, 1, 2, 3]));
  });

  test("keep raw values of 1- and 2-bit grey", () => {
    // 5 pixels a row: bits 10110 and 2-bit values 0 1 2 3 1, rows padded to bytes.
    const build = (depth: number, rows: number[]) => {
      const whole = encodePng({ width: 5, height: 1, channels: 1, data: new Uint8Array(5) });
      const other = encodePng({ width: rows.length, height: 1, channels: 1, data: Uint8Array.from(rows) });
      whole[24] = depth;
      const data = other.subarray(33, other.length - 12);
      return { head: whole.subarray(0, 33), data, end: other.subarray(other.length - 12) };
    };
    const read = (depth: number, rows: number[]) => {
      const { head, data, end } = build(depth, rows);
      head.writeUInt32BE(crc(head.subarray(12, 29)), 29);
      return [...decodePng(Buffer.concat([head, data, end]), "m.png").samples];
    };
    expect(read(1, [0b10110000])).toEqual([1, 0, 1, 1, 0]);
    expect(read(2, [0b00011011, 0b01000000])).toEqual([0, 1, 2, 3, 1]);
  });

  test("read grey, equal RGB channels and alpha as the index", async () => {
    expect(await decodeMask(encodePng(grey), "m.png")).toEqual(grey);
    const triple = { ...grey, channels: 3 as const, data: rgb.data.map((_, at) => grey.data[Math.floor(at / 3)] ?? 0) };
    expect(await decodeMask(encodePng(triple), "m.png")).toEqual(grey);
    const alpha = await raw(triple).ensureAlpha(0.5).png().toBuffer();
    expect(await decodeMask(alpha, "m.png")).toEqual(grey);
  });

  test("explain colours, 16-bit labels, other formats, empty and damaged files", async () => {
    await expect(decodeMask(encodePng(rgb), "mask/a.png")).rejects.toThrow(/^mask\/a\.png: holds colours \(first: #/);
    const deep = await sharp(
      Uint16Array.from({ length: 4 }, () => 3000),
      { raw: { width: 2, height: 2, channels: 1 } },
    )
      .toColourspace("grey16")
      .png()
      .toBuffer();
    await expect(decodeMask(deep, "mask/a.png")).rejects.toThrow("holds the value 3000 at row 0, column 0");
    await expect(decodeMask(Buffer.from("JFIF and more"), "mask/a.png")).rejects.toThrow(
      /^mask\/a\.png: the image is damaged, cut short or of an unknown format/,
    );
    await expect(decodeMask(Buffer.alloc(0), "mask/a.png")).rejects.toThrow("mask/a.png: the file is empty");
    const bytes = encodePng(grey);
    for (const length of [20, 40, bytes.length - 30, bytes.length - 12, bytes.length - 1]) {
      await expect(decodeMask(bytes.subarray(0, length), "mask/a.png")).rejects.toThrow(
        /^mask\/a\.png: the PNG is damaged or cut short/,
      );
    }
    const spoilt = Buffer.from(bytes);
    spoilt[60] = (spoilt[60] ?? 0) ^ 1;
    await expect(decodeMask(spoilt, "mask/a.png")).rejects.toThrow("checksum of chunk IDAT");
  });
});

describe("images", () => {
  test("come back byte for byte from PNG, interlaced PNG, TIFF and lossless WebP", async () => {
    const image = raw(rgb);
    const files = [
      encodePng(rgb),
      await image.clone().png().toBuffer(),
      await image.clone().png({ progressive: true }).toBuffer(),
      await image.clone().tiff({ compression: "lzw" }).toBuffer(),
      await image.clone().webp({ lossless: true }).toBuffer(),
    ];
    for (const bytes of files) expect(await decodeImage(bytes, "a")).toEqual(rgb);
    for (const bytes of files.slice(0, 3)) {
      expect([...decodePng(bytes, "a").samples]).toEqual([...rgb.data]);
    }
  });

  test("repeat grey, drop alpha unblended, see 16 bits through a window", async () => {
    const fromGrey = await decodeImage(encodePng(grey), "a");
    expect([...fromGrey.data.subarray(0, 6)]).toEqual([0, 0, 0, 1, 1, 1].map((k) => grey.data[k] ?? 0));
    expect(await decodeImage(await raw(rgb).ensureAlpha(0.2).png().toBuffer(), "a")).toEqual(rgb);
    const deep = await sharp(Uint16Array.of(0, 257, 65535, 128 * 257), { raw: { width: 4, height: 1, channels: 1 } })
      .toColourspace("grey16")
      .png()
      .toBuffer();
    expect([...(await decodeImage(deep, "a")).data].filter((_, at) => at % 3 === 0)).toEqual([0, 1, 255, 129]);
  });

  test("name the file that is cut short, empty or no image", async () => {
    const jpeg = await raw(noise(120, 90, 3, 256))
      .jpeg()
      .toBuffer();
    const png = encodePng(rgb);
    for (const bytes of [jpeg.subarray(0, jpeg.length >> 1), png.subarray(0, png.length >> 1), Buffer.from("hello")]) {
      await expect(decodeImage(bytes, "train/b.jpg")).rejects.toThrow(
        /^train\/b\.jpg: the image is damaged, cut short or of an unknown format/,
      );
    }
    await expect(decodeImage(Buffer.alloc(0), "train/b.jpg")).rejects.toThrow("train/b.jpg: the file is empty");
  });
});

/** CRC-32 of the PNG specification, bit by bit. */
function crc(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return ~value >>> 0;
}
