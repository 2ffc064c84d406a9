import { EPSILON } from "./overlap.ts";
import { type ForegroundCounts, foregroundOf, type Totals } from "./totals.ts";

/** Mean absolute errors as fractions of the counted pixels (class indices may push the first two beyond 1). */
export interface AbsoluteErrors {
  /** Share of pixels whose foreground membership is wrong: the usual MAE of masks. */
  readonly foreground: number;
  /** Mean |predicted class index - label|. */
  readonly index: number;
  /** Mean |predicted class index - 1[label > 0]|: what the authors' code averages. */
  readonly binarised: number;
  /** The same, divided once more by the number of images: what their tables print. */
  readonly binarisedOverImages: number;
}

/** The four mean absolute errors of a set of images; NaN without pixels. */
export function absoluteErrors(totals: Totals): AbsoluteErrors {
  const { predictedOnly, labelledOnly, pixels } = foregroundOf(totals);
  let index = 0;
  let binarised = 0;
  totals.forEachPair((label, prediction, count) => {
    index += count * Math.abs(prediction - label);
    binarised += count * Math.abs(prediction - (label > 0 ? 1 : 0));
  });
  return {
    foreground: (predictedOnly + labelledOnly) / pixels,
    index: index / pixels,
    binarised: binarised / pixels,
    binarisedOverImages: binarised / pixels / totals.images,
  };
}

/**
 * Sum over pixels of the enhanced alignment matrix. It takes one value for each of the four combinations of the two
 * binary maps, so four counts are enough and no map need be kept.
 */
function alignmentSum(counts: ForegroundCounts): number {
  const { both, predictedOnly, labelledOnly, neither, pixels } = counts;
  const meanPrediction = (both + predictedOnly) / pixels;
  const meanLabel = (both + labelledOnly) / pixels;
  const cell = (prediction: number, label: number) => {
    const p = prediction - meanPrediction;
    const g = label - meanLabel;
    return ((2 * g * p) / (g * g + p * p + EPSILON) + 1) ** 2 / 4;
  };
  return both * cell(1, 1) + predictedOnly * cell(1, 0) + labelledOnly * cell(0, 1) + neither * cell(0, 0);
}

/**
 * E-measure of one image (Fan et al. 2018), a fraction: 1 - share of predicted pixels for an empty label map, that share
 * for a full one. NaN without counted pixels.
 */
export function imageAlignment(image: Totals): number {
  const counts = foregroundOf(image);
  const predicted = (counts.both + counts.predictedOnly) / counts.pixels;
  const labelled = counts.both + counts.labelledOnly;
  if (labelled === 0) return 1 - predicted;
  if (labelled === counts.pixels) return predicted;
  return alignmentSum(counts) / (counts.pixels - 1 + EPSILON);
}

/**
 * E-measure as the authors' code pools it, a fraction: means and sum over the whole set, divided by the pixels of one
 * image and by the number of images; their rule for full masks never fires. Where images differ in counted pixels, "one
 * image" is the mean image.
 */
export function pooledAlignment(totals: Totals): number {
  const counts = foregroundOf(totals);
  const { both, labelledOnly, predictedOnly, neither, pixels } = counts;
  const sum =
    both + labelledOnly === 0 ? neither : alignmentSum({ both, predictedOnly, labelledOnly, neither, pixels });
  return sum / (pixels / totals.images - 1 + EPSILON) / totals.images;
}
