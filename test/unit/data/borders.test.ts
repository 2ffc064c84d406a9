import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeGrey16 } from "../../../src/data/codec/png-grey16.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { writePng } from "../../../src/data/decode.ts";
import { borderPlaces, labelsWithBorders, withNumbers } from "../../../src/data/feed/borders.ts";
import { prepareSample } from "../../../src/data/feed/sample.ts";
import { PAPER_AUGMENTATION } from "../../../src/data/image/augment.ts";
import { DataError } from "../../../src/errors.ts";
import { touchingBars } from "../../support/touching-bars.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-borders-"));
beforeAll(() => touchingBars(join(folder, "bars"), { train: 1, val: 1 }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const map = (rows: readonly string[]) => Uint8Array.from(rows.join(""), Number);

/** The border's pixels as rows of 1; every object is of class 1 unless `labels` says otherwise. */
function drawn(rows: readonly string[], pixels: number, labels?: readonly string[]): string[] {
  const numbers = map(rows);
  const width = rows[0]?.length ?? 0;
  const classes = labels ? map(labels) : numbers.map((number) => Math.min(1, number));
  const places = new Set(borderPlaces(classes, numbers, { width, height: rows.length }, pixels));
  return rows.map((row, y) => Array.from(row, (_, x) => (places.has(y * width + x) ? "1" : "0")).join(""));
}

test("a border is what lies within so many pixels of another object, each side of the line and across a gap", () => {
  const touching = ["111222", "111222", "000000", "333333", "333333"];
  expect(drawn(touching, 1)).toEqual(["001100", "001100", "000000", "000000", "000000"]);
  // Across the gap of one row the objects are 2 apart, by the diagonal farther.
  expect(drawn(touching, 2)).toEqual(["011110", "111111", "000000", "111111", "000000"]);
});

test("distances are between centres: a corner is the square root of 2 away", () => {
  expect(drawn(["110", "110", "002"], 1)).toEqual(["000", "000", "000"]);
  // The second object has one pixel, which it keeps.
  expect(drawn(["110", "110", "002"], 1.5)).toEqual(["000", "010", "000"]);
});

test("an object that stands alone has no border, one that would lose all keeps what is farthest", () => {
  expect(drawn(["1110", "1110", "0000"], 16)).toEqual(["0000", "0000", "0000"]);
  expect(drawn(["112111"], 2)).toEqual(["110110"]);
});

test("an object of another class next to it, as a nucleus in its cell, makes no border", () => {
  expect(drawn(["1122"], 1, ["1122"])).toEqual(["0000"]);
  expect(drawn(["1122"], 1, ["2222"])).toEqual(["0110"]);
});

test("numbers go with their mask, of two bytes too; the background and what is ignored are no objects", async () => {
  const file = join(folder, "numbers.png");
  writeFileSync(file, encodeGrey16(Uint16Array.of(258, 258, 514, 514, 514, 513, 7, 7), 8, 1));
  const mask = { width: 8, height: 1, channels: 1, data: Uint8Array.of(1, 1, 1, 1, 255, 1, 0, 1) };
  const carried = await withNumbers(mask, file);
  expect([carried.channels, ...carried.data.subarray(0, 3)]).toEqual([3, 1, 2, 1]);
  expect([...labelsWithBorders(carried, { label: 2, pixels: 1 })]).toEqual([1, 2, 2, 1, 255, 1, 0, 1]);
  const wide = { width: 4, height: 2, channels: 1, data: mask.data };
  await expect(withNumbers(wide, file)).rejects.toThrow(
    new DataError(`${file}: has 8x1 pixels, its mask 4x2; prepare the set anew`),
  );
});

/** Two draws in which everything moves. */
const EVERY = { ...PAPER_AUGMENTATION, elastic: true, zoom: true, foregroundCrops: 1 };

test.each([
  ["whole images", EVERY],
  ["patches at the images' own resolution", { ...EVERY, native: true }],
])("%s: augmentation moves objects as it moves masks, and all else stays as without borders", async (_, augment) => {
  const [sample] = (await openDataset(join(folder, "bars"))).splits.train ?? [];
  if (sample === undefined) throw new Error("no sample");
  const task = { ...sample, size: { width: 48, height: 40 }, statistics: { mean: [0, 0, 0], std: [1, 1, 1] } };
  const borders = { label: 2, pixels: 2, instances: join(folder, "bars/instances/train-0.png") };
  let seen = 0;
  for (const epoch of [0, 1, 2, 3]) {
    const draw = { seed: 1, epoch, index: 0, augment };
    const plain = await prepareSample({ ...task, training: draw });
    const bordered = await prepareSample({ ...task, training: { ...draw, borders } });
    expect(bordered.image).toEqual(plain.image);
    expect(bordered.label.map((label) => (label === 2 ? 1 : label))).toEqual(plain.label);
    seen += bordered.label.filter((label) => label === 2).length;
  }
  // Bars are 16 pixels high at their own size, their borders 4 pixels wide.
  expect(seen).toBeGreaterThan(64);
  expect(seen).toBeLessThan(1000);
});

test("a file of an image and mask of one size, but of other objects, is refused by name", async () => {
  const image = join(folder, "a.png");
  const file = join(folder, "other.png");
  await writePng(image, { width: 4, height: 4, channels: 3, data: new Uint8Array(48) });
  writeFileSync(file, encodeGrey16(new Uint16Array(12), 4, 3));
  const mask = join(folder, "mask.png");
  await writePng(mask, { width: 4, height: 4, channels: 1, data: new Uint8Array(16) });
  const borders = { label: 2, pixels: 2, instances: file };
  const training = { seed: 1, epoch: 0, index: 0, augment: PAPER_AUGMENTATION, borders };
  const statistics = { mean: [0, 0, 0], std: [1, 1, 1] };
  const task = { image, mask, size: { width: 32, height: 32 }, statistics, training };
  await expect(prepareSample(task)).rejects.toThrow(/other\.png: has 4x3 pixels, its mask 4x4; prepare the set anew/);
});
