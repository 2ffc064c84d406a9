import { describe, expect, test } from "vitest";
import { DataError } from "../../../src/errors.ts";
import { classTable, Evaluation, imageTable } from "../../../src/metrics/evaluation.ts";
import { report } from "../../../src/metrics/summary.ts";
import { countsOf, Totals } from "../../../src/metrics/totals.ts";

/** Rows of digits and dots to a label map; `.` is background, `x` ignored. */
function labels(...rows: string[]): Uint8Array {
  const digit = (cell: string) => (cell === "." ? 0 : cell === "x" ? 255 : Number(cell));
  return Uint8Array.from([...rows.join("")].map(digit));
}

const TARGETS = [
  labels("......", ".111..", ".111..", ".111..", "......", "......"),
  labels("22....", "22....", "......", "...111", "...111", "...111"),
];
const PREDICTIONS = [
  labels("......", "..111.", "..111.", "..111.", "......", "......"),
  labels("22....", "22....", "......", "...2..", "...111", "...111"),
];

const rounded = (values: Iterable<number>) => [...values].map((value) => Number(value.toFixed(6)));

describe("worked example: two 6 x 6 images, 3 classes", () => {
  const summary = report(PREDICTIONS, TARGETS, 3);

  test("counts and class values", () => {
    expect([...summary.counts.inter]).toEqual([47, 12, 4]);
    expect([...summary.counts.predicted]).toEqual([52, 15, 5]);
    expect([...summary.counts.truth]).toEqual([50, 18, 4]);
    expect([...summary.presence]).toEqual([2, 2, 1]);
    expect(rounded(summary.perClass.iou)).toEqual([0.854545, 0.571429, 0.8]);
    expect(rounded(summary.perClass.dice)).toEqual([0.921569, 0.727273, 0.888889]);
    expect(rounded(summary.perClass.precision)).toEqual([0.903846, 0.8, 0.8]);
    expect(rounded(summary.perClass.recall)).toEqual([0.94, 0.666667, 1]);
    expect(rounded(summary.perClass.f2)).toEqual([0.93254, 0.689655, 0.952381]);
  });

  test("means", () => {
    const { micro, macro } = summary;
    expect(rounded([micro.iou, micro.dice, micro.precision, micro.recall, micro.f2])).toEqual([
      73.038961, 83.731432, 84.153846, 84.266665, 83.93541,
    ]);
    expect(rounded([macro.iou, macro.dice, macro.precision, macro.recall, macro.f2])).toEqual([
      74.199134, 84.591008, 83.461538, 86.888887, 85.81919,
    ]);
    expect(rounded([summary.foregroundDice, summary.imageDice])).toEqual([80.80808, 83.009259]);
  });

  test("errors and E-measures", () => {
    const { index, binarised, binarisedOverImages, foreground } = summary.errors;
    expect(rounded([index, binarised, binarisedOverImages, foreground])).toEqual([0.125, 0.180556, 0.090278, 0.111111]);
    expect(rounded([summary.alignmentPooled, summary.alignment])).toEqual([91.363776, 91.30038]);
  });

  test("the evaluation sorts the images into strata and keeps a row of each", () => {
    const evaluation = new Evaluation({ classes: 3 });
    for (const [i, target] of TARGETS.entries()) {
      evaluation.add(PREDICTIONS[i] as Uint8Array, target, { name: `image, ${i}`, height: 6, width: 6 });
    }
    const strata = evaluation.strata();
    expect(Object.keys(strata)).toEqual(["1", "10", "all"]);
    expect(strata["1"]).toMatchObject({ images: 0, mDice: Number.NaN, macroDice: Number.NaN, mae: Number.NaN });
    expect(strata["all"]).toMatchObject({
      images: 2,
      mDice: summary.micro.dice,
      maeRelease: summary.errors.binarised / 2,
    });
    expect(strata["all"]?.classes[2]).toMatchObject({
      class: 2,
      intersection: 4,
      predicted: 5,
      labelled: 4,
      images: 1,
    });
    expect(rounded(evaluation.images.map((row) => row.shareRelease))).toEqual([11.111111, 25]);
    expect(rounded(evaluation.images.map((row) => row.sharePixels))).toEqual([25, 25]);
    const mean = evaluation.images.reduce((sum, row) => sum + row.imageDice, 0) / 2;
    expect(mean).toBeCloseTo(summary.imageDice, 10);

    const table = imageTable(evaluation.images).split("\n");
    expect(table[0]).toBe(
      "name,height,width,shareRelease,sharePixels,imageDice,foregroundDice,sensitivity,precision,mae,eMeasure,dice0,dice1,dice2",
    );
    expect(table[1]).toMatch(/^"image, 0",6,6,11\.1/);
    expect(table[1]).toMatch(/,$/);
    expect(table).toHaveLength(4);
    expect(classTable(strata).split("\n")).toHaveLength(1 + 9 + 1);
  });
});

