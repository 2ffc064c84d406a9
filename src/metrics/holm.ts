/**
 * p-values corrected for being several (Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
 * Statistics 6, 1979): the smallest times their number, the next times one less and so on, none below the one before, at most 1.
 * In the order given; null and NaN, which stand for no test, stay null and do not count.
 */
export function holm(pValues: readonly (number | null)[]): (number | null)[] {
  const tested = pValues.flatMap((p, at) => (p === null || Number.isNaN(p) ? [] : [{ p, at }]));
  const corrected: (number | null)[] = pValues.map(() => null);
  let least = 0;
  for (const [rank, { p, at }] of tested.sort((one, two) => one.p - two.p).entries()) {
    least = Math.min(1, Math.max(least, p * (tested.length - rank)));
    corrected[at] = least;
  }
  return corrected;
}
