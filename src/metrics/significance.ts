import { DataError } from "../errors.ts";
import { normalTail, studentTail } from "./special.ts";

/** A two-sided test of paired values. */
interface TestResult {
  readonly statistic: number;
  /** NaN when there are too few pairs to say anything. */
  readonly pValue: number;
}

function differences(one: ArrayLike<number>, two: ArrayLike<number>): Float64Array {
  if (one.length !== two.length) throw new DataError(`${one.length} values cannot be paired with ${two.length}.`);
  const result = Float64Array.from({ length: one.length }, (_, i) => (one[i] ?? Number.NaN) - (two[i] ?? Number.NaN));
  if (!result.every(Number.isFinite)) throw new DataError("Values to be compared in pairs must be finite.");
  return result;
}

/**
 * Paired Student t-test, two-sided, n - 1 degrees of freedom. Equal differences have no spread: p is 1 when they are all
 * zero, otherwise 0. Fewer than two pairs give NaN.
 */
export function pairedTTest(one: ArrayLike<number>, two: ArrayLike<number>): TestResult {
  const d = differences(one, two);
  const n = d.length;
  if (n < 2) return { statistic: Number.NaN, pValue: Number.NaN };
  const mean = d.reduce((sum, value) => sum + value, 0) / n;
  const variance = d.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  if (mean === 0) return { statistic: 0, pValue: 1 };
  const statistic = mean / Math.sqrt(variance / n);
  return { statistic, pValue: variance === 0 ? 0 : studentTail(statistic, n - 1) };
}

/** Largest number of pairs for which the exact null distribution is used. */
const EXACT_PAIRS = 25;

/** P(W <= w) of the signed-rank statistic of n pairs without ties, by counting the subsets of 1..n with each sum. */
function signedRankTail(w: number, n: number): number {
  const subsets = new Float64Array((n * (n + 1)) / 2 + 1);
  subsets[0] = 1;
  for (let rank = 1; rank <= n; rank++) {
    for (let sum = subsets.length - 1; sum >= rank; sum--) {
      subsets[sum] = (subsets[sum] ?? 0) + (subsets[sum - rank] ?? 0);
    }
  }
  return subsets.subarray(0, w + 1).reduce((total, count) => total + count, 0) / 2 ** n;
}

interface Ranks {
  /** Sum of the ranks of positive differences. */
  readonly positive: number;
  /** Sum over groups of t tied values of t^3 - t. */
  readonly ties: number;
}

/** Ranks absolute differences from 1, ties sharing the mean of their ranks. */
function rank(d: Float64Array): Ranks {
  const sorted = d.slice().sort((one, two) => Math.abs(one) - Math.abs(two));
  let positive = 0;
  let ties = 0;
  for (let start = 0; start < sorted.length; ) {
    const size = Math.abs(sorted[start] ?? 0);
    let end = start;
    let above = 0;
    for (; end < sorted.length && Math.abs(sorted[end] ?? 0) === size; end++) if ((sorted[end] ?? 0) > 0) above++;
    const count = end - start;
    positive += above * (start + (count + 1) / 2);
    ties += count ** 3 - count;
    start = end;
  }
  return { positive, ties };
}

/**
 * Wilcoxon's signed-rank test, two-sided; pairs without difference are dropped. Exact null distribution for up to 25
 * remaining pairs without ties, otherwise the normal approximation with tie correction and without continuity correction.
 * The statistic is the smaller of the two rank sums. p is 1 when no pair differs.
 */
export function wilcoxonSignedRank(one: ArrayLike<number>, two: ArrayLike<number>): TestResult {
  const d = differences(one, two).filter((value) => value !== 0);
  const n = d.length;
  if (n === 0) return { statistic: 0, pValue: 1 };
  const { positive, ties } = rank(d);
  const statistic = Math.min(positive, (n * (n + 1)) / 2 - positive);
  if (n <= EXACT_PAIRS && ties === 0) return { statistic, pValue: Math.min(1, 2 * signedRankTail(statistic, n)) };
  const variance = (n * (n + 1) * (2 * n + 1)) / 24 - ties / 48;
  return { statistic, pValue: normalTail((statistic - (n * (n + 1)) / 4) / Math.sqrt(variance)) };
}
