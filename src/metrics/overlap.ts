import type { ClassCounts, Totals } from "./totals.ts";
import { countsOf } from "./totals.ts";

/** Keeps empty classes from dividing by zero. Part of the published numbers: do not change. */
export const EPSILON = 1e-7;

export const OVERLAP_METRICS = ["iou", "dice", "precision", "recall", "f2"] as const;
export type OverlapMetric = (typeof OVERLAP_METRICS)[number];

/** One value per class, background first, as fractions. */
export type ClassValues = Readonly<Record<OverlapMetric, Float64Array>>;

/**
 * Overlap of prediction and label map per class, from totals over all images, as fractions. F2 comes from the total
 * precision and recall. `epsilon` joins the union; a caller that accumulated b batches the way the authors' training loop
 * does passes b times the default.
 */
export function classValues(counts: ClassCounts, epsilon = EPSILON): ClassValues {
  const classes = counts.inter.length;
  const empty = () => new Float64Array(classes);
  const values = { iou: empty(), dice: empty(), precision: empty(), recall: empty(), f2: empty() };
  for (let c = 0; c < classes; c++) {
    const inter = counts.inter[c] ?? 0;
    const predicted = counts.predicted[c] ?? 0;
    const union = predicted + (counts.truth[c] ?? 0) - inter + epsilon;
    const precision = inter / (predicted + EPSILON);
    const recall = inter / (union - predicted + inter + EPSILON);
    values.iou[c] = inter / union;
    values.dice[c] = (2 * inter) / (union + inter);
    values.precision[c] = precision;
    values.recall[c] = recall;
    values.f2[c] = (5 * precision * recall) / (4 * precision + recall + EPSILON);
  }
  return values;
}

/** Mean over classes weighted by the number of images that hold each, background included; a fraction, NaN without images. */
export function microMean(values: Float64Array, presence: Float64Array): number {
  let sum = 0;
  let weight = 0;
  for (const [c, value] of values.entries()) {
    sum += value * (presence[c] ?? 0);
    weight += presence[c] ?? 0;
  }
  return sum / weight;
}

/** Plain mean over all classes, background and absent ones included; a fraction. */
export function macroMean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Plain mean of Dice over the foreground classes some image holds; a fraction, NaN where there is none. */
export function foregroundDice(dice: Float64Array, presence: Float64Array): number {
  const present = dice.filter((_, c) => c > 0 && (presence[c] ?? 0) > 0);
  return macroMean(present);
}

/** Mean Dice over the classes present in one image's label map, background included; a fraction. */
export function imageDice(image: Totals): number {
  return microMean(classValues(countsOf(image)).dice, image.presence);
}
