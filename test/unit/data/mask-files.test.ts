import { crc32 } from "node:zlib";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { encodePng } from "../../../src/data/codec/png.ts";
import type { Rgb } from "../../../src/data/codec/png-read.ts";
import { decodeMask } from "../../../src/data/decode.ts";
import { readStored } from "../../../src/data/masks/read-mask.ts";
import { type MaskReading, readClasses } from "../../../src/data/masks/reading.ts";
import { bmpBytes } from "../../support/raw/bmp.ts";
import { tiffBytes as picturesBytes } from "../../support/raw/tiff.ts";
import { tiffBytes } from "../../support/raw/tiff-labels.ts";

const SIZE = { width: 5, height: 3 };
const LABELS = [0, 1, 2, 3, 0, 0, 1, 1, 2, 0, 3, 3, 0, 0, 1];
const mask = { ...SIZE, channels: 1 as const, data: Uint8Array.from(LABELS) };
/** Pure colours: who looks at samples instead of pixels takes them for black and white. */
const PURE: readonly Rgb[] = [
  [0, 0, 0],
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
];
const colours = Uint8Array.from(LABELS.flatMap((label) => PURE[label] ?? []));
const RGB = { ...SIZE, channels: 3 as const, data: colours };
const stored = async (bytes: Buffer) => {
  const { kind, values, mode, depth, white, exact } = await readStored(bytes, "m");
  return { kind, values: [...values], mode, depth, white, exact };
};
const LEVEL = { kind: "level", values: LABELS, exact: true };

describe("the pixel's number is read as stored", () => {
  test("PNG: palette index, grey of 8 and 16 bits, equal channels", async () => {
    expect(await stored(encodePng(mask, PURE))).toEqual({ ...LEVEL, mode: "palette", depth: 8, white: 255 });
    expect(await stored(encodePng(mask))).toEqual({ ...LEVEL, mode: "grey", depth: 8, white: 255 });
    const deep = await sharp(Uint16Array.from(LABELS), { raw: { ...SIZE, channels: 1 } })
      .toColourspace("grey16")
      .png()
      .toBuffer();
    expect(await stored(deep)).toEqual({ ...LEVEL, mode: "grey", depth: 16, white: 65535 });
    expect((await stored(encodePng(RGB))).values.slice(0, 4)).toEqual([0, 0xff0000, 0x00ff00, 0x0000ff]);
  });

  test("BMP of 1, 4, 8 and 24 bits; a cut one is named", async () => {
    for (const bits of [4, 8] as const) {
      expect(await stored(bmpBytes(SIZE, bits, LABELS))).toEqual({
        ...LEVEL,
        mode: "palette",
        depth: bits,
        white: 255,
      });
    }
    const one = LABELS.map((label) => label & 1);
    expect((await stored(bmpBytes(SIZE, 1, one))).values).toEqual(one);
    const packed = LABELS.map((label) => [0, 0xff0000, 0x00ff00, 0x0000ff][label] ?? 0);
    expect(await stored(bmpBytes(SIZE, 24, packed))).toMatchObject({ kind: "colour", values: packed });
    await expect(readStored(bmpBytes(SIZE, 8, LABELS).subarray(0, -4), "m.bmp")).rejects.toThrow(
      "m.bmp: the BMP is damaged",
    );
  });
});

describe("the numbers of a TIFF are read as stored", () => {
  test.each([
    ["8 bits", { bits: 8 }, 255],
    ["16 bits, big endian", { bits: 16, bigEndian: true }, 65535],
    ["32 bits with sign", { bits: 32, format: "signed" }, 2 ** 31 - 1],
    ["32-bit real numbers", { bits: 32, format: "float" }, 255],
    ["64-bit real numbers", { bits: 64, format: "float" }, 255],
    ["palette", { bits: 8, photometric: 3 }, 255],
    ["palette of 2 bits", { bits: 2, photometric: 3 }, 3],
    ["palette of 4 bits", { bits: 4, photometric: 3 }, 15],
    ["palette of 16 bits", { bits: 16, photometric: 3 }, 65535],
    ["2 bits", { bits: 2 }, 3],
    ["4 bits, big endian", { bits: 4, bigEndian: true }, 15],
  ] as const)("TIFF of %s", async (_, spec, white) => {
    const found = await stored(tiffBytes({ ...SIZE, values: LABELS, ...spec }));
    const mode = "photometric" in spec ? "palette" : "grey";
    expect(found).toEqual({ ...LEVEL, mode, depth: spec.bits, white });
  });

  test("TIFF packed by libvips, in tiles, of one bit", async () => {
    const raw = sharp(mask.data, { raw: mask }).toColourspace("b-w");
    for (const compression of ["lzw", "deflate", "packbits"] as const) {
      const bytes = await raw.clone().tiff({ compression, predictor: "none" }).toBuffer();
      expect(await stored(bytes)).toMatchObject(LEVEL);
    }
    const tiles = await raw.clone().tiff({ compression: "lzw", tile: true, tileWidth: 16, tileHeight: 16 }).toBuffer();
    expect(await stored(tiles)).toMatchObject(LEVEL);
    const bits = LABELS.map((label) => Number(label > 1));
    expect(await stored(tiffBytes({ ...SIZE, values: bits, bits: 1 }))).toMatchObject({ values: bits, white: 1 });
  });

  test("TIFF: colours of RGB, equal channels of 16 bits, large and negative whole numbers, a value that says no data", async () => {
    const rgb = await stored(picturesBytes({ ...SIZE, data: colours, samples: 3 }));
    expect(rgb).toMatchObject({ kind: "colour", mode: "rgb" });
    expect(rgb.values.slice(0, 4)).toEqual([0, 0xff0000, 0x00ff00, 0x0000ff]);
    const equal = Uint16Array.from(LABELS.flatMap((label) => [label, label, label]));
    expect(await stored(picturesBytes({ ...SIZE, data: equal, samples: 3 }))).toMatchObject({ ...LEVEL, depth: 16 });
    const far = LABELS.map((label) => label * 1_000_000_001 - 2 ** 30);
    expect((await stored(picturesBytes({ ...SIZE, data: Int32Array.from(far) }))).values).toEqual(far);
    const none = picturesBytes({ ...SIZE, data: Float32Array.from(LABELS), tags: { 42113: "2" } });
    expect((await stored(none)).values).toEqual(LABELS);
  });
});

