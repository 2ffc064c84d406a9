import { describe, expect, test } from "vitest";
import { random } from "../../../src/kernels/random.ts";
import { bootstrap } from "../../../src/metrics/bootstrap.ts";
import { components } from "../../../src/metrics/components.ts";
import { Evaluation } from "../../../src/metrics/evaluation.ts";
import { ExtendedEvaluation, intervalsOf } from "../../../src/metrics/extended.ts";
import { lesionResults, matchLesions } from "../../../src/metrics/lesions.ts";
import { classValues } from "../../../src/metrics/overlap.ts";
import { RocHistogram, rocCurve, rocTable } from "../../../src/metrics/roc.ts";
import { pairedTTest, wilcoxonSignedRank } from "../../../src/metrics/significance.ts";
import { quantile, surfaceScore, withoutIgnored } from "../../../src/metrics/surface.ts";
import { countsOf, Totals } from "../../../src/metrics/totals.ts";
import golden from "../../oracle/svanet/scipy_metrics.json" with { type: "json" };

const map = (rows: readonly string[]) => Uint8Array.from(rows.join(""), Number);
const sizeOf = (rows: readonly string[]) => ({ height: rows.length, width: rows[0]?.length ?? 0 });

/** Rectangles of random classes on background, `[side, side]`. */
function picture(seed: number, side: number, classes: number): Uint8Array {
  const walk = random(seed, "rectangles");
  const out = new Uint8Array(side * side);
  for (let n = 0; n < 7; n++) {
    const [top, left, label] = [walk.integer(side), walk.integer(side), walk.integer(classes)];
    const [rows, columns] = [1 + walk.integer(6), 1 + walk.integer(6)];
    for (let y = top; y < Math.min(side, top + rows); y++) {
      out.fill(label, y * side + left, y * side + Math.min(side, left + columns));
    }
  }
  return out;
}

describe("SciPy and scikit-learn values", () => {
  test.each(golden.cases.map((each, i) => [i, each] as const))(
    "label maps %i",
    (_, { prediction, target, ...each }) => {
      const size = sizeOf(target);
      const [predicted, labelled] = [map(prediction), map(target)];
      for (const [c, { lesions, surface }] of each.classes.entries()) {
        const label = c + 1;
        const areas = (of: Uint8Array) =>
          components(of, label, size.height, size.width)
            .map((cells) => cells.length)
            .sort((a, b) => a - b);
        expect(areas(labelled)).toEqual(lesions.truth);
        expect(areas(predicted)).toEqual(lesions.predicted);
        const results = lesionResults([matchLesions(predicted, labelled, { label, ...size })]);
        expect(results.map(({ total }) => total.found)).toEqual(lesions.matched);
        expect(results.map(({ total }) => total.correct)).toEqual(lesions.matched);
        const score = surfaceScore(predicted, labelled, { label, ...size, tolerance: golden.tolerance });
        expect(score.dice).toBeCloseTo(surface.dice, 12);
        expect(score.hausdorff95).toBeCloseTo(surface.hausdorff95, 12);
      }
      const totals = Totals.ofImage(predicted, labelled, 3);
      expect([...totals.confusion]).toEqual(each.scores.confusion.flat());
      const values = classValues(countsOf(totals));
      for (const name of ["precision", "recall", "dice", "iou", "f2"] as const) {
        // The definitions here carry an epsilon of 1e-7 pixels; scikit-learn's do not.
        for (const [c, value] of each.scores[name].entries()) expect(values[name][c]).toBeCloseTo(value, 7);
      }
    },
  );
});

