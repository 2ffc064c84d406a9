import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, describe, expect, test } from "vitest";
import { readImageSource } from "../../../src/data/channel-picture.ts";
import { readChannelSamples } from "../../../src/data/channel-samples.ts";
import { encodePng } from "../../../src/data/codec/png.ts";
import { checkDataset } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { evalBatches } from "../../../src/data/feed/batches.ts";
import { applyAugmentation, drawAugmentation, PAPER_AUGMENTATION } from "../../../src/data/image/augment.ts";
import { contrast, hue, luma, permuteChannels, saturation } from "../../../src/data/image/colour.ts";
import type { ByteImage } from "../../../src/data/image/image.ts";
import { random } from "../../../src/kernels/random.ts";
import { floats, npyBytes, npzBytes } from "../../support/raw/npz.ts";
import { tiffBytes } from "../../support/raw/tiff.ts";

const base = mkdtempSync(join(tmpdir(), "svanet-channels-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const [W, H] = [6, 4];
const PIXELS = W * H;
const ramp = (count: number, step: number) => Array.from({ length: count }, (_, at) => (at * step) % 60000);
/** Pixel by pixel as plane by plane. */
const planar = (values: readonly number[], channels: number) =>
  values.map((_, at) => values[(at % PIXELS) * channels + Math.floor(at / PIXELS)] ?? 0);
/** As differences along each row, as TIFF's predictor 2. */
const differences = (values: readonly number[], channels: number) =>
  values.map((value, at) => (at % (W * channels) < channels ? value : (value - (values[at - channels] ?? 0)) & 0xffff));

const read = (bytes: Buffer, channels: number, name = "a.tif", pages = false) =>
  readChannelSamples(bytes, name, channels, { pages });

describe("bands of a TIFF", () => {
  test.each([2, 3, 4, 5, 8])("%i channels, pixel by pixel and plane by plane", async (samples) => {
    const values = ramp(PIXELS * samples, 300);
    const whole = { width: W, height: H, samples, photometric: 1 };
    const bytes = values.map((value) => value & 255);
    const cases = [
      [tiffBytes({ ...whole, data: Uint16Array.from(values) }), values],
      [tiffBytes({ ...whole, data: Uint16Array.from(planar(values, samples)), planes: true }), values],
      [
        tiffBytes({ ...whole, data: Float32Array.from(values, (value) => value / 7 - 100) }),
        values.map((value) => Math.fround(value / 7 - 100)),
      ],
      [
        tiffBytes({ ...whole, data: Int16Array.from(values, (value) => value - 30000) }),
        values.map((value) => value - 30000),
      ],
      [tiffBytes({ ...whole, data: Uint8Array.from(bytes) }), bytes],
    ] as const;
    for (const [file, expected] of cases) {
      const found = await read(file, samples);
      expect([found.width, found.height, found.channels]).toEqual([W, H, samples]);
      expect([...found.samples]).toEqual([...expected]);
    }
  });

  test("compressed, with differences between pixels", async () => {
    const values = ramp(PIXELS * 5, 777);
    const data = deflateSync(Uint8Array.from(new Uint8Array(Uint16Array.from(differences(values, 5)).buffer)));
    const file = tiffBytes({
      ...{ width: W, height: H, samples: 5, photometric: 1, data: new Uint8Array(data) },
      tags: { 258: 16, 259: 8, 317: 2, 339: 1 },
    });
    expect([...(await read(file, 5)).samples]).toEqual(values);
  });

  test("pages, where they are channels", async () => {
    const page = (step: number) => ({ width: W, height: H, data: Uint16Array.from(ramp(PIXELS, step)) });
    const file = tiffBytes(page(10), page(20));
    const found = await read(file, 2, "a.tif", true);
    expect(found.channels).toBe(2);
    expect([...found.samples.slice(2, 6)]).toEqual([10, 20, 20, 40]);
    await expect(read(file, 2)).rejects.toThrow(/a\.tif: holds 2 pages; .*pages: true/);
  });

  test("what cannot be read as channels is named", async () => {
    const spec = { width: W, height: H, samples: 5, photometric: 1, data: new Uint16Array(PIXELS * 5) };
    await expect(read(tiffBytes({ ...spec, tags: { 274: 6 } }), 5)).rejects.toThrow(/turned by its orientation tag/);
    await expect(read(tiffBytes({ ...spec, tags: { 317: 3 } }), 5)).rejects.toThrow(/predictor 3/);
    await expect(read(tiffBytes({ ...spec, planes: true, tags: { 278: 3 } }), 5)).rejects.toThrow(/pieces of 3 rows/);
  });
});

describe("arrays", () => {
  const values = ramp(PIXELS * 4, 1.5);
  const array = { descr: "<f4", shape: [H, W, 4], data: floats(values) };

  test(".npy and .npz hold [height, width, channels]", async () => {
    for (const [bytes, name] of [
      [npyBytes(array), "a.npy"],
      [npzBytes({ image: array, mask: array }), "a.npz"],
    ] as const) {
      const found = await read(Buffer.from(bytes), 4, name);
      expect([found.width, found.height, found.channels, found.depth]).toEqual([W, H, 4, 32]);
      expect([...found.samples]).toEqual(values);
    }
  });

  test("channels first, other shapes and several arrays are refused", async () => {
    const turned = { ...array, shape: [4, H, W + 0] };
    await expect(read(Buffer.from(npyBytes(turned)), 4, "a.npy")).rejects.toThrow(/channels first.*moveaxis/);
    const flat = { ...array, shape: [PIXELS * 4] };
    await expect(read(Buffer.from(npyBytes(flat)), 4, "a.npy")).rejects.toThrow(/its shape is \(96\)/);
    await expect(read(Buffer.from(npzBytes({ x: array, y: array })), 4, "a.npz")).rejects.toThrow(/arrays x, y/);
  });
});

let folders = 0;
function folder(yaml: string): string {
  const path = join(base, String(folders++));
  for (const inner of ["train", "mask"]) mkdirSync(join(path, inner), { recursive: true });
  writeFileSync(join(path, "dataset.yaml"), yaml);
  return path;
}
const mask = encodePng({
  width: W,
  height: H,
  channels: 1,
  data: Uint8Array.from({ length: PIXELS }, (_, at) => at % 2),
});
const grey16 = (step: number) => tiffBytes({ width: W, height: H, data: Uint16Array.from(ramp(PIXELS, step)) });
const check = async (path: string, more = {}) =>
  checkDataset(await openDataset(path), ["train"], { indexFile: join(path, "index.json"), workers: 0, ...more });

describe("a dataset folder of named channels", () => {
  test("files of one channel each: statistics, windows and batches by channel", async () => {
    const path = folder("channels: [ADC, T2]\nwindow: [{low: 0, high: 230}, percentiles]\n");
    writeFileSync(join(path, "mask/case_0007.png"), mask);
    writeFileSync(join(path, "train/case_0007_0000.tif"), grey16(10));
    writeFileSync(
      join(path, "train/case_0007_0001.png"),
      await sharp(Uint8Array.from(ramp(PIXELS, 5)), { raw: { width: W, height: H, channels: 1 } })
        .png()
        .toBuffer(),
    );
    const { statistics, splits, channels, shown, hashes } = await check(path);
    expect(channels).toEqual({ names: ["ADC", "T2"], windows: [{ low: 0, high: 230 }, "percentiles"] });
    expect(shown).toBe(
      "images of 2 channels (ADC, T2), 16 bits; ADC shown from 0 to 230 (as dataset.yaml says); T2 as stored",
    );
    expect(splits.train?.map(({ stem, further }) => [stem, further?.length])).toEqual([["case_0007", 1]]);
    expect(statistics?.mean[0]).toBeCloseTo(115 / 230, 6);
    expect(statistics?.mean[1]).toBeCloseTo(57.5 / 255, 6);
    expect(hashes.size).toBe(2);
    const unit = { mean: [0, 0], std: [1, 1] };
    const size = { width: W, height: H };
    const batch = await evalBatches({
      samples: splits.train ?? [],
      size,
      batchSize: 1,
      statistics: unit,
      workers: 0,
    }).next();
    const images: Float32Array = batch.value?.images ?? new Float32Array(0);
    expect(images.length).toBe(2 * PIXELS);
    expect(images[2 * 23]).toBeCloseTo(1, 6);
    // Known from the index, until the second channel's file changes.
    expect((await check(path)).decoded).toBe(0);
    writeFileSync(
      join(path, "train/case_0007_0001.png"),
      encodePng({ width: W, height: H, channels: 1, data: new Uint8Array(PIXELS) }),
    );
    expect((await check(path)).decoded).toBe(1);
    expect((await check(path, { window: { low: 0, high: 99 } })).channels).toEqual({ names: ["ADC", "T2"] });
    // What a network was trained with comes before what a file says of all channels.
    writeFileSync(join(path, "dataset.yaml"), "channels: [ADC, T2]\nwindow: {low: 0, high: 99}\n");
    const windows = [{ low: 0, high: 50 }, "percentiles"] as const;
    const seen = await check(path, { trainedChannels: { names: ["ADC", "T2"], windows } });
    expect(seen.channels?.windows).toEqual(windows);
    expect(seen.splits.train?.[0]?.window).toBeUndefined();
  });

  test("a file of all channels; a stem that ends in digits stays whole where its mask says so", async () => {
    const path = folder("channels: [a, b, c, d, e]\n");
    writeFileSync(join(path, "mask/case_0001.png"), mask);
    writeFileSync(
      join(path, "train/case_0001.tif"),
      tiffBytes({
        width: W,
        height: H,
        samples: 5,
        photometric: 1,
        data: Uint8Array.from(ramp(PIXELS * 5, 2).map((value) => value & 255)),
      }),
    );
    const { splits, statistics, shown } = await check(path);
    expect(splits.train?.[0]?.stem).toBe("case_0001");
    expect(statistics?.std.length).toBe(5);
    expect(shown).toBe("images of 5 channels (a, b, c, d, e), 8 bits");
  });
});

describe("a dataset folder whose channels are none, or do not fit", () => {
  test("colours are what a set without names has", async () => {
    const path = folder("channels: [red, green, blue]\n");
    expect((await openDataset(path)).yaml.channels).toBeUndefined();
  });

  test.each([
    [
      "channels: [a, b]\n",
      ["x_0000"],
      /x_0000\.png: has the channel files 0000, 2 channels \(a, b\) need 0000, 0001; add or remove/,
    ],
    [
      "channels: [a, b]\n",
      ["x"],
      /x\.png: has 1 channel, dataset\.yaml names 2 channels \(a, b\); name the channels there are/,
    ],
    ["", ["x_0000"], /x_0000\.png: has no mask; it looks like channel 0 of x: name the channels in dataset\.yaml/],
    ["channels: [a, b]\nmean: [0.5]\nstd: [0.5]\n", [], /mean has 1 entries and it names 2 channels \(a, b\)/],
    ["window: [{low: 0, high: 1}, percentiles, percentiles]\n", [], /a window for each channel is for named channels/],
    ["channels: [a, a]\n", [], /two channels have one name/],
    ["pages: true\n", [], /pages: true is for named channels/],
  ])("%j with %j is one clear sentence", async (yaml, stems, message) => {
    const path = folder(yaml);
    writeFileSync(join(path, "mask/x.png"), mask);
    const grey = encodePng({ width: W, height: H, channels: 1, data: new Uint8Array(PIXELS) });
    for (const stem of stems) writeFileSync(join(path, `train/${stem}.png`), grey);
    await expect(check(path)).rejects.toThrow(message);
  });

  test("channels of unequal size are refused", async () => {
    const [one, two] = [join(base, "a.png"), join(base, "b.png")];
    writeFileSync(one, encodePng({ width: 2, height: 2, channels: 1, data: new Uint8Array(4) }));
    writeFileSync(two, encodePng({ width: 2, height: 3, channels: 1, data: new Uint8Array(6) }));
    const source = { image: one, further: [two], channels: { names: ["a", "b"] } };
    await expect(readImageSource(source)).rejects.toThrow(/b\.png: is 2x3, .*a\.png is 2x2/);
  });
});

describe("channels that are no colours", () => {
  const image: ByteImage = {
    width: 2,
    height: 1,
    channels: 3,
    measured: true,
    data: Uint8Array.of(10, 20, 90, 30, 60, 110),
  };

  test("keep their own values: no hue, saturation or order; contrast from each one's mean", () => {
    expect(hue(image, 0.3)).toBe(image);
    expect(saturation(image, 0.2)).toBe(image);
    expect(permuteChannels(image, [2, 0, 1])).toBe(image);
    expect([...contrast(image, 0.5).data]).toEqual([15, 30, 95, 25, 50, 105]);
    expect([...luma(image)]).toEqual([40, 67]);
  });

  test("a training pair of five channels has five, and repeats", () => {
    const data = new Uint8Array(16 * 16 * 5).map((_, at) => (at * 37) % 251);
    const pair = {
      image: { width: 16, height: 16, channels: 5, measured: true, data } as const,
      mask: { width: 16, height: 16, channels: 1, data: new Uint8Array(256) },
    };
    const draws = drawAugmentation(random(1, "augment", 0, 0));
    const once = applyAugmentation(pair, { width: 8, height: 8 }, draws, PAPER_AUGMENTATION);
    expect([once.image.channels, once.image.data.length, once.image.measured]).toEqual([5, 320, true]);
    const again = applyAugmentation(pair, { width: 8, height: 8 }, draws, PAPER_AUGMENTATION);
    expect(again.image.data).toEqual(once.image.data);
  });
});
