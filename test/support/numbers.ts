/** Numbers in [-1, 1) that repeat from run to run. */
export function noise(length: number, seed: number): Float32Array {
  let state = Math.imul(seed, 2654435761) | 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

/** Largest difference over max(1, largest expected number): what the tolerances of outputs and gradients are for. */
export function deviation(got: ArrayLike<number> | undefined, expected: ArrayLike<number>): number {
  if (got?.length !== expected.length) return Number.NaN;
  let [largest, most] = [1, 0];
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((got[i] ?? Number.NaN) - (expected[i] ?? Number.NaN));
    if (Number.isNaN(difference)) return Number.NaN;
    most = Math.max(most, difference);
    largest = Math.max(largest, Math.abs(expected[i] ?? 0));
  }
  return most / largest;
}

/** The bits of floats, for comparisons that tell -0 from 0 and one NaN from another. */
export function bits(data: Float32Array): Uint32Array {
  return new Uint32Array(data.buffer, data.byteOffset, data.length);
}