describe("what keeps no numbers, or several pictures, is told", () => {
  test("TIFF whose zero is white is as stored, and read only where a map says what is meant", async () => {
    const bits = LABELS.map((label) => Number(label > 1));
    const one = tiffBytes({ ...SIZE, values: bits, bits: 1, photometric: 0 });
    const deep = tiffBytes({ ...SIZE, values: LABELS, bits: 8, photometric: 0 });
    expect((await stored(one)).values).toEqual(bits);
    expect((await stored(deep)).values).toEqual(LABELS);
    await expect(decodeMask(one, "m.tif")).rejects.toThrow(
      /^m\.tif: the mask says that its 0 is shown white, .* svanet data prepare folder: say it with --map 1=1 \(.*\) or --map 0=1,1=0 /,
    );
    for (const shown of [{ kind: "palette", colours: [[0xffffff, 1]] }, { kind: "white" }] as const) {
      expect([...readClasses(await readStored(one, "m"), shown, 254).data]).toEqual(bits.map((bit) => 1 - bit));
    }
  });

  test("JPEG inside TIFF is no exact store", async () => {
    const large = { width: 16, height: 16, channels: 1 as const };
    const half = Uint8Array.from({ length: 256 }, (_, at) => (at % 16 < 8 ? 0 : 255));
    const packed = await sharp(half, { raw: large }).toColourspace("b-w").tiff({ compression: "jpeg" }).toBuffer();
    expect(await stored(packed)).toMatchObject({ kind: "level", mode: "lossy tiff", exact: false });
    await expect(decodeMask(packed, "m.tif")).rejects.toThrow("m.tif: a mask stored as lossy tiff keeps no exact");
  });

  test("stacks and animations are refused by their number of pages, whatever holds them", async () => {
    const imagej = picturesBytes({
      ...SIZE,
      data: mask.data,
      tags: { 270: "ImageJ=1.54f\nimages=6\nhyperstack=true\n" },
    });
    await expect(readStored(imagej, "m.tif")).rejects.toThrow("m.tif: the mask has 6 pages, one belongs to a picture");
    const frames = { raw: { width: 5, height: 6, channels: 3, pageHeight: 3 } } as const;
    const two = sharp(Uint8Array.from([...colours, ...colours.toReversed()]), frames);
    for (const bytes of [await two.clone().gif().toBuffer(), await two.clone().webp().toBuffer()]) {
      await expect(readStored(bytes, "m")).rejects.toThrow("m: the mask has 2 pages, one belongs to a picture");
    }
    const png = encodePng(mask);
    // An acTL chunk of two frames behind the header (33 bytes).
    const control = Buffer.from([0, 0, 0, 8, 0x61, 0x63, 0x54, 0x4c, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    control.writeUInt32BE(crc32(control.subarray(4, 16)), 16);
    const animated = Buffer.concat([png.subarray(0, 33), control, png.subarray(33)]);
    await expect(readStored(animated, "m.png")).rejects.toThrow(
      "m.png: the mask has 2 pages, one belongs to a picture",
    );
  });

  test("TIFF: a thumbnail is no page, a second page is refused, a damaged file is named", async () => {
    const spec = { ...SIZE, values: LABELS, bits: 8 as const };
    expect(await stored(tiffBytes({ ...spec, more: [1] }))).toMatchObject(LEVEL);
    await expect(readStored(tiffBytes({ ...spec, more: [0, 0] }), "m.tif")).rejects.toThrow(
      "m.tif: the mask has 3 pages",
    );
    const bytes = tiffBytes(spec);
    await expect(readStored(bytes.subarray(0, 60), "m.tif")).rejects.toThrow(/^m\.tif: the TIFF is damaged/);
  });

  test("JPEG, WebP and GIF are no exact store; grey JPEG in colour is grey", async () => {
    const large = { width: 16, height: 16, channels: 3 as const };
    const raw = sharp(new Uint8Array(768).fill(255), { raw: large });
    for (const [mode, bytes] of [
      ["jpeg", await raw.clone().jpeg().toBuffer()],
      ["webp", await raw.clone().webp().toBuffer()],
      ["gif", await raw.clone().gif().toBuffer()],
    ] as const) {
      expect(await stored(bytes)).toMatchObject({ kind: "level", mode, exact: false });
    }
  });
});

test("a picture that carries an orientation is turned as images are", async () => {
  for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const plain = sharp(mask.data, { raw: mask }).toColourspace("b-w");
    const tagged = await plain.clone().withMetadata({ orientation }).png().toBuffer();
    const packed = await plain.clone().withMetadata({ orientation }).tiff({ compression: "none" }).toBuffer();
    const { data, info } = await sharp(tagged)
      .autoOrient()
      .extractChannel(0)
      .raw()
      .toBuffer({ resolveWithObject: true });
    for (const bytes of [tagged, packed]) {
      const { width, height, values } = await readStored(bytes, "m");
      expect([width, height, ...values]).toEqual([info.width, info.height, ...data]);
    }
  }
});

describe("from numbers to classes", () => {
  const read = async (bytes: Buffer, reading: MaskReading) => [
    ...readClasses(await readStored(bytes, "m.png"), reading, 254).data,
  ];
  const grey = (values: readonly number[]) =>
    encodePng({ width: values.length, height: 1, channels: 1, data: Uint8Array.from(values) });

  test("a map is complete but for 0, or names the first value that has no class", async () => {
    const map: MaskReading = {
      kind: "map",
      levels: [
        [128, 255],
        [255, 1],
      ],
    };
    expect(await read(grey([0, 128, 255]), map)).toEqual([0, 255, 1]);
    await expect(read(grey([0, 255, 7]), map)).rejects.toThrow(
      "m.png: holds the value 7 at row 0, column 2; --map has no class for it (0=0, 128=ignore, 255=1); add it",
    );
    expect(
      await read(grey([0, 128]), {
        kind: "map",
        levels: [
          [0, 3],
          [128, 0],
        ],
      }),
    ).toEqual([3, 0]);
  });

  test("a threshold belongs to the foreground; alpha is cut where it alone shows something", async () => {
    expect(await read(grey([0, 127, 128, 255]), { kind: "threshold", at: 128 })).toEqual([0, 0, 1, 1]);
    const alpha = await sharp(Uint8Array.from([9, 9, 9, 0, 9, 9, 9, 200]), {
      raw: { width: 2, height: 1, channels: 4 },
    })
      .png()
      .toBuffer();
    expect(await read(alpha, { kind: "threshold", at: 128 })).toEqual([0, 1]);
    await expect(decodeMask(alpha, "m.png")).rejects.toThrow("what the mask shows stands in its alpha alone");
  });

  test("colours, of RGB and of palettes, by a palette of classes", async () => {
    const palette: MaskReading = {
      kind: "palette",
      colours: [
        [0xff0000, 3],
        [0x00ff00, 2],
        [0x0000ff, 1],
      ],
    };
    const expected = LABELS.map((label) => [0, 3, 2, 1][label]);
    expect(await read(encodePng(RGB), palette)).toEqual(expected);
    expect(await read(encodePng(mask, PURE), palette)).toEqual(expected);
    expect(await read(tiffBytes({ ...SIZE, values: LABELS, bits: 8, photometric: 3 }), palette)).toEqual(expected);
    await expect(read(encodePng(RGB), { kind: "palette", colours: [[0xff0000, 1]] })).rejects.toThrow(
      "m.png: holds the colour #00ff00 at row 0, column 2; --palette has no class for it; add it",
    );
    await expect(read(grey([7]), palette)).rejects.toThrow("m.png: holds the colour #070707 at row 0, column 0");
  });
});

test("class numbers are whole within 1e-4, 0 to 254, and 255", async () => {
  const real = (values: readonly number[]) =>
    tiffBytes({ width: values.length, height: 1, values, bits: 32, format: "float" });
  expect([...(await decodeMask(real([0, 1.00009, 1.9999, 255]), "m.tif")).data]).toEqual([0, 1, 2, 255]);
  await expect(decodeMask(real([0, 1.0002]), "m.tif")).rejects.toThrow(
    "m.tif: holds the value 1.0002, no whole number at row 0, column 1",
  );
  await expect(decodeMask(real([-1]), "m.tif")).rejects.toThrow("holds the value -1 at row 0, column 0");
  await expect(decodeMask(real([256]), "m.tif")).rejects.toThrow("classes are 0 to 254: say what it means with --map");
  await expect(decodeMask(await sharp(mask.data, { raw: mask }).jpeg().toBuffer(), "m.jpg")).rejects.toThrow(
    "m.jpg: a mask stored as jpeg keeps no exact class numbers; svanet data prepare folder --threshold 128",
  );
});
