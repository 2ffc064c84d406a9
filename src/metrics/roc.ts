import { csv } from "../csv.ts";
import { DataError } from "../errors.ts";
import { IGNORE_LABEL } from "../labels.ts";
import type { Labels } from "./totals.ts";

/** A ROC curve from (0, 0) to (1, 1); NaN where one of the two kinds of pixels does not occur. */
export interface RocCurve {
  readonly falsePositiveRate: Float64Array;
  readonly truePositiveRate: Float64Array;
  /** A point counts as positive what scores at least this; of the first point: infinity. For bins, their lower limits. */
  readonly thresholds: Float64Array;
  /** Area under the curve by the trapezoidal rule, a fraction. */
  readonly area: number;
}

/** Cumulative counts, one point per threshold from high to low, to a curve. */
function curveOf(hits: readonly number[], misses: readonly number[], scores: readonly number[]): RocCurve {
  const positives = hits.at(-1) ?? 0;
  const negatives = misses.at(-1) ?? 0;
  const truePositiveRate = Float64Array.from([0, ...hits], (count) => count / positives);
  const falsePositiveRate = Float64Array.from([0, ...misses], (count) => count / negatives);
  let area = 0;
  for (let i = 1; i < truePositiveRate.length; i++) {
    const width = (falsePositiveRate[i] ?? 0) - (falsePositiveRate[i - 1] ?? 0);
    area += (width * ((truePositiveRate[i] ?? 0) + (truePositiveRate[i - 1] ?? 0))) / 2;
  }
  const thresholds = Float64Array.from([Number.POSITIVE_INFINITY, ...scores]);
  return { falsePositiveRate, truePositiveRate, thresholds, area: hits.length === 0 ? Number.NaN : area };
}

/**
 * The exact curve through all distinct scores, ties merged into one point. `truth` is non-zero for positives. Sorts all
 * scores: for whole data sets use RocHistogram. Throws DataError for a score that is not a number.
 */
export function rocCurve(scores: ArrayLike<number>, truth: ArrayLike<number>): RocCurve {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i);
  const score = (i: number) => scores[i] ?? Number.NaN;
  for (const i of order) if (Number.isNaN(score(i))) throw new DataError(`Score ${i} is not a number.`);
  order.sort((one, two) => score(two) - score(one));
  const hits: number[] = [];
  const misses: number[] = [];
  const thresholds: number[] = [];
  let hit = 0;
  for (const [rank, i] of order.entries()) {
    if (truth[i] !== 0) hit++;
    const next = order[rank + 1];
    if (next !== undefined && score(next) === score(i)) continue;
    hits.push(hit);
    misses.push(rank + 1 - hit);
    thresholds.push(score(i));
  }
  return curveOf(hits, misses, thresholds);
}

/** A ROC curve over whole data sets in fixed memory: scores of [0, 1] fall into bins, those of one bin count as tied. */
export class RocHistogram {
  readonly #positives: Float64Array;
  readonly #negatives: Float64Array;

  /** With 4096 bins the area's error is below 1/4096. */
  constructor(bins = 4096) {
    this.#positives = new Float64Array(bins);
    this.#negatives = new Float64Array(bins);
  }

  /** Counts one pixel. Throws DataError for a score outside [0, 1]. */
  add(score: number, positive: boolean): void {
    if (!(score >= 0 && score <= 1)) throw new DataError(`A ROC score must be in [0, 1], not ${score}.`);
    const counts = positive ? this.#positives : this.#negatives;
    const bin = Math.min(counts.length - 1, Math.floor(score * counts.length));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }

  /**
   * Foreground against background: score 1 - p(background), positive where the label is above 0. `probabilities` is
   * `[pixels, classes]`; label 255 counts nowhere.
   */
  addForeground(probabilities: Float32Array, target: Labels, classes: number): void {
    for (const [pixel, label] of target.entries()) {
      if (label === IGNORE_LABEL) continue;
      this.add(clamp(1 - (probabilities[pixel * classes] ?? Number.NaN)), label > 0);
    }
  }

  /**
   * Micro one-versus-rest: every pair of pixel and foreground class, score p(class), positive where the label is that
   * class. `probabilities` is `[pixels, classes]`; label 255 counts nowhere.
   */
  addOneVersusRest(probabilities: Float32Array, target: Labels, classes: number): void {
    for (const [pixel, label] of target.entries()) {
      if (label === IGNORE_LABEL) continue;
      for (let c = 1; c < classes; c++) {
        this.add(clamp(probabilities[pixel * classes + c] ?? Number.NaN), label === c);
      }
    }
  }

  /** Adds the counts of another histogram with the same number of bins. */
  merge(other: RocHistogram): void {
    if (other.#positives.length !== this.#positives.length) {
      throw new DataError(`${other.#positives.length} ROC bins cannot join ${this.#positives.length}.`);
    }
    for (const [bin, count] of other.#positives.entries()) this.#positives[bin] = (this.#positives[bin] ?? 0) + count;
    for (const [bin, count] of other.#negatives.entries()) this.#negatives[bin] = (this.#negatives[bin] ?? 0) + count;
  }

  /** The curve through the bins that hold anything. */
  curve(): RocCurve {
    const hits: number[] = [];
    const misses: number[] = [];
    const thresholds: number[] = [];
    let hit = 0;
    let miss = 0;
    for (let bin = this.#positives.length - 1; bin >= 0; bin--) {
      const here = (this.#positives[bin] ?? 0) + (this.#negatives[bin] ?? 0);
      if (here === 0) continue;
      hit += this.#positives[bin] ?? 0;
      miss += this.#negatives[bin] ?? 0;
      hits.push(hit);
      misses.push(miss);
      thresholds.push(bin / this.#positives.length);
    }
    return curveOf(hits, misses, thresholds);
  }
}

/** Named curves as CSV with a header line: one line a point, from the highest threshold to the lowest. */
export function rocTable(curves: Readonly<Record<string, RocCurve>>): string {
  const rows = Object.entries(curves).flatMap(([name, { thresholds, falsePositiveRate, truePositiveRate }]) =>
    Array.from(thresholds, (threshold, i) => [name, threshold, falsePositiveRate[i], truePositiveRate[i]]),
  );
  return csv([["curve", "threshold", "falsePositiveRate", "truePositiveRate"], ...rows]);
}

/** A softmax may miss [0, 1] by a rounding; NaN stays. */
function clamp(probability: number): number {
  return Math.abs(probability - 0.5) <= 0.50001 ? Math.min(1, Math.max(0, probability)) : probability;
}
