import { type AbsoluteErrors, absoluteErrors, imageAlignment, pooledAlignment } from "./error.ts";
import {
  type ClassValues,
  classValues,
  foregroundDice,
  imageDice,
  macroMean,
  microMean,
  OVERLAP_METRICS,
  type OverlapMetric,
} from "./overlap.ts";
import { type ClassCounts, countsOf, type Labels, Totals } from "./totals.ts";

/** Mean over the values that exist. An image with every pixel ignored has none and takes no part. */
class Mean {
  private sum = 0;
  private count = 0;

  add(value: number): void {
    if (Number.isNaN(value)) return;
    this.sum += value;
    this.count++;
  }

  get value(): number {
    return this.sum / this.count;
  }
}

/** Every metric of one set of images. Percent unless said otherwise; NaN where the set has nothing to measure. */
export interface Summary {
  readonly images: number;
  readonly counts: ClassCounts;
  /** Images per class whose label map holds it. */
  readonly presence: Float64Array;
  /** Fractions per class. */
  readonly perClass: ClassValues;
  /** Class means weighted by presence, background included. */
  readonly micro: Readonly<Record<OverlapMetric, number>>;
  /** Plain class means, background included. */
  readonly macro: Readonly<Record<OverlapMetric, number>>;
  readonly foregroundDice: number;
  /** Mean over images of the mean Dice over the classes present. */
  readonly imageDice: number;
  /** Fractions. */
  readonly errors: AbsoluteErrors;
  /** E-measure per image, then the mean. */
  readonly alignment: number;
  /** E-measure pooled over the set as the authors do. */
  readonly alignmentPooled: number;
}

/** Running totals of a set of images; memory does not grow with their number. */
export class ImageSet {
  private readonly totals: Totals;
  private readonly dice = new Mean();
  private readonly alignment = new Mean();

  constructor(classes: number) {
    this.totals = new Totals(classes);
  }

  /** Adds one image's counts. */
  add(image: Totals): void {
    this.totals.merge(image);
    this.dice.add(imageDice(image));
    this.alignment.add(imageAlignment(image));
  }

  /** All metrics of the images added so far. */
  summary(): Summary {
    const counts = countsOf(this.totals);
    const perClass = classValues(counts);
    const { presence } = this.totals;
    // Without images the plain means would be a zero that looks measured.
    const percent = (fraction: number) => (this.totals.images === 0 ? Number.NaN : 100 * fraction);
    const means = (mean: (values: Float64Array) => number) =>
      Object.fromEntries(OVERLAP_METRICS.map((name) => [name, percent(mean(perClass[name]))])) as Summary["micro"];
    return {
      images: this.totals.images,
      counts,
      presence,
      perClass,
      micro: means((values) => microMean(values, presence)),
      macro: means(macroMean),
      foregroundDice: percent(foregroundDice(perClass.dice, presence)),
      imageDice: 100 * this.dice.value,
      errors: absoluteErrors(this.totals),
      alignment: 100 * this.alignment.value,
      alignmentPooled: 100 * pooledAlignment(this.totals),
    };
  }
}

/** All metrics of a set of images: predictions and label maps in the same order, label 255 ignored. */
export function report(predictions: readonly Labels[], targets: readonly Labels[], classes: number): Summary {
  const set = new ImageSet(classes);
  for (const [i, target] of targets.entries())
    set.add(Totals.ofImage(predictions[i] ?? target.subarray(0, 0), target, classes));
  return set.summary();
}
