/** The class with the highest of `classes` scores from `at` on; the first of equal ones. */
export function highest(scores: Float32Array, at: number, classes: number): number {
  let best = 0;
  for (let c = 1; c < classes; c++) if ((scores[at + c] ?? 0) > (scores[at + best] ?? 0)) best = c;
  return best;
}