describe("SciPy and scikit-learn values of lists", () => {
  test("ROC curve and area", () => {
    const { scores, truth, fpr, tpr, thresholds, auc } = golden.roc;
    const curve = rocCurve(scores, truth);
    expect([...curve.falsePositiveRate]).toEqual(fpr);
    expect([...curve.truePositiveRate]).toEqual(tpr);
    expect([...curve.thresholds]).toEqual([Number.POSITIVE_INFINITY, ...thresholds]);
    expect(curve.area).toBeCloseTo(auc, 14);
    const lines = rocTable({ foreground: curve }).trimEnd().split("\n");
    expect(lines[0]).toBe("curve,threshold,falsePositiveRate,truePositiveRate");
    expect(lines[1]).toBe("foreground,Infinity,0,0");
    expect(lines).toHaveLength(fpr.length + 1);
    const histogram = new RocHistogram(10);
    histogram.add(0.55, true);
    histogram.add(0.25, false);
    expect([...histogram.curve().thresholds]).toEqual([Number.POSITIVE_INFINITY, 0.5, 0.2]);
  });

  test("paired tests", () => {
    const { one, two, wilcoxon, t } = golden.paired;
    const signed = wilcoxonSignedRank(one, two);
    expect(signed.statistic).toBe(wilcoxon[0]);
    expect(signed.pValue).toBeCloseTo(wilcoxon[1] ?? Number.NaN, 12);
    const student = pairedTTest(one, two);
    expect([student.statistic, student.pValue].map((value, i) => value - (t[i] ?? 0))).toEqual([
      expect.closeTo(0, 12),
      expect.closeTo(0, 12),
    ]);
  });

  test("bootstrap interval of a mean, with other draws", () => {
    const { values, low, high } = golden.interval;
    const average = (times: Uint32Array) => [
      values.reduce((sum, x, i) => sum + x * (times[i] ?? 0), 0) / values.length,
    ];
    const [interval = [0, 0]] = bootstrap(values.length, average, { resamples: 4000 });
    expect(Math.abs(interval[0] - low)).toBeLessThan(0.005);
    expect(Math.abs(interval[1] - high)).toBeLessThan(0.005);
    expect(bootstrap(values.length, average)).toEqual(bootstrap(values.length, average));
    expect(bootstrap(values.length, average, { seed: 1 })).not.toEqual(bootstrap(values.length, average));
    expect(bootstrap(1, () => [3])).toEqual([[Number.NaN, Number.NaN]]);
    expect(bootstrap(3, (times) => [(times[0] ?? 0) > 0 ? 5 : Number.NaN])).toEqual([[5, 5]]);
  });
});

describe("objects", () => {
  const side = 12;
  const size = { label: 1, height: side, width: side };

  test("one predicted blob over two objects is one match; the bin of each size says what was found", () => {
    const target = new Uint8Array(100);
    target.fill(1, 0, 5); // 5 % of the image
    target[50] = 1; // 1 %
    target.fill(1, 90, 92); // 2 %, missed
    const prediction = target.slice();
    prediction.fill(0, 90, 92);
    prediction[75] = 1; // wrong, 1 %
    const image = matchLesions(prediction, target, { label: 1, height: 10, width: 10 });
    const [, strict] = lesionResults([image]);
    expect(strict?.total).toMatchObject({ truth: 3, found: 2, predicted: 3, correct: 2 });
    expect(strict?.total.f1).toBeCloseTo(200 / 3, 12);
    const bin = (from: number) => strict?.bins.find((each) => each.from === from);
    expect(bin(1)).toMatchObject({ to: 2, truth: 1, found: 1, predicted: 2, correct: 1, recall: 100, precision: 50 });
    expect(bin(1)?.f1).toBeCloseTo(200 / 3, 12);
    expect(bin(2)).toMatchObject({ truth: 1, found: 0, predicted: 0, f1: 0, precision: Number.NaN });
    expect(bin(5)).toMatchObject({ to: 10, recall: 100, precision: 100, f1: 100 });
    expect(bin(10)).toMatchObject({ truth: 0, predicted: 0, f1: Number.NaN });

    const merged = new Uint8Array(100).fill(1, 0, 3);
    const split = Uint8Array.of(1, 0, 1, ...new Uint8Array(97));
    const [both] = lesionResults([matchLesions(merged, split, { label: 1, height: 10, width: 10 })]);
    expect(both?.total).toMatchObject({ truth: 2, found: 1, predicted: 1, correct: 1 });
  });

  test("the whole picture as one object is in the last bin", () => {
    const full = new Uint8Array(side * side).fill(1);
    const [result] = lesionResults([matchLesions(full, full, size)]);
    expect(result?.bins.at(-1)).toMatchObject({ from: 10, to: 100, truth: 1, found: 1 });
  });

  test("matching is symmetric, perfect for equal maps, and never finds fewer at the lower overlap", () => {
    for (let seed = 0; seed < 40; seed++) {
      const [one, two] = [picture(seed, side, 2), picture(seed + 1000, side, 2)];
      const there = lesionResults([matchLesions(one, two, size)]);
      const back = lesionResults([matchLesions(two, one, size)]);
      for (const [i, { total }] of there.entries()) {
        expect([total.truth, total.found, total.predicted]).toEqual(
          [back[i]?.total].flatMap((swapped) => [swapped?.predicted, swapped?.found, swapped?.truth]),
        );
      }
      expect(there[0]?.total.found).toBeGreaterThanOrEqual(there[1]?.total.found ?? 0);
      for (const { total, bins } of lesionResults([matchLesions(one, one, size)])) {
        expect(total.found).toBe(total.truth);
        expect(bins.reduce((sum, bin) => sum + bin.truth, 0)).toBe(total.truth);
      }
    }
  });
});

