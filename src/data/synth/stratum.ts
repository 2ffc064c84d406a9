import type { Random } from "../../kernels/random.ts";
import type { ByteImage } from "../image/image.ts";
import { between } from "./canvas.ts";

/** Sizes by name, from small to large. */
const SIZES = ["ultra", "small", "large"] as const;

/**
 * The paper's strata that sizes are drawn from: one, or each as often. What counts is the largest object's share of the
 * picture.
 */
export const STRATA = [...SIZES, "mixed"] as const;
export type Stratum = (typeof STRATA)[number];

/** Percent of the picture that the largest object takes; a margin keeps either area rule on the same side of 1 and 10. */
const RANGES = { ultra: [0.12, 0.8], small: [1.3, 8.5] } as const;

export interface DrawnSize {
  readonly stratum: (typeof SIZES)[number];
  /** Percent of the picture. */
  readonly share: number;
}

/** A share from the stratum, its logarithm uniform; `mixed` takes each stratum as often. `most`: the largest share drawn. */
export function drawSize(walk: Random, stratum: Stratum, most: number): DrawnSize {
  const one = stratum === "mixed" ? SIZES[walk.integer(SIZES.length)] : stratum;
  const place = walk.uniform();
  const [low, high] = one === "large" || one === undefined ? [12, most] : RANGES[one];
  return { stratum: one ?? "large", share: low * (high / low) ** place };
}

/** Pixels of the largest 8-connected part of one value in a mask. */
function largestPart({ width, height, data }: ByteImage, label: number): number {
  const open = Uint8Array.from(data, (value) => (value === label ? 1 : 0));
  let largest = 0;
  for (let start = 0; start < open.length; start++) {
    if (open[start] === 0) continue;
    open[start] = 0;
    const part = [start];
    for (let next = 0; next < part.length; next++) {
      const pixel = part[next] ?? 0;
      const [x, y] = [pixel % width, Math.floor(pixel / width)];
      for (let k = 0; k < 9; k++) {
        const [nx, ny] = [x + (k % 3) - 1, y + Math.floor(k / 3) - 1];
        const other = ny * width + nx;
        if (nx < 0 || nx >= width || ny < 0 || ny >= height || open[other] === 0) continue;
        open[other] = 0;
        part.push(other);
      }
    }
    largest = Math.max(largest, part.length);
  }
  return largest;
}

/** Percent of the picture that the largest object of any class takes. */
function largestShare(mask: ByteImage): number {
  const labels = new Set(mask.data);
  labels.delete(0);
  return (100 * Math.max(0, ...[...labels].map((label) => largestPart(mask, label)))) / mask.data.length;
}

/**
 * The drawing whose largest object comes nearest to `share`: `draw` at a scale between `low` and `high`, found by halving
 * the interval on a logarithmic axis. A drawing must grow with its scale.
 */
export function fitScale<D extends { readonly mask: ByteImage }>(
  share: number,
  low: number,
  high: number,
  draw: (scale: number) => D,
): D {
  let [from, to] = [Math.log(low), Math.log(high)];
  let best: { drawing: D; off: number } | undefined;
  for (let round = 0; round < 9; round++) {
    const middle = (from + to) / 2;
    const drawing = draw(Math.exp(middle));
    const found = largestShare(drawing.mask);
    const off = Math.abs(Math.log(Math.max(found, 1e-6) / share));
    if (best === undefined || off < best.off) best = { drawing, off };
    if (off < 0.03) break;
    if (found < share) from = middle;
    else to = middle;
  }
  return best?.drawing ?? draw(1);
}

/** A place at least `margin` from every border, where there is room for that. */
export function inside(walk: Random, side: number, margin: number): readonly [x: number, y: number] {
  const room = Math.min(margin, side / 2);
  return [between(walk, room, side - room), between(walk, room, side - room)];
}
