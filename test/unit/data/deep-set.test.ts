import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, expect, test } from "vitest";
import { encodePng } from "../../../src/data/codec/png.ts";
import { checkDataset } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { verifyDataset } from "../../../src/data/dataset/verify.ts";
import { evalBatches, trainBatches } from "../../../src/data/feed/batches.ts";
import type { Window } from "../../../src/data/formats/window.ts";
import { tiffBytes } from "../../support/raw/tiff.ts";

const SIZE = { width: 32, height: 24 };
const PIXELS = SIZE.width * SIZE.height;
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "svanet-deep-"));
  for (const name of ["train", "val", "mask"]) mkdirSync(join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A dim ground with a gradient of its own, and a bright square, in counts up to about 3,000. */
function counts(number: number): number[] {
  return Array.from({ length: PIXELS }, (_, at) => {
    const [row, column] = [Math.floor(at / SIZE.width), at % SIZE.width];
    const inside = row > 4 && row < 12 && column > 5 + number && column < 15 + number;
    return (inside ? 2400 : 800) + ((row * (7 + number) + column * (29 - 3 * number)) % 97);
  });
}

type Sort = "int16" | "uint32" | "float32" | "byte";

function put(split: string, stem: string, number: number, sort: Sort): void {
  const values = counts(number);
  const data = {
    int16: () => Int16Array.from(values, (value) => value - 1500),
    uint32: () => Uint32Array.from(values, (value) => value * 1000),
    float32: () => Float32Array.from(values, (value) => value / 4000),
    byte: () => Uint8Array.from(values, (value) => value / 12),
  }[sort]();
  writeFileSync(join(folder, split, `${stem}.tif`), tiffBytes({ ...SIZE, data }));
  const mask = Uint8Array.from(values, (value) => Number(value > 2000));
  writeFileSync(join(folder, "mask", `${stem}.png`), encodePng({ ...SIZE, channels: 1, data: mask }));
}

function fill(sort: Sort): void {
  for (let k = 0; k < 3; k++) put("train", `a${k}`, k, sort);
  for (let k = 0; k < 2; k++) put("val", `b${k}`, 4 + k, sort);
}

const options = (window?: Window) => ({ indexFile: join(folder, "index.json"), workers: 0, window });
const checked = async (window?: Window) => checkDataset(await openDataset(folder), ["train", "val"], options(window));

test.each(["int16", "uint32", "float32"] as const)(
  "verify finds nothing wrong in sound pictures of %s and says how they are shown",
  async (sort) => {
    fill(sort);
    const { findings, shown, imageModes } = await verifyDataset(await openDataset(folder), options());
    expect(findings).toEqual([]);
    expect(imageModes).toEqual({ [`grey ${sort === "int16" ? 16 : 32} bits`]: 5 });
    expect(shown).toMatch(
      /^5 pictures of (16|32) bits, each shown from its own window \(its 0\.5th to 99\.5th percentile\)/,
    );
  },
);

test("copies are told by the values, not by what a window leaves of them", async () => {
  fill("int16");
  put("train", "again", 4, "int16");
  const codes = async (window?: Window) =>
    (await verifyDataset(await openDataset(folder), options(window))).findings.map(({ code }) => code);
  expect(await codes()).toEqual(["duplicate-across-splits"]);
  // All pictures are white through this window, and yet no copies of one another.
  expect(new Set(await codes({ low: -9000, high: -8000 }))).toEqual(new Set(["duplicate-across-splits", "flat-image"]));
  const { findings } = await verifyDataset(await openDataset(folder), options({ low: -9000, high: -8000 }));
  expect(findings.at(-1)?.message).toContain("its values lie outside of the window -9000 to -8000");
});

test("a window holds for all pictures: given, or from dataset.yaml; the index knows which it was", async () => {
  fill("int16");
  const own = await checked();
  expect([own.window, own.decoded]).toEqual([undefined, 10]);
  expect((await checked()).decoded).toBe(0);
  writeFileSync(join(folder, "dataset.yaml"), "window: { low: -1000, high: 1550 }\n");
  const said = await checked();
  expect([said.window, said.decoded]).toEqual([{ low: -1000, high: 1550 }, 5]);
  expect(said.shown).toBe("5 pictures of 16 bits, shown from -1000 to 1550 (as dataset.yaml says)");
  const values = counts(0).map((value) => (value - 1500 + 1000) / 2550);
  const mean = [0, 1, 2].flatMap(counts).reduce((sum, value) => sum + (value - 500) / 2550, 0) / (3 * PIXELS);
  expect(said.statistics?.mean[0]).toBeCloseTo(mean, 6);
  const asked = await checked({ low: 0, high: 100 });
  expect([asked.window, asked.shown]).toEqual([
    { low: 0, high: 100 },
    "5 pictures of 16 bits, shown from 0 to 100 (as asked for)",
  ]);
  const trained = await checkDataset(await openDataset(folder), ["train"], {
    ...options(),
    trained: { low: 0, high: 9 },
  });
  expect(trained.shown).toBe("3 pictures of 16 bits, shown from 0 to 9 (as the training data)");
  expect((await checked()).decoded).toBe(5);

  const { splits, statistics = { mean: [0, 0, 0], std: [1, 1, 1] } } = await checked();
  const batch = await evalBatches({
    samples: splits.train ?? [],
    size: SIZE,
    batchSize: 1,
    statistics,
    workers: 0,
  }).next();
  const images: Float32Array = batch.value?.images ?? new Float32Array(0);
  // Not rounded to bytes: what the network reads is the stored value through the window.
  const expected = values.map((value) => (value - (statistics.mean[0] ?? 0)) / (statistics.std[0] ?? 1));
  const worst = Math.max(...expected.map((value, at) => Math.abs(value - (images[3 * at] ?? Number.NaN))));
  expect(worst).toBeLessThan(1e-5);
  await expect(
    openDataset(folder)
      .then(() => writeFileSync(join(folder, "dataset.yaml"), "window: { low: 9, high: 1 }\n"))
      .then(() => openDataset(folder)),
  ).rejects.toThrow(/dataset\.yaml: window: .*high must lie above low/);
});

test("augmented batches of deep pictures are finite and see more than 256 levels", async () => {
  fill("float32");
  const { splits, statistics = { mean: [0, 0, 0], std: [1, 1, 1] } } = await checked();
  const samples = splits.train ?? [];
  const stream = trainBatches({ samples, size: SIZE, batchSize: 3, statistics, workers: 0, seed: 1, epochs: 2 });
  const levels = new Set<number>();
  for await (const { images } of stream) for (const value of images) levels.add(value);
  expect([...levels].every(Number.isFinite)).toBe(true);
  expect(levels.size).toBeGreaterThan(2000);
});

test("pictures of 8 bits have no window, whatever is said", async () => {
  fill("byte");
  const plain = await checked();
  const { shown, decoded, statistics } = await checked({ low: 0, high: 9 });
  expect([plain.shown, shown, decoded]).toEqual([undefined, undefined, 0]);
  expect(statistics).toEqual(plain.statistics);
});

test("a photograph turned by its EXIF flag fits the mask drawn on what people see", async () => {
  const data = Uint8Array.from({ length: PIXELS }, (_, at) => (at % SIZE.width) * 7);
  const raw = { ...SIZE, channels: 1 } as const;
  const mask = encodePng({
    width: SIZE.height,
    height: SIZE.width,
    channels: 1,
    data: Uint8Array.from(data, (v) => Number(v > 99)),
  });
  for (const stem of ["one", "two"]) {
    const photo = await sharp(
      data.map((value) => value + (stem === "two" ? 9 : 0)),
      { raw },
    )
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    writeFileSync(join(folder, "train", `${stem}.jpg`), photo);
    writeFileSync(join(folder, "mask", `${stem}.png`), mask);
  }
  const { splits } = await checkDataset(await openDataset(folder), ["train"], options());
  expect(splits.train?.map(({ width, height }) => [width, height])).toEqual([
    [24, 32],
    [24, 32],
  ]);
});