describe("borders", () => {
  const side = 12;
  const size = { label: 1, height: side, width: side };

  test("symmetric, perfect for equal maps, at most the tolerance further by a shift", () => {
    for (let seed = 0; seed < 40; seed++) {
      const [one, two] = [picture(seed, side, 2), picture(seed + 1000, side, 2)];
      const score = surfaceScore(one, two, size);
      const swapped = surfaceScore(two, one, size);
      expect([swapped.dice, swapped.hausdorff95]).toEqual([score.dice, score.hausdorff95]);
      expect(surfaceScore(one, one, size)).toMatchObject({ dice: 1, hausdorff95: 0 });
    }
    const square = new Uint8Array(side * side);
    const moved = new Uint8Array(side * side);
    for (let y = 2; y < 7; y++) {
      square.fill(1, y * side + 1, y * side + 6);
      moved.fill(1, y * side + 4, y * side + 9);
    }
    expect(surfaceScore(square, moved, { ...size, tolerance: 3 }).dice).toBe(1);
    expect(surfaceScore(square, moved, { ...size, tolerance: 2 }).dice).toBeLessThan(1);
    expect(surfaceScore(square, moved, size).hausdorff95).toBe(3);
  });

  test("empty masks", () => {
    const [empty, point] = [new Uint8Array(side * side), new Uint8Array(side * side).fill(1, 5, 6)];
    expect(surfaceScore(empty, empty, size)).toEqual({ empty: "both", dice: 1, hausdorff95: 0 });
    expect(surfaceScore(empty, point, size)).toEqual({ empty: "prediction", dice: 0, hausdorff95: Number.NaN });
    expect(surfaceScore(point, empty, size)).toEqual({ empty: "target", dice: 0, hausdorff95: Number.NaN });
  });

  test("what the label map ignores makes neither border nor object", () => {
    const target = Uint8Array.of(1, 1, 255, 255, 0);
    const prediction = Uint8Array.of(1, 1, 1, 1, 0);
    expect([...withoutIgnored(prediction, target)]).toEqual([1, 1, 0, 0, 0]);
    expect(withoutIgnored(prediction, prediction)).toBe(prediction);
  });

  test("quantiles are NumPy's", () => {
    expect(quantile([3, 1, 2, 10], 0.95)).toBeCloseTo(8.95, 12);
    expect(quantile([7], 0.95)).toBe(7);
    expect(quantile([], 0.5)).toBeNaN();
  });
});

const SIDE = 16;
const LIMITS = [0.5, 1, 2, 3, 5, 10, 100];

function evaluate(order: readonly number[], perfect = false) {
  const evaluation = new Evaluation({ classes: 3, area: "pixels", limits: LIMITS, keep: true });
  const extended = new ExtendedEvaluation({ classes: 3, resamples: 50 });
  for (const seed of order) {
    const target = seed === 0 ? new Uint8Array(SIDE * SIDE) : picture(seed, SIDE, 3);
    const prediction = perfect ? target : picture(seed + (seed % 3), SIDE, 3);
    const image = { name: String(seed), height: SIDE, width: SIDE };
    const row = evaluation.add(prediction, target, image);
    if (row !== undefined) extended.add(prediction, target, { ...image, strata: row.strata });
  }
  const strata = evaluation.strata();
  return { evaluation, strata, extended: extended.result(Object.keys(strata), evaluation.kept) };
}

