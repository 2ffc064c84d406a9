import type { FixtureTensor } from "./fixture.ts";
import type { Tolerance } from "./tolerance.ts";

/** What an implementation produced for a golden tensor. */
export interface Produced {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** One value that is not as it should be. */
export interface Mismatch {
  readonly index: number;
  readonly got: number;
  readonly expected: number;
  readonly allowed: number;
}

export interface Comparison {
  /** Number of values compared; 0 when shapes differ. */
  readonly values: number;
  /** Largest difference relative to what is allowed; at most 1 passes, infinite when nothing could be compared. */
  readonly worst: number;
  /** Number of values beyond what is allowed. */
  readonly beyond: number;
  /** The worst value; absent when nothing is wrong or nothing could be compared. */
  readonly mismatch?: Mismatch;
  /** Why nothing could be compared. */
  readonly problem?: string;
}

const largestAbsolute = (data: ArrayLike<number>): number => {
  let largest = 0;
  for (let i = 0; i < data.length; i++) largest = Math.max(largest, Math.abs(data[i] ?? 0));
  return largest;
};

/** Difference in units of what is allowed. Anything not finite, on either side, is infinitely far. */
function ratio(got: number, expected: number, allowed: number): number {
  if (!Number.isFinite(got) || !Number.isFinite(expected)) return Number.POSITIVE_INFINITY;
  const difference = Math.abs(got - expected);
  return difference === 0 ? 0 : difference / allowed;
}

function incomparable(problem: string): Comparison {
  return { values: 0, worst: Number.POSITIVE_INFINITY, beyond: 0, problem };
}

/** Compares shape and every value with a golden tensor. An empty golden tensor proves nothing and fails. */
export function compare(got: Produced, expected: FixtureTensor, tolerance: Tolerance): Comparison {
  const { shape, data } = expected;
  if (got.shape.length !== shape.length || got.shape.some((side, axis) => side !== shape[axis])) {
    return incomparable(`shape [${got.shape.join(", ")}], expected [${shape.join(", ")}]`);
  }
  if (got.data.length !== data.length) return incomparable(`${got.data.length} values, expected ${data.length}`);
  if (data.length === 0) return incomparable("the golden tensor is empty");
  const largest = largestAbsolute(data);
  let worst = 0;
  let beyond = 0;
  let mismatch: Mismatch | undefined;
  for (let index = 0; index < data.length; index++) {
    const golden = data[index] ?? Number.NaN;
    const value = got.data[index] ?? Number.NaN;
    const allowed = tolerance(largest, golden);
    const distance = ratio(value, golden, allowed);
    if (!(distance <= 1)) beyond++;
    if (distance <= worst) continue;
    worst = distance;
    mismatch = { index, got: value, expected: golden, allowed };
  }
  return { values: data.length, worst, beyond, ...(beyond > 0 && mismatch ? { mismatch } : {}) };
}
