import { describe, expect, test } from "vitest";
import {
  compareObjects,
  countAgreement,
  countTable,
  type ImageObjects,
  objectScores,
  objectTable,
} from "../../../src/metrics/object-scores.ts";
import { rankedPrecision } from "../../../src/metrics/ranked-precision.ts";
import golden from "../../oracle/objects/object_scores.json" with { type: "json" };

/** The places of every number of a map from 1 on. */
const objectsOf = (labels: readonly number[]): number[][] =>
  Array.from({ length: Math.max(...labels) }, (_, at) =>
    [...labels.keys()].filter((place) => labels[place] === at + 1),
  );

const plain = (objects: readonly number[][]) => objects.map((pixels) => ({ pixels }));

const images: readonly ImageObjects[] = golden.images.map(({ truth, predicted, scores }, at) =>
  compareObjects({
    image: `image ${at}`,
    class: 1,
    truth: plain(objectsOf(truth)),
    predicted: objectsOf(predicted).map((pixels, index) => ({ pixels, score: scores[index] })),
    pixels: truth.length,
  }),
);

describe("pycocotools and SciPy values", () => {
  const { all, classes } = objectScores(images);

  test("AP of ranked objects is COCO's", () => {
    expect(all.overlaps.map(({ cocoAp }) => cocoAp)).toEqual(golden.cocoAp.map((ap) => expect.closeTo(100 * ap, 9)));
    expect(all.cocoAp).toBeCloseTo(100 * (golden.cocoAp.reduce((sum, ap) => sum + ap, 0) / 10), 9);
  });

  test("AP without scores is matched / all", () => {
    expect(all.overlaps.map(({ matched }) => matched)).toEqual(golden.matched);
    expect(all.overlaps.map(({ ap }) => ap)).toEqual(golden.ap.map((ap) => expect.closeTo(100 * ap, 9)));
  });

  test("panoptic quality is segmentation quality times recognition quality", () => {
    const [score] = classes;
    for (const name of ["pq", "sq", "rq"] as const) expect(score?.[name]).toBeCloseTo(100 * golden[name], 9);
    expect(((score?.sq ?? 0) * (score?.rq ?? 0)) / 100).toBeCloseTo(score?.pq ?? 0, 9);
  });

  test("counts agree as Bland and Altman have it", () => {
    const { bias, deviation, low, high } = all.counts;
    expect(bias).toBeCloseTo(golden.counts.bias, 9);
    expect(deviation).toBeCloseTo(golden.counts.deviation, 9);
    // SciPy's normal quantile is 1.959964, Bland and Altman's 1.96.
    expect(low).toBeCloseTo(golden.counts.low, 3);
    expect(high).toBeCloseTo(golden.counts.high, 3);
  });
});

test("an object of the label map is found once: two halves of it are one find and one mistake", () => {
  const halves = [0, 1].map((predicted) => ({ truth: 0, predicted, iou: 0.5 }));
  // One of two objects is found: precision 1 at recalls 0 to 0.5, which are 51 of 101.
  expect(rankedPrecision([{ truth: 2, scores: [0.9, 0.8], overlaps: halves }], 0.5)).toBeCloseTo(51 / 101, 12);
});

describe("objects", () => {
  const compared = (label: number, truth: number[][], predicted: number[][], image = "a") =>
    compareObjects({ image, class: label, truth: plain(truth), predicted: plain(predicted), pixels: 20 });

  test("an overlap of one half matches at 0.5, and counts as no panoptic pair", () => {
    const { all } = objectScores([compared(1, [[0, 1, 2, 3]], [[2, 3]])]);
    expect(all.overlaps.map(({ matched }) => matched)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(all).toMatchObject({ pq: 0, rq: 0, ap: 10, sq: Number.NaN, cocoAp: Number.NaN });
  });

  test("classes are averaged, those in neither map left out; counts are of all together", () => {
    const found = objectScores([
      compared(1, [[0, 1]], [[0, 1]]),
      compared(2, [[4], [6]], [[4]]),
      compared(3, [], []),
      compared(1, [], [[9]], "b"),
      compared(2, [], [], "b"),
      compared(3, [], [], "b"),
    ]);
    expect(found.classes.slice(0, 2).map(({ rq }) => rq)).toEqual([200 / 3, 200 / 3]);
    expect(found.classes[2]?.rq).toBeNaN();
    expect(found.all.rq).toBeCloseTo(200 / 3, 9);
    expect(found.all).toMatchObject({ truth: 3, predicted: 3 });
    expect(found.all.counts).toMatchObject({ images: 2, bias: 0, absolute: 1 });
  });

  test("one image has no deviation", () => {
    expect(countAgreement([3])).toMatchObject({ bias: 3, deviation: Number.NaN, low: Number.NaN, absolute: 3 });
  });

  test("tables have a row for each overlap and for each image", () => {
    const found = [compared(1, [[0, 1], [5]], [[0, 1]])];
    expect(objectTable(objectScores(found)).split("\n").slice(0, 2)).toEqual([
      "class,overlap,truth,predicted,matched,precision,recall,f1,ap,cocoAp",
      "0,0.5,2,1,1,100,50,66.66666666666667,50,",
    ]);
    expect(countTable(found)).toBe("image,class,truth,predicted,difference,matchedAt50,mean\na,1,2,1,-1,1,1.5\n");
  });
});
