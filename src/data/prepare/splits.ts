import { DataError } from "../../errors.ts";
import { random } from "../../kernels/random.ts";
import type { SplitName } from "../dataset/dataset.ts";

export interface Shares {
  readonly test: number;
  /** Undefined: {@link USUAL_VAL}, or none where that would leave train with less than half. */
  readonly val?: number | undefined;
  readonly seed: number;
}

/** The share for val where nobody names one. */
export const USUAL_VAL = 0.1;

/** How many of `count` go to test and val: rounded, at least one where a share was asked for, and train keeps one. */
function countsOf(count: number, { test, val }: Shares, what: string): { test: number; val: number } {
  const wanted = (share: number) => (share > 0 ? Math.max(1, Math.round(count * share)) : 0);
  const counts = { test: wanted(test), val: wanted(val ?? USUAL_VAL) };
  if (val === undefined && 2 * (counts.test + counts.val) > count) counts.val = 0;
  if (counts.test + counts.val >= count) {
    throw new DataError(
      `${count} ${what} cannot be split into train, ${counts.val} val and ${counts.test} test; ` +
        "add data, or set --test 0 and --val 0",
    );
  }
  return counts;
}

/**
 * A seeded split that keeps together what belongs together: one for every group (patient, volume), by an ordering of
 * the distinct names, test first, then val.
 */
export function splitGroups(groups: readonly string[], shares: Shares, what: string): (group: string) => SplitName {
  const names = [...new Set(groups)].sort((a, b) => (a < b ? -1 : 1));
  const counts = countsOf(names.length, shares, what);
  const order = random(shares.seed, "prepare split").permutation(names.length);
  const place = new Map(names.map((name, at) => [name, order[at] ?? 0]));
  return (group) => {
    const at = place.get(group) ?? names.length;
    return at < counts.test ? "test" : at < counts.test + counts.val ? "val" : "train";
  };
}

/** `count` shared out over parts in proportion to their sizes (largest remainders first). */
function apportion(count: number, sizes: readonly number[]): number[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const exact = sizes.map((size) => (count * size) / total);
  const shares = exact.map(Math.floor);
  const left = count - shares.reduce((sum, share) => sum + share, 0);
  const order = exact.map((value, at) => ({ at, rest: value - Math.floor(value) })).sort((a, b) => b.rest - a.rest);
  for (const { at } of order.slice(0, left)) shares[at] = (shares[at] ?? 0) + 1;
  return shares;
}

/**
 * A split of frames whose patients are not known: from each source (a hospital, a folder) one run of consecutive frames
 * goes to test and the next to val, its place drawn by seed, so that at most the frames at the ends of a run
 * can share a patient with train. Totals are exact shares of all frames. The answer is in the order of `sources`' frames.
 */
export function splitRuns(sources: readonly number[], shares: Shares, what: string): readonly (readonly SplitName[])[] {
  const total = sources.reduce((sum, size) => sum + size, 0);
  const counts = countsOf(total, shares, what);
  const tests = apportion(counts.test, sources);
  const vals = apportion(counts.val, sources);
  return sources.map((size, source) => {
    const [test, val] = [tests[source] ?? 0, vals[source] ?? 0];
    const start = size === 0 ? 0 : random(shares.seed, "prepare run", source).integer(size);
    return Array.from({ length: size }, (_, frame): SplitName => {
      const at = (frame - start + size) % size;
      return at < test ? "test" : at < test + val ? "val" : "train";
    });
  });
}
