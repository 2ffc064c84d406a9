import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { decodeImage, decodePicture } from "../../../src/data/decode.ts";
import { readStoredPicture } from "../../../src/data/formats/picture.ts";
import { type TiffSpec, tiffBytes } from "../../support/raw/tiff.ts";

const SIZE = { width: 5, height: 4 };
const PIXELS = 20;

const stored = async (spec: Omit<TiffSpec, "width" | "height">, page?: number) =>
  readStoredPicture(tiffBytes({ ...SIZE, ...spec }), "a.tif", page);

const reading = (bytes: Buffer, page?: number) => decodePicture(bytes, "a.tif", { page });

/** A PNG of 16 bits. */
const png16 = (values: Uint16Array, channels: 1 | 2 | 3 | 4 = 1) =>
  sharp(values, { raw: { width: 1, height: values.length / channels, channels } })
    .toColourspace(channels <= 2 ? "grey16" : "rgb16")
    .png()
    .toBuffer();

describe("samples of TIFF files", () => {
  const values = Array.from({ length: PIXELS }, (_, at) => (at - 6) * 11);
  test.each([
    ["signed 8 bits", Int8Array.from(values, (value) => value / 2), 8],
    ["signed 16 bits", Int16Array.from(values, (value) => value * 100), 16],
    ["unsigned 16 bits", Uint16Array.from(values, (value) => value + 60000), 16],
    ["signed 32 bits", Int32Array.from(values, (value) => value * 1e7), 32],
    ["unsigned 32 bits", Uint32Array.from(values, (value) => 4e9 + value), 32],
    ["single precision", Float32Array.from(values, (value) => value / 7), 32],
    ["double precision", Float64Array.from(values, (value) => value / 7), 64],
  ])("of %s are the values that were stored", async (_, data, depth) => {
    const picture = await stored({ data });
    expect([...picture.samples]).toEqual([...data]);
    expect(picture).toMatchObject({ ...SIZE, channels: 1, depth, mode: "grey", inverted: false });
    const threefold = Array.from(data).flatMap((value) => [value, value, value]);
    const coloured = await stored({ data: (data.constructor as Uint16ArrayConstructor).from(threefold), samples: 3 });
    expect([...coloured.samples]).toEqual(threefold);
    expect([coloured.channels, coloured.mode]).toEqual([3, "rgb"]);
  });

  test("of half precision are the numbers that the bits mean", async () => {
    // 1, -2, 65504 (the largest), 2^-24 (the smallest), 0.333251953125, infinity.
    const data = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x3555, 0x7c00, ...Array(14).fill(0));
    const { samples } = await stored({ data, format: 3 });
    expect([...samples.subarray(0, 6)]).toEqual([1, -2, 65504, 2 ** -24, 0.333251953125, Number.POSITIVE_INFINITY]);
  });

  test("that say no data are no numbers: GDAL's tag, in the precision of the samples", async () => {
    const data = Float32Array.from(values, (value) => (value === 0 ? -3.4028234663852886e38 : value));
    const { samples } = await stored({ data, tags: { 42113: "-3.4028234663852886e+38" } });
    expect([...samples].filter(Number.isNaN)).toHaveLength(1);
    const whole = await stored({ data: Int16Array.from(values), tags: { 42113: "11" } });
    expect([...whole.samples].map((value) => (Number.isNaN(value) ? 11 : value))).toEqual(values);
    const { picture, view } = await reading(tiffBytes({ ...SIZE, data, tags: { 42113: "-3.4028234663852886e+38" } }));
    expect(view?.window.low).toBeGreaterThan(-70);
    expect(picture.data[18]).toBe(0);
  });

  test("where white is zero are shown the other way round, of 8 bits too", async () => {
    const data = Int16Array.from(values);
    const [plain, turned] = await Promise.all(
      [1, 0].map((photometric) => reading(tiffBytes({ ...SIZE, data, photometric }))),
    );
    expect([...(turned?.picture.data ?? [])]).toEqual(
      [...(plain?.picture.data ?? [])].map((value) => expect.closeTo(255 - value, 4)),
    );
    const bytes = Uint8Array.from({ length: PIXELS }, (_, at) => at);
    expect((await stored({ data: bytes, photometric: 0 })).samples[9]).toBe(252);
  });

  test("are refused by name where it is not known what is to be seen", async () => {
    const two = new Uint16Array(2 * PIXELS);
    const refused = async (spec: Omit<TiffSpec, "width" | "height">, message: string) =>
      expect(stored(spec)).rejects.toThrow(message);
    await refused({ data: two, samples: 2, photometric: 1 }, 'a.tif: 2 channels where "black is zero" has 1');
    await refused({ data: new Uint16Array(5 * PIXELS), samples: 5, photometric: 2 }, '5 channels where "RGB" has 3');
    await refused({ data: new Uint8Array(3 * PIXELS), samples: 3, photometric: 8 }, 'kind "CIELAB" is not read');
    await refused({ data: new Uint16Array(PIXELS), tags: { 258: 12 } }, "samples of 12 bits");
    await refused({ data: new Float32Array(PIXELS), format: 6 }, "complex or unknown samples");
    await refused({ data: new Float64Array(PIXELS), tags: { 259: 8 } }, "samples of 64 bits are read uncompressed");
    await refused({ data: new Uint16Array(4 * PIXELS), samples: 4, photometric: 5 }, "samples of 16 bits, CMYK");
    const alpha = await stored({ data: two.map((_, at) => at), samples: 2, photometric: 1, tags: { 338: 2 } });
    expect([alpha.mode, alpha.samples[1]]).toEqual(["greyAlpha", 2]);
  });
});

