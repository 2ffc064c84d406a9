import type { Picture } from "./image.ts";
import { along, type Box, boxOf, boxRadius, type Lines } from "./taps.ts";

/** Bytes are summed in fixed point and rounded after every pass, as Pillow does; floats are not rounded. */
type Line = Uint8Array | Float64Array;
type Weigh = (middle: number, edges: number, box: Box) => number;

const weighBytes: Weigh = (middle, edges, { inner, outer }) =>
  (Math.imul(middle, inner) + Math.imul(edges, outer) + (1 << 23)) >>> 24;
const weighFloats: Weigh = (middle, edges, { inner, outer }) => (middle * inner + edges * outer) / 2 ** 24;

/** One box pass over a line whose edges are repeated `margin` times on both sides, into the same place of `to`. */
function boxPass(from: Line, to: Line, length: number, box: Box, weigh: Weigh): void {
  const { whole } = box;
  const margin = whole + 1;
  from.fill(from[margin] ?? 0, 0, margin);
  from.fill(from[margin + length - 1] ?? 0, margin + length);
  let middle = 0;
  for (let at = 1; at <= 2 * whole + 1; at++) middle += from[at] ?? 0;
  for (let index = 0; index < length; index++) {
    to[margin + index] = weigh(middle, (from[index] ?? 0) + (from[index + 2 * margin] ?? 0), box);
    middle += (from[index + 2 * whole + 2] ?? 0) - (from[index + 1] ?? 0);
  }
}

/** Three box passes along one axis, in place. */
function blurLines(data: Picture["data"], { outer, length, inner }: Lines, box: Box): void {
  const margin = box.whole + 1;
  const exact = data instanceof Float32Array;
  const lineOf = () => new (exact ? Float64Array : Uint8Array)(length + 2 * margin);
  const weigh = exact ? weighFloats : weighBytes;
  let line: Line = lineOf();
  let other: Line = lineOf();
  for (let block = 0; block < outer; block++) {
    for (let j = 0; j < inner; j++) {
      const start = block * length * inner + j;
      for (let index = 0; index < length; index++) line[margin + index] = data[start + index * inner] ?? 0;
      for (let pass = 0; pass < 3; pass++) {
        boxPass(line, other, length, box, weigh);
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
  const data = image.data.slice();
  for (const lines of [along.columns(image), along.rows(image)]) blurLines(data, lines, boxOf(radius));
  return { ...image, data };
}
