import { describe, expect, test } from "vitest";
import { type AugmentOptions, augment, PAPER_AUGMENTATION } from "../../../src/data/image/augment.ts";
import { filled } from "../../../src/data/image/image.ts";
import { drawStrong } from "../../../src/data/image/strong.ts";
import { warpBilinear, warpNearest } from "../../../src/data/image/warp.ts";
import { random } from "../../../src/kernels/random.ts";
import { IGNORE_LABEL } from "../../../src/labels.ts";

const SIZE = { width: 47, height: 33 };
const NONE = { scale: false, flip: false, blur: false, colour: false, rotate: false } satisfies AugmentOptions;

/** A picture of which every pixel knows its place, and a mask of its left half. */
function pair() {
  const { width, height } = SIZE;
  const image = filled(SIZE, 3, 0);
  for (let i = 0; i < image.data.length; i++)
    image.data[i] = [5 * (Math.floor(i / 3) % width), 7 * Math.floor(i / 3 / width), 90][i % 3] ?? 0;
  const data = Uint8Array.from({ length: width * height }, (_, i) => (i % width < 20 ? 1 : 0));
  return { image, mask: { ...SIZE, channels: 1, data } as const };
}

const run = (options: AugmentOptions, index = 0, strong = true) =>
  augment(pair(), SIZE, random(5, "augment", index), options, strong ? { strong: random(5, "strong", index) } : {});

describe("augmentation for small sets", () => {
  test("leaves everything as it was where it is not asked for", () => {
    expect(run(PAPER_AUGMENTATION)).toEqual(run(PAPER_AUGMENTATION, 0, false));
    expect(run(NONE)).toEqual(pair());
  });

  test("is the same whenever it is drawn again, and another for another image", () => {
    const options = { ...PAPER_AUGMENTATION, strongColour: true, elastic: true, zoom: true };
    expect(run(options, 3)).toEqual(run(options, 3));
    expect(run(options, 3)).not.toEqual(run(options, 4));
  });

  test("in colour changes no mask, and turns one picture in five grey", () => {
    const grey = Array.from({ length: 200 }, (_, index) => {
      const { image, mask } = run({ ...NONE, strongColour: true }, index);
      if (index < 5) expect(mask).toEqual(pair().mask);
      return image.data.every((value, i) => value === image.data[i - (i % 3)]);
    });
    expect(grey.filter(Boolean).length / 200).toBeGreaterThan(0.12);
    expect(grey.filter(Boolean).length / 200).toBeLessThan(0.3);
  });

  test("draws factors of the published ranges", () => {
    const draws = Array.from({ length: 2000 }, (_, index) => drawStrong(random(1, "strong", index)));
    const factors = draws.flatMap(({ jitter }) => jitter?.factors ?? []);
    expect(factors.length / 6000).toBeCloseTo(0.8, 1);
    expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.2);
    expect(Math.max(...factors)).toBeLessThan(1.8);
    const zooms = draws.map(({ zoom }) => zoom).filter((zoom) => zoom !== 1);
    expect(zooms.length / 2000).toBeCloseTo(0.2, 1);
    expect(zooms.filter((zoom) => zoom < 1).length / zooms.length).toBeCloseTo(0.5, 0);
    expect([Math.min(...zooms) >= 0.7, Math.max(...zooms) < 1.4]).toEqual([true, true]);
    const grid = draws.flatMap((draw) => [...draw.grid]);
    expect(Math.sqrt(grid.reduce((sum, v) => sum + v * v, 0) / grid.length)).toBeCloseTo(1, 1);
  });

  test("bends image and mask alike", () => {
    const bent = run({ ...NONE, elastic: true }, 1);
    expect(bent.mask.data).not.toEqual(pair().mask.data);
    // The red of a pixel tells which column it came from: left of the 20th it is an object.
    const wrong = [...bent.mask.data].filter((label, i) => {
      const column = (bent.image.data[3 * i] ?? 0) / 5;
      return label !== IGNORE_LABEL && Math.abs(column - 19.5) > 1 && (column < 19.5 ? 1 : 0) !== label;
    });
    expect(wrong).toEqual([]);
  });
});

describe("a warp", () => {
  const { image, mask } = pair();
  const flat = (value: number) => new Float64Array(9).fill(value);

  test("by nothing changes nothing", () => {
    const nothing = { zoom: 1, across: undefined, down: undefined };
    expect(warpBilinear(image, nothing, 0)).toEqual(image);
    expect(warpNearest(mask, nothing, 0)).toEqual(mask);
  });

  test("by one displacement everywhere is a shift, and what comes from outside is filled", () => {
    const shifted = warpNearest(mask, { zoom: 1, across: flat(4), down: flat(0) }, 255);
    expect(shifted.data[15]).toBe(1);
    expect(shifted.data[16]).toBe(0);
    expect([...shifted.data.subarray(42, 47)]).toEqual([0, 255, 255, 255, 255]);
    const half = warpBilinear(image, { zoom: 1, across: flat(0.5), down: flat(0) }, 0);
    expect(half.data[3 * 10]).toBe(53); // 5 * 10.5, rounded
  });

  test("by a zoom keeps the middle and doubles distances from it", () => {
    const twice = warpBilinear(image, { zoom: 2, across: undefined, down: undefined }, 0);
    const red = (column: number) => twice.data[3 * (16 * SIZE.width + column)] ?? 0;
    expect(red(23)).toBe(5 * 23);
    expect(red(33)).toBe(5 * 28);
  });
});