describe("totals", () => {
  test("do not depend on grouping and stay exact beyond 2^24 pixels", () => {
    const one = Totals.ofImage(PREDICTIONS[0] as Uint8Array, TARGETS[0] as Uint8Array, 3);
    const two = Totals.ofImage(PREDICTIONS[1] as Uint8Array, TARGETS[1] as Uint8Array, 3);
    const together = new Totals(3);
    together.merge(one);
    together.merge(two);
    const swapped = new Totals(3);
    swapped.merge(two);
    swapped.merge(one);
    expect(swapped).toEqual(together);

    const odd = Totals.ofImage(new Uint8Array(3), new Uint8Array(3), 2);
    const many = new Totals(2);
    many.merge(odd);
    for (let doubling = 0; doubling < 24; doubling++) {
      const copy = new Totals(2);
      copy.merge(many);
      many.merge(copy);
    }
    many.merge(odd);
    expect(countsOf(many).inter[0]).toBe(3 * 2 ** 24 + 3);
  });
});

describe("what counts nowhere", () => {
  test("ignored pixels count nowhere", () => {
    const target = labels("xx1", "0.1");
    const plain = report([labels("111")], [labels("101")], 2);
    const ignoring = report([labels("111", "111")], [labels("xxx", "101")], 2);
    expect(ignoring).toEqual(plain);
    expect(Totals.ofImage(labels("111", "111"), target, 2).confusion).toEqual(Float64Array.of(0, 2, 0, 2));
  });

  test("an image without a counted pixel counts nowhere", () => {
    const blank = labels("xxx");
    const summary = report([labels("110"), labels("111")], [labels("100"), blank], 2);
    expect(summary).toEqual(report([labels("110")], [labels("100")], 2));
    const evaluation = new Evaluation({ classes: 2, keep: true });
    expect(evaluation.add(labels("111"), blank, { name: "blank", height: 1, width: 3 })).toBeUndefined();
    expect([evaluation.ignored, evaluation.images, evaluation.kept]).toEqual([["blank"], [], []]);
    expect(evaluation.strata()["all"]).toMatchObject({ images: 0, emptyImages: 0 });
  });

  test("without an object in any label map there is no overlap, but errors there are", () => {
    const evaluation = new Evaluation({ classes: 2 });
    evaluation.add(labels("001"), labels("000"), { name: "a", height: 1, width: 3 });
    const { all } = evaluation.strata();
    const missing = [
      "mDice",
      "mIoU",
      "sensitivity",
      "precision",
      "f2",
      "foregroundDice",
      "imageDice",
      "macroIoU",
    ] as const;
    expect(missing.map((name) => all?.[name])).toEqual(missing.map(() => Number.NaN));
    expect(all).toMatchObject({ images: 1, emptyImages: 1 });
    expect(all?.mae).toBeCloseTo(1 / 3, 12);
  });

  test("classes that do not exist and other sizes are refused with the image's name", () => {
    const evaluation = new Evaluation({ classes: 2 });
    const image = { name: "a.png", height: 1, width: 3 };
    expect(() => evaluation.add(labels("000"), labels("002"), image)).toThrow(DataError);
    expect(() => evaluation.add(labels("000"), labels("002"), image)).toThrow(
      "a.png: The label map holds class 2 at pixel 2, but there are only 2 classes.",
    );
    expect(() => evaluation.add(labels("030"), labels("001"), image)).toThrow(
      "The prediction holds class 3 at pixel 1",
    );
    expect(() => evaluation.add(labels("00"), labels("000"), image)).toThrow("2 pixels, its label map 3");
    expect(() => evaluation.add(labels("00"), labels("00"), image)).toThrow("a.png: the label map has 2 pixels");
    expect(evaluation.strata()["all"]?.images).toBe(0);
  });
});

describe("E-measure of empty and full maps", () => {
  test.each([
    ["both empty", "0000", "0000", 100],
    ["empty label map, a quarter predicted", "0100", "0000", 75],
    ["full label map, half predicted", "0101", "1111", 50],
  ])("%s", (_name, prediction, target, expected) => {
    expect(report([labels(prediction)], [labels(target)], 2).alignment).toBeCloseTo(expected, 12);
  });
});
