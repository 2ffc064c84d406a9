/** How classes weigh in the cross-entropy: alike, as the authors' code weighs them by a batch's shares, or as given. */
export const CLASS_WEIGHTINGS = ["none", "release"] as const;
/** A rule by name, or a weight for every class, the background first. */
export type ClassWeighting = (typeof CLASS_WEIGHTINGS)[number] | readonly number[];

/**
 * The weights `[classes]` of a batch: ones, the given ones, or the release's, 1 / ln(1.1 + share of the class), 0 for an absent
 * class. Given ones must be as many as the classes.
 */
export function classWeights(kind: ClassWeighting, labels: Int32Array, classes: number): Float32Array {
  if (typeof kind !== "string") return Float32Array.from(kind);
  const weights = new Float32Array(classes).fill(1);
  if (kind === "none") return weights;
  const counts = new Float64Array(classes);
  for (const label of labels) if (label < classes) counts[label] = (counts[label] ?? 0) + 1;
  const total = counts.reduce((sum, count) => sum + count, 0);
  return weights.map((_, c) => {
    const count = counts[c] ?? 0;
    return count === 0 ? 0 : 1 / Math.log(1.1 + count / total);
  });
}
