import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { writePng } from "../../../src/data/decode.ts";
import { type Batch, trainBatches } from "../../../src/data/feed/batches.ts";
import { augment, PAPER_AUGMENTATION } from "../../../src/data/image/augment.ts";
import { mirroredCrop, nativeCrop } from "../../../src/data/image/crops.ts";
import { type ByteImage, filled } from "../../../src/data/image/image.ts";
import { random } from "../../../src/kernels/random.ts";
import { IGNORE_LABEL } from "../../../src/labels.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-patches-"));
afterAll(() => rmSync(folder, { recursive: true }));

const SIZE = { width: 32, height: 24 };

/** A grey picture whose red is its column and green its row, with an object of 3x3 pixels at (150, 100). */
function picture(width = 203, height = 141) {
  const image = filled({ width, height }, 3, 7);
  const mask = filled({ width, height }, 1, 0);
  for (let at = 0; at < width * height; at++) {
    const [x, y] = [at % width, Math.floor(at / width)];
    image.data[3 * at] = x;
    image.data[3 * at + 1] = y;
    if (x >= 150 && x < 153 && y >= 100 && y < 103) mask.data[at] = 1;
  }
  return { image, mask };
}

const STILL = { scale: false, flip: false, blur: false, colour: false, rotate: false, native: true };
const ROUNDS = [...Array(200).keys()];

/** Patch number `index` of a picture, a share of them on the object. */
const patch = (index: number, foregroundCrops: number, pair = picture()) =>
  augment(
    pair,
    SIZE,
    random(5, "augment", 0, index),
    { ...STILL, foregroundCrops },
    {
      foreground: random(5, "foreground crop", 0, index),
    },
  );

const cornerOf = ({ data }: Pick<ByteImage, "data">) => [data[0] ?? 0, data[1] ?? 0] as const;

test("a patch is a piece of the picture at its own resolution, anywhere in it", () => {
  const corners = ROUNDS.map((index) => {
    const { image, mask } = patch(index, 0);
    const [left, top] = cornerOf(image);
    expect(image).toMatchObject({ ...SIZE, channels: 3 });
    expect(mask).toMatchObject({ ...SIZE, channels: 1 });
    for (const at of [31, 32 * 23, 32 * 24 - 1]) {
      expect([image.data[3 * at], image.data[3 * at + 1]]).toEqual([left + (at % 32), top + Math.floor(at / 32)]);
    }
    const isObject = (x: number, y: number) => Math.abs(left + x - 151) < 2 && Math.abs(top + y - 101) < 2;
    for (const [at, label] of mask.data.entries()) expect(label === 1).toBe(isObject(at % 32, Math.floor(at / 32)));
    return [left, top] as const;
  });
  const [lefts, tops] = [corners.map(([left]) => left), corners.map(([, top]) => top)];
  expect(Math.min(...lefts)).toBeLessThan(8);
  expect(Math.max(...lefts)).toBeGreaterThan(203 - 32 - 8);
  expect(Math.max(...lefts)).toBeLessThanOrEqual(203 - 32);
  expect(Math.min(...tops)).toBeLessThan(8);
  expect(Math.max(...tops)).toBeLessThanOrEqual(141 - 24);
});

test("the share that is asked for shows the object, which lies within the middle 60 %, evenly", () => {
  const places = (share: number) =>
    ROUNDS.flatMap((index) => {
      const at = patch(index, share).mask.data.indexOf(1);
      return at < 0 ? [] : [[(at % 32) / 32, Math.floor(at / 32) / 24] as const];
    });
  // A patch at random covers the object in (32 + 2) * (24 + 2) of 172 * 118 places: 4 %.
  expect(places(0).length).toBeLessThan(20);
  const half = places(0.5).length;
  expect(half).toBeGreaterThan(82);
  expect(half).toBeLessThan(128);
  const all = places(1);
  expect(all.length).toBe(200);
  // Any of the three columns may be the one that is aimed at: the first is up to two further left.
  const across = all.map(([x]) => x);
  expect(Math.min(...across)).toBeGreaterThanOrEqual(0.2 - 3 / 32);
  expect(Math.max(...across)).toBeLessThanOrEqual(0.8);
  expect(Math.max(...across) - Math.min(...across)).toBeGreaterThan(0.45);
  expect(across.reduce((sum, x) => sum + x, 0) / 200).toBeCloseTo(0.5 - 1 / 32, 1);
});

