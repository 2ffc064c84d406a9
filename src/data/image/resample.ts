import { blurFloats, resizeFloats } from "./float-resample.ts";
import { emptyLike, type Picture, type Size } from "./image.ts";
import { type Box, boxOf, boxRadius, type Lines, type SmoothMode, type Taps, tapsFor, WEIGHT_BITS } from "./taps.ts";

const along = {
  columns: ({ width, height, channels }: Picture): Lines => ({ outer: height, length: width, inner: channels }),
  rows: ({ width, height, channels }: Picture): Lines => ({ outer: 1, length: height, inner: width * channels }),
};

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

/** One box pass over `from` (edges replicated `margin` times on both sides) into the same place of `to`. */
function boxPass(from: Uint8Array, to: Uint8Array, length: number, { whole, inner, outer }: Box): void {
  const margin = whole + 1;
  from.fill(from[margin] ?? 0, 0, margin);
  from.fill(from[margin + length - 1] ?? 0, margin + length, margin + length + margin);
  let middle = 0;
  for (let at = 1; at <= 2 * whole + 1; at++) middle += from[at] ?? 0;
  for (let index = 0; index < length; index++) {
    const edges = (from[index] ?? 0) + (from[index + 2 * margin] ?? 0);
    to[margin + index] = (Math.imul(middle, inner) + Math.imul(edges, outer) + (1 << 23)) >>> 24;
    middle += (from[index + 2 * whole + 2] ?? 0) - (from[index + 1] ?? 0);
  }
}

function blurLines(data: Uint8Array, { outer, length, inner }: Lines, box: Box): void {
  const margin = box.whole + 1;
  let line = new Uint8Array(length + 2 * margin);
  let other = new Uint8Array(length + 2 * margin);
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

/**
 * Gaussian blur as Pillow 9.4 does it: three box passes along the rows, then three along the columns, fixed-point
 * weights of 24 bits, bytes rounded to bytes after every pass; `sigma` in pixels, 0 = unchanged.
 */
export function gaussianBlur<P extends Picture>(image: P, sigma: number): P {
  const radius = boxRadius(sigma);
  if (radius === 0) return image;
  const box = boxOf(radius);
  const data = image.data.slice();
  for (const lines of [along.columns(image), along.rows(image)]) {
    if (data instanceof Float32Array) blurFloats(data, lines, box);
    else blurLines(data, lines, box);
  }
  return { ...image, data };
}
