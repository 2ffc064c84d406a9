import { emptyLike, type Picture, type Size } from "./image.ts";
import { Neighbours } from "./rotate.ts";

/** Nodes of a displacement grid along each axis: the borders and the middle. */
export const GRID = 3;

/** How a picture is bent and zoomed about its middle. */
export interface Warp {
  /** Larger than 1 enlarges. */
  readonly zoom: number;
  /** Displacements in pixels, row by row of the grid of 3 x 3 nodes; undefined: none. */
  readonly across: ArrayLike<number> | undefined;
  readonly down: ArrayLike<number> | undefined;
}

/** Catmull-Rom weights of the three nodes at pixel `at` of `length`, the outer nodes repeated beyond the border. */
function nodeWeights(at: number, length: number): [number, number, number] {
  const place = ((at + 0.5) / length) * (GRID - 1);
  const left = Math.min(Math.floor(place), GRID - 2);
  const weights: [number, number, number] = [0, 0, 0];
  for (let node = left - 1; node <= left + 2; node++) {
    const x = Math.abs(place - node);
    const weight = x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((2.5 - 0.5 * x) * x - 4) * x + 2 : 0;
    const kept = Math.min(Math.max(node, 0), GRID - 1);
    weights[kept as 0 | 1 | 2] += weight;
  }
  return weights;
}

const ALONG = [0, 1, 2] as const;

/** Calls `visit` with every pixel's place in the picture and where in the source it comes from. */
function walk({ width, height }: Size, warp: Warp, visit: (at: number, x: number, y: number) => void): void {
  const columns = Array.from({ length: width }, (_, column) => nodeWeights(column, width));
  const [middleX, middleY] = [width / 2, height / 2];
  for (let row = 0; row < height; row++) {
    const weights = nodeWeights(row, height);
    const moved = (field: ArrayLike<number> | undefined) =>
      ALONG.map((i) => ALONG.reduce<number>((sum, j) => sum + weights[j] * (field?.[j * GRID + i] ?? 0), 0));
    const [[x0 = 0, x1 = 0, x2 = 0], [y0 = 0, y1 = 0, y2 = 0]] = [moved(warp.across), moved(warp.down)];
    for (let column = 0; column < width; column++) {
      const [a, b, c] = columns[column] ?? [0, 0, 0];
      const x = middleX + (column + 0.5 - middleX) / warp.zoom + a * x0 + b * x1 + c * x2;
      const y = middleY + (row + 0.5 - middleY) / warp.zoom + a * y0 + b * y1 + c * y2;
      visit(row * width + column, x, y);
    }
  }
}

const isInside = ({ width, height }: Size, x: number, y: number) => x >= 0 && x < width && y >= 0 && y < height;

/** The warped picture, bilinear, of the same size; what comes from outside is `fill`. Bytes are rounded. */
export function warpBilinear<P extends Picture>(image: P, warp: Warp, fill: number): P {
  const { channels, data } = image;
  const out = emptyLike(data, data.length).fill(fill);
  const half = data instanceof Uint8Array ? 0.5 : 0;
  const near = new Neighbours();
  walk(image, warp, (at, x, y) => {
    if (!isInside(image, x, y)) return;
    near.place(image, x, y);
    for (let channel = 0; channel < channels; channel++)
      out[at * channels + channel] = near.blend(data, channel) + half;
  });
  return { ...image, data: out };
}

/** The warped picture without mixing values: for masks. */
export function warpNearest<P extends Picture>(image: P, warp: Warp, fill: number): P {
  const { width, channels, data } = image;
  const out = emptyLike(data, data.length).fill(fill);
  walk(image, warp, (at, x, y) => {
    if (!isInside(image, x, y)) return;
    const from = (Math.floor(y) * width + Math.floor(x)) * channels;
    for (let channel = 0; channel < channels; channel++) out[at * channels + channel] = data[from + channel] ?? 0;
  });
  return { ...image, data: out };
}
