import { csv } from "../csv.ts";
import { DataError } from "../errors.ts";
import { absoluteErrors, imageAlignment } from "./error.ts";
import type { AreaRule } from "./objects.ts";
import { classValues, foregroundDice, imageDice, microMean, OVERLAP_METRICS, type OverlapMetric } from "./overlap.ts";
import { type ImageShares, imageShares, STRATUM_LIMITS, strataOf, stratumName } from "./strata.ts";
import { ImageSet, onlyMeasured, type ScoredImage, type Summary, scoreImage } from "./summary.ts";
import { countsOf, type Labels, Totals } from "./totals.ts";

/** What is known of an image besides its pixels. */
interface EvaluatedImage {
  readonly name: string;
  /** Size of prediction and label map, in pixels. */
  readonly height: number;
  readonly width: number;
  /** Size of the largest object, measured on the mask file at native size; left out, the label map at hand is measured. */
  readonly shares?: ImageShares;
}

interface EvaluationOptions {
  readonly classes: number;
  /** Area rule of the strata; the authors' by default. */
  readonly area?: AreaRule;
  /** Upper limits of the strata in percent, exclusive. */
  readonly limits?: readonly number[];
  /** Keep each image's counts, for intervals. */
  readonly keep?: boolean;
}

/** One class of one stratum: fractions and pixel counts. */
export type ClassResult = Readonly<Record<OverlapMetric, number>> & {
  readonly class: number;
  readonly intersection: number;
  readonly predicted: number;
  readonly labelled: number;
  /** Images whose label map holds the class. */
  readonly images: number;
};

/**
 * The metrics of one stratum. Percent, except the mean absolute errors, which are fractions. `m...` and the unprefixed
 * overlap metrics are class means weighted by presence, background included; `macro...` are plain class means. NaN (null
 * in JSON) where a stratum has no images; overlap is NaN, too, where no label map holds an object: the background's alone
 * would look like a measured 100.
 */
export interface StratumResult {
  readonly images: number;
  /** Those of them whose label map holds no object. */
  readonly emptyImages: number;
  readonly mDice: number;
  readonly mIoU: number;
  readonly mae: number;
  readonly sensitivity: number;
  readonly precision: number;
  readonly f2: number;
  readonly foregroundDice: number;
  readonly imageDice: number;
  readonly macroDice: number;
  readonly macroIoU: number;
  readonly macroSensitivity: number;
  readonly macroPrecision: number;
  readonly macroF2: number;
  /** As the authors' tables print it: label binarised, divided by the number of images. */
  readonly maeRelease: number;
  readonly maeIndex: number;
  readonly maeBinarised: number;
  /** E-measure per image, then the mean. */
  readonly eMeasure: number;
  /** E-measure pooled over the stratum as the authors do. */
  readonly eMeasureRelease: number;
  readonly classes: readonly ClassResult[];
  /** Pixels of all images, [label][prediction]. */
  readonly confusion: readonly (readonly number[])[];
}

/** One image's row of the per-image table. Percent, except the mean absolute error. */
export interface ImageResult {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  /** Share of the image the largest object takes, by both area rules. */
  readonly shareRelease: number;
  readonly sharePixels: number;
  /** Strata the image belongs to. */
  readonly strata: readonly string[];
  readonly imageDice: number;
  readonly foregroundDice: number;
  readonly sensitivity: number;
  readonly precision: number;
  readonly mae: number;
  readonly eMeasure: number;
  /** Dice per class; NaN where neither prediction nor label map holds the class. */
  readonly classDice: readonly number[];
}

function toStratum(counted: Summary): StratumResult {
  const summary = onlyMeasured(counted);
  const { micro, macro, errors, counts, perClass, presence } = summary;
  const of = (values: Float64Array, c: number) => values[c] ?? Number.NaN;
  return {
    images: summary.images,
    emptyImages: summary.emptyImages,
    mDice: micro.dice,
    mIoU: micro.iou,
    mae: errors.foreground,
    sensitivity: micro.recall,
    precision: micro.precision,
    f2: micro.f2,
    foregroundDice: summary.foregroundDice,
    imageDice: summary.imageDice,
    macroDice: macro.dice,
    macroIoU: macro.iou,
    macroSensitivity: macro.recall,
    macroPrecision: macro.precision,
    macroF2: macro.f2,
    maeRelease: errors.binarisedOverImages,
    maeIndex: errors.index,
    maeBinarised: errors.binarised,
    eMeasure: summary.alignment,
    eMeasureRelease: summary.alignmentPooled,
    confusion: summary.confusion,
    classes: Array.from(presence, (images, c) => ({
      class: c,
      iou: of(perClass.iou, c),
      dice: of(perClass.dice, c),
      precision: of(perClass.precision, c),
      recall: of(perClass.recall, c),
      f2: of(perClass.f2, c),
      intersection: of(counts.inter, c),
      predicted: of(counts.predicted, c),
      labelled: of(counts.truth, c),
      images,
    })),
  };
}

