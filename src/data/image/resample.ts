import { resizeFloats } from "./float-resample.ts";
import { emptyLike, type Picture, type Size } from "./image.ts";
import { along, type Lines, type SmoothMode, type Taps, tapsFor, WEIGHT_BITS } from "./taps.ts";

const HALF = 1 << (WEIGHT_BITS - 1);

/**
 * One axis of an antialiased resize. Sums stay below 2^31 (at most 255 * 2^22 times the kernel's overshoot), so their order
 * does not matter: lines side by side are summed together, weight by weight, in the order they lie in memory.
 */
function resizeBytes(data: Uint8Array, lines: Lines, size: number, taps: Taps): Uint8Array {
  const out = new Uint8ClampedArray(lines.outer * size * lines.inner);
  if (lines.inner === 3) resizePixels(data, lines, size, taps, out);
  else resizeRows(data, lines, size, taps, out);
  return new Uint8Array(out.buffer);
}

/** Along a row of three channels: one weight serves three sums. */
function resizePixels(data: Uint8Array, { outer, length }: Lines, size: number, taps: Taps, out: Uint8ClampedArray) {
  const { first, counts, weights, stride } = taps;
  let to = 0;
  for (let line = 0; line < outer; line++) {
    for (let index = 0; index < size; index++) {
      let at = (line * length + (first[index] ?? 0)) * 3;
      const firstWeight = index * stride;
      const lastWeight = firstWeight + (counts[index] ?? 0);
      let [red, green, blue] = [HALF, HALF, HALF];
      for (let k = firstWeight; k < lastWeight; k++) {
        const weight = weights[k] ?? 0;
        red = (red + Math.imul(data[at] ?? 0, weight)) | 0;
        green = (green + Math.imul(data[at + 1] ?? 0, weight)) | 0;
        blue = (blue + Math.imul(data[at + 2] ?? 0, weight)) | 0;
        at += 3;
      }
      out[to] = red >> WEIGHT_BITS;
      out[to + 1] = green >> WEIGHT_BITS;
      out[to + 2] = blue >> WEIGHT_BITS;
      to += 3;
    }
  }
}

/** sums += weight * data[from ...], modulo 2^32. */
function addWeighted(sums: Int32Array, data: Uint8Array, from: number, weight: number): void {
  for (let j = 0; j < sums.length; j++) sums[j] = (sums[j] ?? 0) + Math.imul(data[from + j] ?? 0, weight);
}

/** Down the columns: whole rows are added up. */
function resizeRows(
  data: Uint8Array,
  { outer, length, inner }: Lines,
  size: number,
  taps: Taps,
  out: Uint8ClampedArray,
) {
  const { first, counts, weights, stride } = taps;
  const sums = new Int32Array(inner);
  for (let line = 0; line < outer; line++) {
    for (let index = 0; index < size; index++) {
      sums.fill(HALF);
      for (let k = 0; k < (counts[index] ?? 0); k++) {
        const weight = weights[index * stride + k] ?? 0;
        const from = (line * length + (first[index] ?? 0) + k) * inner;
        addWeighted(sums, data, from, weight);
      }
      const to = (line * size + index) * inner;
      for (let j = 0; j < inner; j++) out[to + j] = (sums[j] ?? 0) >> WEIGHT_BITS;
    }
  }
}

function resizeLines<S extends Picture["data"]>(data: S, lines: Lines, size: number, mode: SmoothMode): S {
  const taps = tapsFor(lines.length, size, mode);
  return (
    data instanceof Float32Array ? resizeFloats(data, lines, size, taps) : resizeBytes(data, lines, size, taps)
  ) as S;
}

/**
 * Stretched to `size` with antialiasing: columns first, then rows, each only when its length changes. Exactly as
 * Pillow 9.4 does it, so that augmentation equals the release's: fixed-point weights of 22 bits, bytes rounded to bytes
 * after every pass. Floats are not rounded, and kept within 0 to 255.
 */
export function resize<P extends Picture>(image: P, size: Size, mode: SmoothMode): P {
  let { width }: Size = image;
  let data: P["data"] = image.data;
  if (size.width !== width) {
    data = resizeLines(data, along.columns(image), size.width, mode);
    width = size.width;
  }
  if (size.height !== image.height) {
    data = resizeLines(data, along.rows({ ...image, width }), size.height, mode);
  }
  return { ...image, ...size, data };
}

/** Source positions; the centre is accumulated in double precision, which decides exact ties as Pillow does. */
function nearestPositions(count: number, size: number): Int32Array {
  const step = count / size;
  const positions = new Int32Array(size);
  let position = step * 0.5;
  for (let index = 0; index < size; index++) {
    positions[index] = Math.min(Math.trunc(position), count - 1);
    position += step;
  }
  return positions;
}

/** Stretched to `size` without mixing values: for masks. */
export function resizeNearest<P extends Picture>(image: P, size: Size): P {
  const { channels, data } = image;
  const columns = nearestPositions(image.width, size.width);
  const rows = nearestPositions(image.height, size.height);
  const out = emptyLike(data, size.width * size.height * channels);
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * image.width + column) * channels;
      for (let channel = 0; channel < channels; channel++) out[to++] = data[from + channel] ?? 0;
    }
  }
  return { ...image, ...size, data: out };
}
