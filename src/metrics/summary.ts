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

/** Mean over images. */
class Mean {
  #sum = 0;
  #count = 0;

  add(value: number, times: number): void {
    this.#sum += times * value;
    this.#count += times;
  }

  get value(): number {
    return this.#sum / this.#count;
  }
}

/** Every metric of one set of images. Percent unless said otherwise; NaN where the set has nothing to measure. */
export interface Summary {
  readonly images: number;
  /** Images whose counted pixels are all background. */
  readonly emptyImages: number;
  readonly counts: ClassCounts;
  /** Pixels, [label][prediction]. */
  readonly confusion: readonly (readonly number[])[];
  /** Images per class whose label map holds it. */
  readonly presence: Float64Array;
  /** Fractions per class. */
  readonly perClass: ClassValues;
  /** Class means weighted by presence, background included. */
  readonly micro: Readonly<Record<OverlapMetric, number>>;
  /** Plain class means, background included. */
  readonly macro: Readonly<Record<OverlapMetric, number>>;
  /** NaN where no label map holds an object. */
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

/** One image's counts with the metrics that are averaged over images, fractions. */
export interface ScoredImage {
  readonly totals: Totals;
  readonly dice: number;
  readonly alignment: number;
}

/** Computes what is averaged over images. */
export function scoreImage(totals: Totals): ScoredImage {
  return { totals, dice: imageDice(totals), alignment: imageAlignment(totals) };
}

/** Running totals of a set of images; memory does not grow with their number. */
export class ImageSet {
  readonly #totals: Totals;
  readonly #dice = new Mean();
  readonly #alignment = new Mean();
  #emptyImages = 0;

  constructor(classes: number) {
    this.#totals = new Totals(classes);
  }

  /** Adds one image's counts. */
  add(image: Totals): void {
    this.addScored(scoreImage(image));
  }

  /** Adds an image as if it occurred `times`. One that is ignored as a whole counts nowhere. */
  addScored({ totals, dice, alignment }: ScoredImage, times = 1): void {
    if (totals.images === 0) return;
    this.#totals.merge(totals, times);
    this.#dice.add(dice, times);
    this.#alignment.add(alignment, times);
    if (totals.presence.every((images, c) => c === 0 || images === 0)) this.#emptyImages += times;
  }

  /** All metrics of the images added so far. */
  summary(): Summary {
    const counts = countsOf(this.#totals);
    const perClass = classValues(counts);
    const { presence } = this.#totals;
    // Without images the plain means would be a zero that looks measured.
    const percent = (fraction: number) => (this.#totals.images === 0 ? Number.NaN : 100 * fraction);
    const means = (mean: (values: Float64Array) => number) =>
      Object.fromEntries(OVERLAP_METRICS.map((name) => [name, percent(mean(perClass[name]))])) as Summary["micro"];
    return {
      images: this.#totals.images,
      emptyImages: this.#emptyImages,
      counts,
      confusion: this.#totals.rows(),
      presence,
      perClass,
      micro: means((values) => microMean(values, presence)),
      macro: means(macroMean),
      foregroundDice: percent(foregroundDice(perClass.dice, presence)),
      imageDice: 100 * this.#dice.value,
      errors: absoluteErrors(this.#totals),
      alignment: 100 * this.#alignment.value,
      alignmentPooled: 100 * pooledAlignment(this.#totals),
    };
  }
}

/**
 * The summary with NaN for every overlap where no label map holds an object: what is left then, the background's overlap
 * with itself, would look like a measured 100.
 */
export function onlyMeasured(summary: Summary): Summary {
  if (summary.emptyImages < summary.images) return summary;
  const none = Object.fromEntries(OVERLAP_METRICS.map((name) => [name, Number.NaN])) as Summary["micro"];
  return { ...summary, micro: none, macro: none, foregroundDice: Number.NaN, imageDice: Number.NaN };
}

/** All metrics of a set of images: predictions and label maps in the same order, label 255 ignored. */
export function report(predictions: readonly Labels[], targets: readonly Labels[], classes: number): Summary {
  const set = new ImageSet(classes);
  for (const [i, target] of targets.entries())
    set.add(Totals.ofImage(predictions[i] ?? target.subarray(0, 0), target, classes));
  return set.summary();
}