function toRow(image: EvaluatedImage, totals: Totals, shares: ImageShares, strata: readonly string[]): ImageResult {
  const counts = countsOf(totals);
  const values = classValues(counts);
  const mean = (metric: OverlapMetric) => 100 * microMean(values[metric], totals.presence);
  const isEmpty = (c: number) => counts.predicted[c] === 0 && counts.truth[c] === 0;
  return {
    name: image.name,
    height: image.height,
    width: image.width,
    shareRelease: shares.release,
    sharePixels: shares.pixels,
    strata,
    imageDice: 100 * imageDice(totals),
    foregroundDice: 100 * foregroundDice(values.dice, totals.presence),
    sensitivity: mean("recall"),
    precision: mean("precision"),
    mae: absoluteErrors(totals).foreground,
    eMeasure: 100 * imageAlignment(totals),
    classDice: Array.from(values.dice, (dice, c) => (isEmpty(c) ? Number.NaN : 100 * dice)),
  };
}

/**
 * Evaluates a data set image by image: the maps are not kept, only a row of numbers each. Pixels labelled 255 count
 * nowhere.
 */
export class Evaluation {
  readonly images: ImageResult[] = [];
  /** Names of the images that are ignored as a whole: they count nowhere. */
  readonly ignored: string[] = [];
  /** The images' counts, in the order of `images`; empty unless `keep` was asked for. */
  readonly kept: ScoredImage[] = [];
  readonly #keep: boolean;
  readonly #classes: number;
  readonly #area: AreaRule;
  readonly #limits: readonly number[];
  readonly #sets: ReadonlyMap<string, ImageSet>;

  constructor({ classes, area = "release", limits = STRATUM_LIMITS, keep = false }: EvaluationOptions) {
    this.#keep = keep;
    this.#classes = classes;
    this.#area = area;
    this.#limits = limits;
    this.#sets = new Map(limits.map((limit) => [stratumName(limit), new ImageSet(classes)]));
  }

  /**
   * Counts one image and gives its row; undefined for an image that is ignored as a whole. `prediction` and `target` are
   * `[height, width]`. Throws DataError, naming the image, for maps of another size and for classes that do not exist.
   */
  add(prediction: Labels, target: Labels, image: EvaluatedImage): ImageResult | undefined {
    const { name, height, width } = image;
    if (target.length !== height * width) {
      throw new DataError(`${name}: the label map has ${target.length} pixels, expected ${height} x ${width}.`);
    }
    const totals = this.#countImage(prediction, target, name);
    if (totals.images === 0) {
      this.ignored.push(name);
      return undefined;
    }
    const shares = image.shares ?? imageShares(target, height, width);
    const strata = strataOf(shares[this.#area], this.#limits);
    const scored = scoreImage(totals);
    for (const stratum of strata) this.#sets.get(stratum)?.addScored(scored);
    if (this.#keep) this.kept.push(scored);
    const row = toRow(image, totals, shares, strata);
    this.images.push(row);
    return row;
  }

  /** Results by stratum name. */
  strata(): Record<string, StratumResult> {
    return Object.fromEntries([...this.#sets].map(([name, set]) => [name, toStratum(set.summary())]));
  }

  #countImage(prediction: Labels, target: Labels, name: string): Totals {
    try {
      return Totals.ofImage(prediction, target, this.#classes);
    } catch (error) {
      throw error instanceof DataError ? new DataError(`${name}: ${error.message}`, { cause: error }) : error;
    }
  }
}

const number = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** The per-image table as CSV with a header line; numbers unrounded, missing ones empty. */
export function imageTable(images: readonly ImageResult[]): string {
  const numbers = [
    "height",
    "width",
    "shareRelease",
    "sharePixels",
    "imageDice",
    "foregroundDice",
    "sensitivity",
    "precision",
    "mae",
    "eMeasure",
  ] as const;
  const classes = images[0]?.classDice.length ?? 0;
  const header = ["name", ...numbers, ...Array.from({ length: classes }, (_, c) => `dice${c}`)];
  const rows = images.map((image) => [
    image.name,
    ...numbers.map((key) => number(image[key])),
    ...image.classDice.map(number),
  ]);
  return csv([header, ...rows]);
}

/** The per-class table of all strata as CSV with a header line. */
export function classTable(strata: Readonly<Record<string, StratumResult>>): string {
  const columns = [...OVERLAP_METRICS, "intersection", "predicted", "labelled", "images"] as const;
  const rows = Object.entries(strata).flatMap(([name, { classes }]) =>
    classes.map((result) => [name, result.class, ...columns.map((key) => number(result[key]))]),
  );
  return csv([["stratum", "class", ...columns], ...rows]);
}
