import { type Box, type Lines, type Taps, WEIGHT_BITS } from "./taps.ts";

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

/** One box pass over a line whose edges are repeated `margin` times on both sides, into the same place of `to`. */
function boxPass(from: Float64Array, to: Float64Array, length: number, { whole, inner, outer }: Box): void {
  const margin = whole + 1;
  from.fill(from[margin] ?? 0, 0, margin);
  from.fill(from[margin + length - 1] ?? 0, margin + length);
  let middle = 0;
  for (let at = 1; at <= 2 * whole + 1; at++) middle += from[at] ?? 0;
  for (let index = 0; index < length; index++) {
    const edges = (from[index] ?? 0) + (from[index + 2 * margin] ?? 0);
    to[margin + index] = (middle * inner + edges * outer) / 2 ** 24;
    middle += (from[index + 2 * whole + 2] ?? 0) - (from[index + 1] ?? 0);
  }
}

/** Three box passes along one axis, in place. */
export function blurFloats(data: Float32Array, { outer, length, inner }: Lines, box: Box): void {
  const margin = box.whole + 1;
  let line = new Float64Array(length + 2 * margin);
  let other = new Float64Array(length + 2 * margin);
  for (let block = 0; block < outer; block++) {
    for (let j = 0; j < inner; j++) {
      const start = block * length * inner + j;
      for (let index = 0; index < length; index++) line[margin + index] = data[start + index * inner] ?? 0;
      for (let pass = 0; pass < 3; pass++) {
        boxPass(line, other, length, box);
        [line, other] = [other, line];
      }
      for (let index = 0; index < length; index++) data[start + index * inner] = line[margin + index] ?? 0;
    }
  }
}
