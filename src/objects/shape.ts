import { convexHull, feretDiameters, type Point } from "./hull.ts";
import { type Patch, patchOf } from "./patch.ts";

/** Size and form of one object, in one unit of length. */
export interface Shape {
  readonly area: number;
  /** Diameter of the circle of the same area. */
  readonly equivalentDiameter: number;
  /** Largest and smallest distance between two parallel lines that hold the object (calliper), by the corners of its pixels. */
  readonly feretMax: number;
  readonly feretMin: number;
  /** Crofton's estimate from four directions; NaN where pixels are no squares. */
  readonly perimeter: number;
  /** 4 pi area / perimeter^2, at most 1, which is a disc; NaN as the perimeter. */
  readonly circularity: number;
  /** Mean of its pixels' centres, from the image's upper left corner. */
  readonly centroid: Point;
}

/** Length of a pixel along columns (x) and along rows (y), in the unit of what is measured. */
export type PixelSize = readonly [x: number, y: number];

/** Pixels whose sides differ by less than this share are squares. */
const SQUARE = 1e-3;

/** How often neighbours by `step` differ. */
function crossings({ inside }: Patch, step: number): number {
  let count = 0;
  for (let at = 0; at + step < inside.length; at++) if (inside[at] !== inside[at + step]) count++;
  return count;
}

/**
 * Perimeter of an object in pixels by Crofton's formula: pi/8 times the sum, over the directions of rows, columns and both
 * diagonals, of the border's crossings by the pixels' lines times the distance between these lines (`perimeter_crofton` of
 * scikit-image with four directions).
 */
function croftonPerimeter(patch: Patch): number {
  const { width } = patch;
  const straight = crossings(patch, 1) + crossings(patch, width);
  const diagonal = crossings(patch, width + 1) + crossings(patch, width - 1);
  return (Math.PI / 8) * (straight + diagonal / Math.SQRT2);
}

/** Corners of the first and last pixel of each row: the hull's corners are among them. */
function outerCorners({ inside, width, height, left, top }: Patch, [x, y]: PixelSize): Point[] {
  const corners: Point[] = [];
  for (let row = 1; row < height - 1; row++) {
    const first = inside.indexOf(1, row * width) - row * width;
    if (first < 0 || first >= width) continue;
    const last = inside.lastIndexOf(1, (row + 1) * width - 1) - row * width;
    for (const column of [first, last + 1]) {
      for (const line of [row, row + 1]) corners.push([(left + column) * x, (top + line) * y]);
    }
  }
  return corners;
}

/**
 * Measures an object of at least one pixel in an image of `imageWidth` columns. `pixels` are places, `row * imageWidth +
 * column`, each once; lengths come in the unit of `size`, in pixels without it.
 */
export function shapeOf(pixels: ArrayLike<number>, imageWidth: number, size: PixelSize = [1, 1]): Shape {
  const patch = patchOf(pixels, imageWidth);
  const [x, y] = size;
  const area = pixels.length * x * y;
  let [columns, rows] = [0, 0];
  for (let i = 0; i < pixels.length; i++) {
    const at = pixels[i] ?? 0;
    columns += at % imageWidth;
    rows += Math.floor(at / imageWidth);
  }
  const { max, min } = feretDiameters(convexHull(outerCorners(patch, size)));
  const perimeter = Math.abs(x / y - 1) < SQUARE ? croftonPerimeter(patch) * x : Number.NaN;
  return {
    area,
    equivalentDiameter: Math.sqrt((4 * area) / Math.PI),
    feretMax: max,
    feretMin: min,
    perimeter,
    circularity: Math.min(1, (4 * Math.PI * area) / perimeter ** 2),
    centroid: [(columns / pixels.length + 0.5) * x, (rows / pixels.length + 0.5) * y],
  };
}

/** Whether an object has pixels in the first or last row or column: it may go on outside the image. */
export function touchesEdge(
  pixels: ArrayLike<number>,
  image: { readonly width: number; readonly height: number },
): boolean {
  for (let i = 0; i < pixels.length; i++) {
    const at = pixels[i] ?? 0;
    const column = at % image.width;
    const row = (at - column) / image.width;
    if (column === 0 || row === 0 || column === image.width - 1 || row === image.height - 1) return true;
  }
  return false;
}