describe("a whole evaluation", () => {
  test("the order of the images does not matter, but for the draws of the intervals", () => {
    const forward = evaluate([0, 1, 2, 3, 4, 5, 6, 7]);
    const shuffled = evaluate([5, 2, 7, 0, 3, 1, 6, 4]);
    const plain = ({ extended, strata }: typeof forward) => ({
      strata,
      surface: extended.surface,
      lesions: extended.lesions.map(({ intervals: _, ...rest }) => rest),
    });
    const close = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value, (_, x) => (typeof x === "number" ? Number(x.toPrecision(11)) : x)));
    expect(close(plain(shuffled))).toEqual(close(plain(forward)));
    expect(Object.keys(forward.strata).sort()).toEqual(["0.5", "1", "10", "2", "3", "5", "all"]);
    expect(forward.strata["0.5"]).toMatchObject({ images: 1, emptyImages: 1 });
    expect(forward.strata["all"]).toMatchObject({ images: 8, emptyImages: 1 });
  });

  test("intervals hold the value they belong to; a perfect prediction has none to spare", () => {
    const { strata, extended } = evaluate([0, 1, 2, 3, 4, 5, 6, 7]);
    const [low, high] = extended.intervals["all"]?.mDice ?? [0, 0];
    expect(low).toBeLessThan(strata["all"]?.mDice ?? 0);
    expect(high).toBeGreaterThan(strata["all"]?.mDice ?? 0);
    expect(extended.intervals["0.5"]?.mDice).toEqual([Number.NaN, Number.NaN]);
    expect(strata["0.5"]).toMatchObject({ images: 1, mDice: Number.NaN, foregroundDice: Number.NaN });

    const perfect = evaluate([0, 1, 2, 3], true).extended;
    expect(perfect.intervals["all"]?.imageDice.map((value) => value.toFixed(4))).toEqual(["100.0000", "100.0000"]);
    for (const { total, intervals } of perfect.lesions) {
      expect(total).toMatchObject({ recall: 100, precision: 100, f1: 100 });
      expect(intervals.f1).toEqual([100, 100]);
    }
    expect(perfect.surface.strata["all"]).toMatchObject({ images: 4, surfaceDice: 100, hausdorff95: 0 });
    expect(perfect.surface.strata["all"]?.classes[0]).toMatchObject({ bothEmpty: 1, distances: 4, predictionEmpty: 0 });
  });
});

describe("empty maps", () => {
  test("images where one map alone is empty give no distance and are counted", () => {
    const extended = new ExtendedEvaluation({ classes: 2, resamples: 10 });
    const dot = Uint8Array.of(1, 0, 0, 0);
    const image = { height: 2, width: 2, strata: ["all"] };
    extended.add(dot, Uint8Array.of(0, 0, 0, 1), image);
    extended.add(dot, new Uint8Array(4), image);
    extended.add(new Uint8Array(4), dot, image);
    extended.add(new Uint8Array(4), new Uint8Array(4), image);
    const { classes, surfaceDice } = extended.result(["all"], []).surface.strata["all"] ?? { classes: [] };
    const counts = { distances: 2, notCounted: 2, bothEmpty: 1, predictionEmpty: 1, targetEmpty: 1 };
    expect(classes[0]).toMatchObject(counts);
    expect(classes[0]?.hausdorff95Present).toBe(Math.SQRT2);
    expect(classes[0]?.hausdorff95).toBe(Math.SQRT2 / 2);
    expect(surfaceDice).toBe(50);
  });

  test("a class that was missed everywhere has no distance, whatever the images without it", () => {
    const extended = new ExtendedEvaluation({ classes: 2, resamples: 10 });
    const image = { height: 2, width: 2, strata: ["all"] };
    const dot = Uint8Array.of(1, 0, 0, 0);
    for (const target of [dot, dot, dot, dot, new Uint8Array(4)]) extended.add(new Uint8Array(4), target, image);
    const { classes = [], hausdorff95 } = extended.result(["all"], []).surface.strata["all"] ?? {};
    expect(classes[0]).toMatchObject({ surfaceDice: 20, hausdorff95: Number.NaN, distances: 1, notCounted: 4 });
    expect(hausdorff95).toBeNaN();
  });
});

describe("intervals", () => {
  test("drawing every image once gives the plain metrics", () => {
    const { evaluation, strata } = evaluate([1, 2, 3]);
    const one = evaluation.kept.slice(0, 1);
    const interval = intervalsOf([...one, ...one], { resamples: 5 });
    const alone = new Evaluation({ classes: 3, area: "pixels", limits: LIMITS, keep: true });
    alone.add(picture(2, SIDE, 3), picture(1, SIDE, 3), { name: "1", height: SIDE, width: SIDE });
    expect(interval.mIoU[0]).toBeCloseTo(alone.strata()["all"]?.mIoU ?? 0, 6);
    expect(strata["all"]?.images).toBe(3);
  });
});
