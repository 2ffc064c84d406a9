import { csv } from "../csv.ts";
import { components } from "./components.ts";
import { matching, overlapsOf } from "./matching.ts";
import type { Labels } from "./totals.ts";

/** Overlaps (intersection over union) from which two objects may be matched. */
const LESION_OVERLAPS: readonly number[] = [0.1, 0.5];

/** Upper limits of the object-size bins, percent of the image, exclusive but for the last. Bins are disjoint. */
const LESION_BINS: readonly number[] = [0.1, 0.5, 1, 2, 3, 5, 10, 100];

/** One object, of the label map or of the prediction. */
interface Lesion {
  /** Pixels of the component as a percentage of the image. */
  readonly share: number;
  /** Whether it has a partner, for each required overlap. */
  readonly matched: readonly boolean[];
}

/** The objects of one class in one image. */
export interface ImageLesions {
  readonly label: number;
  readonly truth: readonly Lesion[];
  readonly predicted: readonly Lesion[];
}

/**
 * Matches the objects of class `label` in one image. Both maps are `[height, width]`; ignored pixels must be out of the
 * prediction already (see `withoutIgnored`).
 */
export function matchLesions(
  prediction: Labels,
  target: Labels,
  { label, height, width, overlaps = LESION_OVERLAPS }: LesionOptions,
): ImageLesions {
  const truth = components(target, label, height, width);
  const predicted = components(prediction, label, height, width);
  const pairs = overlapsOf(truth, predicted, target.length);
  const matchings = overlaps.map((least) => matching(pairs.filter(({ iou }) => iou >= least)));
  const taken = matchings.map((found) => new Set(found.values()));
  const share = (cells: readonly number[]) => (100 * cells.length) / target.length;
  return {
    label,
    truth: truth.map((cells, number) => ({
      share: share(cells),
      matched: matchings.map((found) => found.has(number)),
    })),
    predicted: predicted.map((cells, number) => ({
      share: share(cells),
      matched: taken.map((numbers) => numbers.has(number)),
    })),
  };
}

interface LesionOptions {
  readonly label: number;
  readonly height: number;
  readonly width: number;
  /** Least intersection over union of a match; each gives one matching. */
  readonly overlaps?: readonly number[];
}

/**
 * How many objects were found. Percent; NaN (null in JSON) where there is nothing to divide by: no object in the label
 * map for recall, none predicted for precision, neither for F1.
 */
interface LesionScore {
  /** Objects in the label maps. */
  readonly truth: number;
  /** Those of them that were matched. */
  readonly found: number;
  /** Objects predicted. */
  readonly predicted: number;
  /** Those of them that were matched. In a size bin not the same as `found`: partners may differ in size. */
  readonly correct: number;
  readonly recall: number;
  readonly precision: number;
  /**
   * Matched share of all objects, labelled and predicted: the harmonic mean of recall and precision, and in size bins,
   * where the two count different pairs, what takes its place.
   */
  readonly f1: number;
}

interface LesionBin extends LesionScore {
  /** Percent of the image: sizes from `from` (inclusive) to `to` (exclusive). Found and missed objects are put in bins by
   * their size in the label map, predicted ones by their own. */
  readonly from: number;
  readonly to: number;
}

/** Detection at one required overlap. */
export interface LesionResult {
  /** Least intersection over union of a match. */
  readonly overlap: number;
  /** Objects of all foreground classes and images counted together. */
  readonly total: LesionScore;
  readonly bins: readonly LesionBin[];
  readonly classes: readonly (LesionScore & { readonly class: number })[];
}

function score(truth: readonly Lesion[], predicted: readonly Lesion[], at: number): LesionScore {
  const matched = (lesions: readonly Lesion[]) => lesions.filter((lesion) => lesion.matched[at] === true).length;
  return lesionScore({
    truth: truth.length,
    found: matched(truth),
    predicted: predicted.length,
    correct: matched(predicted),
  });
}

/** The rates of four counts. */
export function lesionScore(counts: Pick<LesionScore, "truth" | "found" | "predicted" | "correct">): LesionScore {
  const { truth, found, predicted, correct } = counts;
  return {
    ...counts,
    recall: (100 * found) / truth,
    precision: (100 * correct) / predicted,
    f1: (100 * (found + correct)) / (truth + predicted),
  };
}

/**
 * Detection of single objects over a set of images, of every image and class: 8-connected components of the prediction
 * matched one to one with those of the label map. Counting objects rather than pixels shows which sizes are found at
 * all.
 */
export function lesionResults(
  images: readonly ImageLesions[],
  { overlaps = LESION_OVERLAPS, limits = LESION_BINS }: LesionSummaryOptions = {},
): LesionResult[] {
  const labels = [...new Set(images.map(({ label }) => label))].sort((a, b) => a - b);
  const gather = (from: readonly ImageLesions[]) => ({
    truth: from.flatMap((image) => image.truth),
    predicted: from.flatMap((image) => image.predicted),
  });
  const all = gather(images);
  const inBin = (from: number, to: number) => (lesion: Lesion) =>
    lesion.share >= from && (lesion.share < to || to === limits.at(-1));
  return overlaps.map((overlap, at) => ({
    overlap,
    total: score(all.truth, all.predicted, at),
    bins: limits.map((to, i) => {
      const from = limits[i - 1] ?? 0;
      return { from, to, ...score(all.truth.filter(inBin(from, to)), all.predicted.filter(inBin(from, to)), at) };
    }),
    classes: labels.map((label) => {
      const own = gather(images.filter((image) => image.label === label));
      return { class: label, ...score(own.truth, own.predicted, at) };
    }),
  }));
}

interface LesionSummaryOptions {
  /** The overlaps the images were matched with. */
  readonly overlaps?: readonly number[];
  /** Upper limits of the size bins, ascending. */
  readonly limits?: readonly number[];
}

/** Detection by size as CSV with a header line: all sizes together, then each bin; rates missing where undefined. */
export function lesionTable(results: readonly LesionResult[]): string {
  const counts = ["truth", "found", "predicted", "correct"] as const;
  const rates = ["recall", "precision", "f1"] as const;
  const rows = results.flatMap(({ overlap, total, bins }) =>
    [{ from: 0, to: 100, ...total }, ...bins].map((row, i) => [
      overlap,
      i === 0 ? "all" : "bin",
      row.from,
      row.to,
      ...counts.map((key) => row[key]),
      ...rates.map((key) => (Number.isNaN(row[key]) ? "" : row[key])),
    ]),
  );
  return csv([["overlap", "rows", "fromPercent", "toPercent", ...counts, ...rates], ...rows]);
}
