import { type Lines, type Taps, WEIGHT_BITS } from "./taps.ts";

function addWeighted(sums: Float64Array, data: Float32Array, from: number, weight: number): void {
  for (let j = 0; j < sums.length; j++) sums[j] = (sums[j] ?? 0) + weight * (data[from + j] ?? 0);
}

/** One axis of an antialiased resize of floats, 0 to 255: a cubic's overshoot is cut off as it is from bytes. */
export function resizeFloats(
  data: Float32Array,
  { outer, length, inner }: Lines,
  size: number,
  { first, counts, weights, stride }: Taps,
): Float32Array {
  const out = new Float32Array(outer * size * inner);
  const sums = new Float64Array(inner);
  for (let line = 0; line < outer; line++) {
    for (let index = 0; index < size; index++) {
      sums.fill(0);
      for (let k = 0; k < (counts[index] ?? 0); k++) {
        const weight = (weights[index * stride + k] ?? 0) / 2 ** WEIGHT_BITS;
        const from = (line * length + (first[index] ?? 0) + k) * inner;
        addWeighted(sums, data, from, weight);
      }
      const to = (line * size + index) * inner;
      for (let j = 0; j < inner; j++) out[to + j] = Math.min(255, Math.max(0, sums[j] ?? 0));
    }
  }
  return out;
}