describe("a window", () => {
  test("is chosen for 16 bits, whatever bits of them are used, and nothing is rounded", async () => {
    const twelve = Uint16Array.from({ length: 4000 }, (_, at) => at);
    const { picture, view, stored: raw } = await decodePicture(await png16(twelve), "a.png");
    expect([raw.depth, view?.window.low, view?.window.high]).toEqual([
      16,
      expect.closeTo(19.995, 3),
      expect.closeTo(3979.005, 2),
    ]);
    expect(picture.data).toBeInstanceOf(Float32Array);
    expect(picture.data[3 * 2000]).toBeCloseTo(((2000 - 19.995) / 3959.01) * 255, 3);
    expect(new Set(picture.data).size).toBeGreaterThan(3900);
    const drawn = await decodeImage(await png16(twelve), "a.png");
    expect([drawn.data[0], drawn.data[3 * 2000], drawn.data.at(-1)]).toEqual([0, 128, 255]);
  });

  test("keeps the proportions of colours, and is taken from the options in their order", async () => {
    const rgb = Uint16Array.from({ length: 3000 }, (_, at) => (at % 3) * 1000 + Math.floor(at / 3));
    const file = await png16(rgb, 3);
    const read = (options: object) => decodePicture(file, "a.png", options);
    const { picture } = await read({ dataset: { low: 0, high: 2550 } });
    expect([...picture.data.subarray(0, 3)]).toEqual([0, 100, 200]);
    const window = { low: 0, high: 9 };
    expect((await read({ asked: window, trained: { low: 0, high: 8 } })).view).toMatchObject({
      window,
      why: "as asked for",
    });
  });

  test("is never laid over bytes", async () => {
    const bytes = await sharp(Uint8Array.of(0, 7, 255), { raw: { width: 3, height: 1, channels: 1 } })
      .png()
      .toBuffer();
    const { picture, view } = await decodePicture(bytes, "a.png", { asked: { low: 0, high: 9 } });
    expect([view, [...picture.data]]).toEqual([undefined, [0, 0, 0, 7, 7, 7, 255, 255, 255]]);
  });
});

