import { describe, expect, test } from "vitest";
import { diameterOf, keptPixels, quantile } from "../../../../src/experiment/plan/fingerprint.ts";
import {
  augmentOf,
  batchOf,
  chooseView,
  classWeightsOf,
  cutObjects,
  encoderOf,
  evalEveryOf,
  foregroundOf,
  framing,
  patchesOf,
  stepsOf,
  type View,
  viewOf,
} from "../../../../src/experiment/plan/rules.ts";

const SQUARE = (side: number) => ({ width: side, height: side });
/** Objects of so many pixels in the first image. */
const objectsOf = (...pixels: number[]) => pixels.map((one) => ({ pixels: one, image: 0 }));
const costed = (view: Omit<View, "bytes" | "fits">): View => ({ ...view, bytes: 1, fits: true });

/** The decision for images of one size, whole at `side` or in patches of it. */
function decided(images: readonly { width: number; height: number }[], pixels: readonly number[], side: number) {
  const fingerprint = { images, objects: objectsOf(...pixels) };
  const [whole, patches] = [viewOf(fingerprint, "whole", SQUARE(side)), viewOf(fingerprint, "patches", SQUARE(side))];
  return chooseView(costed(whole), costed(patches), images.length);
}

test("percentiles are numpy's, of nothing there is none", () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(quantile([10, 20, 30, 40, 50, 60], 0.1)).toBe(15);
  expect(quantile([7], 0.1)).toBe(7);
  expect(quantile([], 0.5)).toBeNaN();
  expect(diameterOf(Math.PI * 25)).toBeCloseTo(10);
});

test("what an object keeps is what its own image is shrunk by", () => {
  const images = [
    { width: 1000, height: 500 },
    { width: 100, height: 100 },
  ];
  const objects = [
    { pixels: 200, image: 0 },
    { pixels: 200, image: 1 },
  ];
  expect(keptPixels({ images, objects })).toEqual([200, 200]);
  expect(keptPixels({ images, objects }, SQUARE(100))).toEqual([4, 200]);
});

describe("whole images or patches", () => {
  const two = (side: number) => [SQUARE(side), SQUARE(side)];

  test("small objects in large images: patches, and the figures are in the reason", () => {
    const { value, reason, thumb } = decided(two(1024), [40, 50, 60], 256);
    expect(value).toMatchObject({ kind: "patches", smallestTenth: 42 });
    expect(reason).toBe(
      "of whole images the 10 % smallest objects would keep 2.63 pixels of 42 pixels, and 16 are wanted",
    );
    expect(thumb).toBe(true);
  });

  test("exactly as many pixels as are wanted: whole; one fewer: patches", () => {
    expect(decided(two(512), [64], 256).value).toMatchObject({ kind: "whole", smallestTenth: 16 });
    expect(decided(two(512), [63], 256).value.kind).toBe("patches");
  });

  test("no objects: whole, and said so", () => {
    const { value, reason } = decided(two(900), [], 256);
    expect(value.kind).toBe("whole");
    expect(reason).toBe("the training masks hold no object that could vanish");
  });

  test("objects of one pixel in small images: patches would keep no more, so whole", () => {
    const { value, reason } = decided(two(256), [1, 1, 1], 256);
    expect(value.kind).toBe("whole");
    expect(reason).toMatch(/have 1 pixel at their own size, and patches would keep no more than the 1 pixel/);
  });

  test("objects of one pixel in giant images: patches", () => {
    expect(decided(two(30_000), [1, 1], 512).value.kind).toBe("patches");
  });

  test("one image: patches, since one whole image makes no batch", () => {
    expect(decided([SQUARE(512)], [9000], 512)).toMatchObject({ value: { kind: "patches" }, thumb: false });
  });

  test("objects wider than half a patch are said to be cut", () => {
    const images = two(2000);
    const objects = objectsOf(...Array(9).fill(20), 100_000, 100_000);
    const view = costed(viewOf({ images, objects }, "patches", SQUARE(256)));
    expect(cutObjects({ images, objects }, view)).toMatch(/^the 10 % largest objects are 357 pixels wide or more/);
    expect(cutObjects({ images, objects }, { ...view, kind: "whole" })).toBeUndefined();
    expect(cutObjects({ images, objects: objectsOf(20) }, view)).toBeUndefined();
    expect(cutObjects({ images, objects: [] }, view)).toBeUndefined();
  });
});

