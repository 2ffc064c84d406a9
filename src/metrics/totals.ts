import { DataError } from "../errors.ts";
import { IGNORE_LABEL } from "../labels.ts";

/** A label map or prediction, row-major; 0 is background. */
export type Labels = Uint8Array | Int32Array;

function checkClass(kind: string, value: number, pixel: number, classes: number): void {
  if (value >= 0 && value < classes) return;
  throw new DataError(`The ${kind} holds class ${value} at pixel ${pixel}, but there are only ${classes} classes.`);
}

/**
 * Pixel counts of a set of images: the confusion matrix, the number of images and, per class, the number of images whose
 * label map holds it. Every count-based metric is a function of these. Counts are integers in float64: exact up to 2^53.
 */
export class Totals {
  readonly classes: number;
  /** `[label, prediction]`, row-major: pixels of that label predicted so. */
  readonly confusion: Float64Array;
  /** Images whose label map holds the class. */
  readonly presence: Float64Array;
  images = 0;

  constructor(classes: number) {
    this.classes = classes;
    this.confusion = new Float64Array(classes * classes);
    this.presence = new Float64Array(classes);
  }

  /**
   * The counts of one image; of one that is ignored as a whole zeros, no image. Throws DataError for different lengths
   * and for classes that do not exist.
   */
  static ofImage(prediction: Labels, target: Labels, classes: number): Totals {
    if (prediction.length !== target.length) {
      throw new DataError(`The prediction has ${prediction.length} pixels, its label map ${target.length}.`);
    }
    const totals = new Totals(classes);
    const { confusion, presence } = totals;
    for (let pixel = 0; pixel < target.length; pixel++) {
      const label = target[pixel] ?? IGNORE_LABEL;
      if (label === IGNORE_LABEL) continue;
      const guess = prediction[pixel] ?? 0;
      checkClass("label map", label, pixel, classes);
      checkClass("prediction", guess, pixel, classes);
      const cell = label * classes + guess;
      confusion[cell] = (confusion[cell] ?? 0) + 1;
    }
    const { truth } = countsOf(totals);
    for (let c = 0; c < classes; c++) presence[c] = truth[c] === 0 ? 0 : 1;
    totals.images = presence.includes(1) ? 1 : 0;
    return totals;
  }

  /** Adds the counts of other images, `times` over. Order and grouping do not matter. */
  merge(other: Totals, times = 1): void {
    if (other.classes !== this.classes) {
      throw new DataError(`Counts of ${other.classes} classes cannot join counts of ${this.classes}.`);
    }
    addScaled(this.confusion, other.confusion, times);
    addScaled(this.presence, other.presence, times);
    this.images += times * other.images;
  }

  /** The confusion matrix by rows: [label][prediction]. */
  rows(): number[][] {
    const { classes, confusion } = this;
    return Array.from({ length: classes }, (_, label) => [
      ...confusion.subarray(label * classes, (label + 1) * classes),
    ]);
  }

  /** Calls `visit` for every pair of classes that occurs. */
  forEachPair(visit: (label: number, prediction: number, pixels: number) => void): void {
    for (const [cell, pixels] of this.confusion.entries()) {
      if (pixels > 0) visit(Math.floor(cell / this.classes), cell % this.classes, pixels);
    }
  }
}

/** Plain loop: resampling runs it millions of times. */
function addScaled(to: Float64Array, from: Float64Array, times: number): void {
  for (let i = 0; i < to.length; i++) to[i] = (to[i] ?? 0) + times * (from[i] ?? 0);
}

/** Pixels per class: predicted and labelled so, predicted so, labelled so. */
export interface ClassCounts {
  readonly inter: Float64Array;
  readonly predicted: Float64Array;
  readonly truth: Float64Array;
}

/** Row sums, column sums and diagonal of the confusion matrix. */
export function countsOf(totals: Totals): ClassCounts {
  const { classes } = totals;
  const inter = new Float64Array(classes);
  const predicted = new Float64Array(classes);
  const truth = new Float64Array(classes);
  totals.forEachPair((label, prediction, pixels) => {
    if (label === prediction) inter[label] = pixels;
    predicted[prediction] = (predicted[prediction] ?? 0) + pixels;
    truth[label] = (truth[label] ?? 0) + pixels;
  });
  return { inter, predicted, truth };
}

/** Pixels by foreground membership. */
export interface ForegroundCounts {
  /** Foreground in both, in the prediction only, in the label map only, in neither. */
  readonly both: number;
  readonly predictedOnly: number;
  readonly labelledOnly: number;
  readonly neither: number;
  readonly pixels: number;
}

/** Merges all foreground classes into one. */
export function foregroundOf(totals: Totals): ForegroundCounts {
  const cells = { both: 0, predictedOnly: 0, labelledOnly: 0, neither: 0, pixels: 0 };
  totals.forEachPair((label, prediction, pixels) => {
    cells.pixels += pixels;
    if (label > 0) cells[prediction > 0 ? "both" : "labelledOnly"] += pixels;
    else cells[prediction > 0 ? "predictedOnly" : "neither"] += pixels;
  });
  return cells;
}
