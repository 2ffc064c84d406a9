import { describe, expect, test } from "vitest";
import {
  applyAugmentation,
  augment,
  drawAugmentation,
  PAPER_AUGMENTATION,
  scaledSize,
  shortSideRange,
} from "../../../src/data/image/augment.ts";
import { type ByteImage, filled } from "../../../src/data/image/image.ts";
import { random } from "../../../src/kernels/random.ts";

const SIZE = { width: 48, height: 48 };

function pairOf(width: number, height: number) {
  const walk = random(1, "picture", width, height);
  const image: ByteImage = { width, height, channels: 3, data: new Uint8Array(width * height * 3) };
  const mask = filled({ width, height }, 1, 0);
  for (let at = 0; at < image.data.length; at++) image.data[at] = walk.integer(256);
  for (let at = 0; at < mask.data.length; at++) mask.data[at] = walk.integer(3);
  return { image, mask };
}

const draws = Array.from({ length: 4000 }, (_, index) => drawAugmentation(random(3, "augment", 0, index)));
const share = (claim: (draw: (typeof draws)[number]) => boolean) => draws.filter(claim).length / draws.length;

describe("draws", () => {
  test("follow the published probabilities", () => {
    const half = [
      share((draw) => draw.flip),
      share((draw) => draw.sigma !== undefined),
      share((draw) => draw.brightness !== undefined),
      share((draw) => draw.saturation !== undefined),
      share((draw) => draw.hue !== undefined),
      share((draw) => draw.channels !== undefined),
    ];
    for (const value of half) expect(Math.abs(value - 0.5)).toBeLessThan(0.03);
    expect(Math.abs(share((draw) => draw.contrastEarly !== undefined) - 0.25)).toBeLessThan(0.03);
    expect(Math.abs(share((draw) => draw.contrastLate !== undefined) - 0.25)).toBeLessThan(0.03);
    expect(share((draw) => draw.contrastEarly !== undefined && draw.contrastLate !== undefined)).toBe(0);
  });

  test("fill the published ranges", () => {
    const ranges = [
      ["shortSide", 0, 1],
      ["sigma", 0, 1],
      ["brightness", 0.875, 1.125],
      ["contrastEarly", 0.5, 1.5],
      ["contrastLate", 0.5, 1.5],
      ["saturation", 0.5, 1.5],
      ["hue", -0.05, 0.05],
      ["degrees", -10, 10],
    ] as const;
    for (const [name, low, high] of ranges) {
      const values = draws.map((draw) => draw[name]).filter((value) => value !== undefined);
      const reached = [Math.min(...values), Math.max(...values)] as const;
      expect(reached[0], name).toBeGreaterThanOrEqual(low);
      expect(reached[1], name).toBeLessThan(high);
      expect((reached[1] - reached[0]) / (high - low), name).toBeGreaterThan(0.98);
    }
    expect(new Set(draws.map(({ channels }) => channels?.join(""))).size).toBe(7);
  });
});

describe("sizes", () => {
  test("draw short sides of 256 to 768, long side at most 1024, for the paper's 512", () => {
    const paper = { width: 512, height: 512 };
    expect(shortSideRange(paper)).toEqual({ low: 256, high: 768, cap: 1024 });
    expect(scaledSize({ width: 600, height: 400 }, paper, 0)).toEqual({ width: 384, height: 256 });
    expect(scaledSize({ width: 600, height: 400 }, paper, 0.999999)).toEqual({ width: 1024, height: 682 });
    expect(scaledSize({ width: 400, height: 400 }, paper, 0.999999)).toEqual({ width: 768, height: 768 });
  });

  test("scale with the crop", () => {
    expect(shortSideRange({ width: 128, height: 128 })).toEqual({ low: 64, high: 192, cap: 256 });
    expect(shortSideRange({ width: 100, height: 60 })).toEqual({ low: 32, high: 90, cap: 200 });
  });

  test("keep at least one pixel of a very flat image", () => {
    expect(scaledSize({ width: 3000, height: 2 }, SIZE, 0.5)).toEqual({ width: 96, height: 1 });
  });
});

describe("augment", () => {
  test("gives exactly the asked size and only known labels, whatever the source's size", () => {
    for (const [width, height] of [
      [48, 48],
      [31, 90],
      [200, 20],
      [7, 5],
    ] as const) {
      const out = augment(pairOf(width, height), { width: 40, height: 56 }, random(1, "augment", width));
      expect([out.image.width, out.image.height, out.mask.width, out.mask.height]).toEqual([40, 56, 40, 56]);
      expect(out.image.data.length).toBe(40 * 56 * 3);
      for (const label of out.mask.data) expect([0, 1, 2, 255]).toContain(label);
    }
  });

  test("is a pure function of image and draws, and leaves its input alone", () => {
    const pair = pairOf(60, 50);
    const before = pair.image.data.slice();
    const once = augment(pair, SIZE, random(9, "augment", 1, 2));
    expect(augment(pair, SIZE, random(9, "augment", 1, 2))).toEqual(once);
    expect(augment(pair, SIZE, random(9, "augment", 1, 3))).not.toEqual(once);
    expect(pair.image.data).toEqual(before);
  });

  test("moves image and mask together", () => {
    const data = new Uint8Array(64 * 64).map((_, at) => ((at >> 10) + (at >> 4)) & 1);
    const mask: ByteImage = { width: 64, height: 64, channels: 1, data };
    const image: ByteImage = { width: 64, height: 64, channels: 3, data: new Uint8Array(64 * 64 * 3) };
    for (let at = 0; at < image.data.length; at++) image.data[at] = 200 * (data[Math.floor(at / 3)] ?? 0);
    const options = { ...PAPER_AUGMENTATION, colour: false, blur: false };
    let agree = 0;
    let counted = 0;
    for (let index = 0; index < 20; index++) {
      const out = augment({ image, mask }, SIZE, random(4, "augment", index), options);
      out.mask.data.forEach((label, at) => {
        if (label === 255) return;
        counted++;
        if (Number((out.image.data[3 * at] ?? 0) > 100) === label) agree++;
      });
    }
    expect(agree / counted).toBeGreaterThan(0.93);
  });

  test("marks padding as ignored in the mask and white in the image", () => {
    const pair = { image: filled({ width: 10, height: 10 }, 3, 7), mask: filled({ width: 10, height: 10 }, 1, 1) };
    const draw = { ...drawAugmentation(random(1, "augment")), shortSide: 0, degrees: 0, cropLeft: 0, cropTop: 0 };
    const out = applyAugmentation(pair, SIZE, draw, { ...PAPER_AUGMENTATION, colour: false, blur: false });
    expect([out.image.data[0], out.mask.data[0]]).toEqual([255, 255]);
    expect([out.image.data.at(-1), out.mask.data.at(-1)]).toEqual([7, 1]);
  });

  test("fills corners turned in with black and ignores them", () => {
    const pair = { image: filled(SIZE, 3, 90), mask: filled(SIZE, 1, 1) };
    const options = { ...PAPER_AUGMENTATION, scale: false, colour: false, blur: false };
    const out = applyAugmentation(pair, SIZE, { ...drawAugmentation(random(1, "a")), degrees: 10 }, options);
    expect([out.image.data[0], out.mask.data[0]]).toEqual([0, 255]);
  });

  test("leaves everything as it is with every step off", () => {
    const pair = pairOf(48, 48);
    const off = { scale: false, flip: false, blur: false, colour: false, rotate: false };
    expect(augment(pair, SIZE, random(1, "augment"), off)).toEqual(pair);
  });
});