test("sides are rounded up to what networks halve", () => {
  expect([1, 64, 65, 256, 257].map(framing)).toEqual([64, 64, 96, 256, 288]);
});

test("patches cover the median image, within bounds, and make a batch of a single image", () => {
  const of = (images: number, side: number, batch = 4) =>
    patchesOf({ images: Array.from({ length: images }, () => SQUARE(side)) }, SQUARE(256), batch).value;
  expect(of(10, 1024)).toBe(16);
  expect(of(10, 200)).toBe(1);
  expect(of(10, 30_000)).toBe(64);
  expect(of(1, 100, 16)).toBe(16);
  expect(of(3, 100, 16)).toBe(6);
});

test("a batch shows as many pixels as the paper's, within 2 to 16, or what fits", () => {
  const all = () => true;
  expect([512, 1024, 320, 256, 64].map((side) => batchOf(SQUARE(side), all).value)).toEqual([4, 2, 10, 16, 16]);
  expect(batchOf(SQUARE(256), (batch) => batch <= 5)).toMatchObject({
    value: 5,
    reason: "what memory allows of the 16 that show as many pixels as the paper's batch",
  });
  expect(batchOf(SQUARE(256), () => false).value).toBe(2);
});

test("encoders grow with the number of images", () => {
  const names = [1, 99, 100, 999, 1000, 50_000].map((images) => Object.values(encoderOf(images).value).slice(0, 2));
  expect(names.map(([encoder]) => encoder)).toEqual(["mini", "mini", "resnet18", "resnet18", "resnet50", "resnet50"]);
  expect(encoderOf(150).reason).toBe(
    "for 100 to 999 images from random weights: a larger network would learn them by heart",
  );
});

test("steps are a hundred passes within bounds, validations about twenty", () => {
  expect([1, 20, 100, 501].map((perEpoch) => stepsOf(perEpoch).value)).toEqual([2000, 2000, 10_000, 50_000]);
  expect(stepsOf(1).reason).toBe("100 passes, as the paper trains, at least 2000");
  expect(
    [
      [2000, 10],
      [2000, 2000],
      [10, 5],
    ].map(([steps = 0, perEpoch = 1]) => evalEveryOf(steps, perEpoch).value),
  ).toEqual([10, 1, 1]);
});

test("the rarer objects are, the more patches are placed on one; a third at the least", () => {
  const view = (side: number, kind: View["kind"] = "patches") =>
    costed({ ...viewOf({ images: [], objects: [] }, kind, SQUARE(side)) });
  const images = Array.from({ length: 10 }, () => SQUARE(1000));
  const share = (objects: number, side: number) =>
    foregroundOf({ images, objects: objectsOf(...Array(objects).fill(5)) }, view(side)).value;
  // 10 objects in 10^7 pixels: 0.01 a patch of 100x100, which 99 % of patches do not show.
  expect(share(10, 100)).toBeCloseTo(0.67, 2);
  expect(share(1000, 100)).toBeCloseTo((0.67 - (1 - Math.exp(-1))) / Math.exp(-1) > 0.33 ? 0.1 : 0.33, 2);
  expect(share(100_000, 100)).toBe(0.33);
  expect(share(0, 100)).toBe(0);
  expect(foregroundOf({ images, objects: objectsOf(5) }, view(100, "whole")).value).toBe(0);
});

test("classes weigh by the fourth root of how rare they are", () => {
  const classes = (...shares: number[]) => shares.map((share, label) => ({ name: `c${label}`, share, images: 1 }));
  expect(classWeightsOf(classes(0.81, 0.01, 0)).value).toEqual([1, 3, 1]);
  expect(classWeightsOf(classes(0.999999, 1e-6)).value).toEqual([1, 5]);
  expect(classWeightsOf(classes(0.3, 0.7)).value).toEqual([1, 1]);
  expect(classWeightsOf(classes(0, 0)).value).toEqual([1, 1]);
  expect(classWeightsOf(classes(0.99, 0.01)).reason).toBe("of the pixels are c1 1 %");
});

test("small sets are bent too", () => {
  expect(augmentOf(199).value).toEqual(["elastic"]);
  expect(augmentOf(200).value).toEqual([]);
});