test("an object at the border is shown, by patches that stay inside the picture", () => {
  const pair = picture();
  pair.mask.data.fill(0);
  pair.mask.data[0] = 1;
  for (const index of ROUNDS.slice(0, 20)) {
    const { image, mask } = patch(index, 1, pair);
    expect(cornerOf(image)).toEqual([0, 0]);
    expect(mask.data[0]).toBe(1);
    expect(mask.data.includes(IGNORE_LABEL)).toBe(false);
  }
});

test("a picture smaller than the patch lies inside it, mirrored at its border, ignored there", () => {
  const lefts = new Set<number>();
  for (const index of ROUNDS.slice(0, 40)) {
    const { image, mask } = patch(index, 0, picture(5, 141));
    const columns = [...mask.data.subarray(0, 32)];
    expect(columns.filter((label) => label === 0)).toHaveLength(5);
    const left = columns.indexOf(0);
    lefts.add(left);
    const reds = Array.from({ length: 32 }, (_, x) => image.data[3 * x]);
    expect(reds.slice(left, left + 5)).toEqual([0, 1, 2, 3, 4]);
    expect(reds[left + 5] ?? 4).toBe(4);
    expect(reds[left - 1] ?? 0).toBe(0);
  }
  expect(lefts.size).toBeGreaterThan(15);
  const { data } = mirroredCrop(
    { width: 3, height: 1, channels: 1, data: Uint8Array.of(1, 2, 3) },
    {
      ...{ left: -4, top: -1, width: 11, height: 2 },
    },
  );
  expect([...data]).toEqual([3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1, ...[3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1]]);
});

test("zooming shows 0.7 to 1.4 times as large, either as likely", () => {
  const zoomed = (shortSide: number) =>
    nativeCrop(picture(), SIZE, { zooms: true, shortSide, cropLeft: 0, cropTop: 0 }).image;
  const shown = (shortSide: number) => (zoomed(shortSide).data[3 * 31] ?? 0) + 0.5;
  expect(shown(0)).toBeCloseTo(32 / 0.7, -0.5);
  expect(shown(0.9999)).toBeCloseTo(32 / 1.4, -0.5);
  expect(zoomed(0.3)).toMatchObject(SIZE);
  // The middle draw is the middle of the factors' logarithms: 0.7 * 2 ** 0.5.
  expect(shown(0.5)).toBeCloseTo(32 / 0.99, -0.5);
});

test("all draws of other steps stay as they are: the resized recipe has not moved by a bit", () => {
  const pair = picture();
  const plain = augment(pair, SIZE, random(5, "augment", 3));
  expect(augment(pair, SIZE, random(5, "augment", 3), { ...PAPER_AUGMENTATION, native: false })).toEqual(plain);
  expect(augment(pair, SIZE, random(5, "augment", 3), { ...PAPER_AUGMENTATION, native: true })).not.toEqual(plain);
});

test("an image gives several patches an epoch, each another, the same from any start on", async () => {
  const pair = picture();
  const [image, mask] = [join(folder, "a.png"), join(folder, "a-mask.png")];
  await writePng(image, pair.image);
  await writePng(mask, pair.mask);
  const sample = { stem: "a", image, mask };
  const options = {
    samples: [sample, sample, sample, sample],
    size: SIZE,
    batchSize: 2,
    statistics: { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] },
    workers: 0,
    seed: 3,
    epochs: 2,
    augment: { ...STILL, foregroundCrops: 0.5 },
  };
  const all: Batch[] = [];
  for await (const batch of trainBatches(options)) all.push(batch);
  expect(all).toHaveLength(4);
  const corners = all.flatMap(({ images }) =>
    [0, 1].map((n) => images.slice(n * 32 * 24 * 3, n * 32 * 24 * 3 + 2).join(",")),
  );
  expect(new Set(corners).size).toBe(8);
  const rest: Batch[] = [];
  for await (const batch of trainBatches({ ...options, start: { epoch: 0, indexInEpoch: 1 } })) rest.push(batch);
  expect(rest).toEqual(all.slice(1));
});