describe("pages", () => {
  const page = (value: number, extra = {}): TiffSpec => ({
    ...SIZE,
    data: new Uint8Array(PIXELS).fill(value),
    ...extra,
  });

  test("are never taken in silence; one can be chosen", async () => {
    const file = tiffBytes(page(1), page(2), page(3));
    await expect(reading(file)).rejects.toThrow(/^a\.tif: holds 3 pages.*--page 0 to 2 of svanet predict/);
    expect((await reading(file, 1)).picture.data[0]).toBe(2);
    await expect(reading(file, 3)).rejects.toThrow("--page 3: a.tif has the pages 0 to 2");
    await expect(reading(tiffBytes(page(1)), 1)).rejects.toThrow("--page 1: a.tif has only page 0");
  });

  test("are counted without smaller copies and transparency masks, wherever these stand", async () => {
    const reduced = page(9, { tags: { 254: 1 } });
    expect((await reading(tiffBytes(page(7), reduced, page(8, { tags: { 254: 4 } })))).picture.data[0]).toBe(7);
    expect((await reading(tiffBytes(reduced, page(7)))).picture.data[0]).toBe(7);
    expect((await reading(tiffBytes(page(5), reduced, page(7)), 1)).picture.data[0]).toBe(7);
  });

  test("that ImageJ keeps behind one header are counted, the first can be taken", async () => {
    const file = tiffBytes(page(4, { tags: { 270: "ImageJ=1.53t\nimages=6\nslices=6\n" } }));
    await expect(reading(file)).rejects.toThrow("a.tif: holds 6 pages");
    expect((await reading(file, 0)).picture.data[0]).toBe(4);
    await expect(reading(file, 2)).rejects.toThrow(
      "an ImageJ stack behind one header, of which only page 0 can be read",
    );
  });

  test("of animations are pages: WebP, and PNG of which others show the first", async () => {
    const frames = [10, 200].map((value) => new Uint8Array(3 * 16).fill(value));
    const webp = await sharp(Buffer.concat(frames), { raw: { width: 4, height: 8, channels: 3, pageHeight: 4 } })
      .webp({ lossless: true })
      .toBuffer();
    await expect(reading(webp)).rejects.toThrow("holds 2 pages");
    expect((await reading(webp, 1)).picture.data[0]).toBe(200);
    const png = await sharp(frames[0], { raw: { width: 4, height: 4, channels: 3 } })
      .png()
      .toBuffer();
    const control = Buffer.from([0, 0, 0, 8, ...Buffer.from("acTL"), 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
    const animated = Buffer.concat([png.subarray(0, 33), control, png.subarray(33)]);
    await expect(reading(animated)).rejects.toThrow("holds 3 pages");
  });
});

describe("colours as Pillow gives them", () => {
  test("CMYK of TIFF: no profile, black multiplied", async () => {
    const inks = [
      [85, 61, 83, 0],
      [85, 61, 83, 100],
      [0, 0, 0, 0],
      [255, 255, 255, 255],
      [10, 200, 30, 77],
    ];
    const data = Uint8Array.from(inks.flat());
    const { samples, mode } = await readStoredPicture(
      tiffBytes({ width: 5, height: 1, data, samples: 4, photometric: 5 }),
      "a.tif",
    );
    expect([mode, [...samples]]).toEqual([
      "cmyk",
      [170, 194, 172, 103, 118, 105, 255, 255, 255, 0, 0, 0, 171, 38, 157],
    ]);
  });

  test("CMYK of JPEG is the same picture, whose inks are stored inverted", async () => {
    const blue = Buffer.from(Array(64).fill([40, 90, 200]).flat());
    const jpeg = await sharp(blue, { raw: { width: 8, height: 8, channels: 3 } })
      .toColourspace("cmyk")
      .jpeg({ quality: 100, chromaSubsampling: "4:4:4" })
      .toBuffer();
    const inks = await sharp(jpeg, { ignoreIcc: true })
      .pipelineColourspace("cmyk")
      .toColourspace("cmyk")
      .raw()
      .toBuffer();
    const [cyan = 0, , , black = 0] = inks;
    const { data } = await decodeImage(jpeg, "a.jpg");
    expect(Math.abs((data[0] ?? 0) - ((255 - cyan) * (255 - black)) / 255)).toBeLessThan(1);
    expect(data[2]).toBeGreaterThan((data[0] ?? 0) + 60);
  });

  test("a picture that stands in its alpha alone is refused, alpha over colours is dropped", async () => {
    const raw = { width: 4, height: 1, channels: 4 } as const;
    const image = (pixels: readonly number[]) => sharp(Uint8Array.from(pixels), { raw }).png().toBuffer();
    const hidden = await image([0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 9]);
    await expect(decodeImage(hidden, "a.png")).rejects.toThrow(
      /^a\.png: all its pixels have one colour and differ in alpha/,
    );
    const plain = await decodeImage(await image([1, 2, 3, 0, 4, 5, 6, 255, 1, 2, 3, 0, 1, 2, 3, 0]), "a.png");
    expect([...plain.data.subarray(0, 6)]).toEqual([1, 2, 3, 4, 5, 6]);
    const opaque = await decodeImage(await image(Array(16).fill(255)), "a.png");
    expect(opaque.data).toHaveLength(12);
  });
});

describe("orientation tags", () => {
  const corner = Uint8Array.of(250, 0, 0, 0, 0, 0);
  const turned = (orientation: number, format: "png" | "webp" | "tiff") =>
    sharp(corner, { raw: { width: 3, height: 2, channels: 1 } })
      .withMetadata({ orientation })
      .toFormat(format, { webp: { lossless: true }, tiff: { compression: "none" }, png: {} }[format])
      .toBuffer();

  // Where the upper left pixel of what is stored is to be seen, by row and column.
  test.each([
    [1, 0, 0],
    [2, 0, 2],
    [3, 1, 2],
    [4, 1, 0],
    [5, 0, 0],
    [6, 0, 1],
    [7, 2, 1],
    [8, 2, 0],
  ])("%i is followed in PNG, WebP and TIFF", async (orientation, row, column) => {
    for (const format of ["png", "webp", "tiff"] as const) {
      const { width, height, data } = await decodeImage(await turned(orientation, format), `a.${format}`);
      expect([width, height]).toEqual(orientation > 4 ? [2, 3] : [3, 2]);
      expect([...data].indexOf(250), format).toBe(3 * (row * width + column));
    }
  });

  test("is followed in deep files, and others than 1 to 8 are none", async () => {
    const data = Int16Array.of(-5, 0, 0, 0, 0, 0);
    const spec = { width: 3, height: 2, data };
    const six = await readStoredPicture(tiffBytes({ ...spec, tags: { 274: 6 } }), "a.tif");
    expect([six.width, six.height, [...six.samples].indexOf(-5)]).toEqual([2, 3, 1]);
    const odd = await readStoredPicture(tiffBytes({ ...spec, tags: { 274: 99 } }), "a.tif");
    expect([odd.width, [...odd.samples]]).toEqual([3, [...data]]);
    const jpeg = await sharp(corner, { raw: { width: 3, height: 2, channels: 1 } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const tag =
      [
        [0x01, 0x12, 0, 3],
        [0x12, 0x01, 3, 0],
      ]
        .map((bytes) => jpeg.indexOf(Buffer.from(bytes)))
        .find((at) => at > 0) ?? 0;
    expect((await decodeImage(jpeg, "a.jpg")).width).toBe(2);
    jpeg.fill(99, tag + 8, tag + 10);
    expect((await decodeImage(jpeg, "a.jpg")).width).toBe(3);
  });
});
