import { IGNORE_LABEL } from "../labels.ts";
import type { Labels } from "./totals.ts";

/** Which of the two maps does not hold the class. */
type Emptiness = "none" | "both" | "prediction" | "target";

/**
 * Border agreement of one class in one image, as MetricsReloaded computes `nsd` and `hd_perc` of 95: borders by direct
 * neighbours, the larger of the two directed percentiles, 0 for two empty maps.
 */
export interface SurfaceScore {
  readonly empty: Emptiness;
  /**
   * Share of both borders' pixels that lie within the tolerance of the other border, a fraction. Both maps empty: 1. One
   * empty: 0.
   */
  readonly dice: number;
  /**
   * 95 % Hausdorff distance in pixels: the larger of the two directed 95th percentiles (linear interpolation). Both maps
   * empty: 0. One empty: NaN, there is no distance.
   */
  readonly hausdorff95: number;
}

interface SurfaceOptions {
  readonly label: number;
  readonly height: number;
  readonly width: number;
  /** Pixels by which borders may differ and still agree. */
  readonly tolerance?: number;
}

/** Tolerance of surface Dice in pixels at the evaluated size. */
export const SURFACE_TOLERANCE = 2;

/** What is said of empty masks wherever these numbers are printed. */
export const SURFACE_POLICY =
  "as MetricsReloaded computes them: class absent from both maps: distance 0, surface Dice 1; absent from one: surface Dice 0, " +
  "distance not counted; no distance at all where no image holds the class in both";

/** The prediction with background where the label map ignores: such pixels make no border and no object. */
export function withoutIgnored(prediction: Labels, target: Labels): Labels {
  return target.includes(IGNORE_LABEL)
    ? prediction.map((value, at) => (target[at] === IGNORE_LABEL ? 0 : value))
    : prediction;
}

/** A border: rows and columns of its pixels. */
interface Border {
  readonly rows: number[];
  readonly columns: number[];
}

function borderOf(labels: Labels, { label, height, width }: SurfaceOptions): Border {
  const border: Border = { rows: [], columns: [] };
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at++) {
      if (labels[at] !== label) continue;
      const inside =
        row > 0 &&
        column > 0 &&
        row + 1 < height &&
        column + 1 < width &&
        labels[at - 1] === label &&
        labels[at + 1] === label &&
        labels[at - width] === label &&
        labels[at + width] === label;
      if (inside) continue;
      border.rows.push(row);
      border.columns.push(column);
    }
  }
  return border;
}

/** For every pixel the rows to the nearest border pixel of its column, squared; Infinity in columns without one. */
function columnSquares({ rows, columns }: Border, { height, width }: SurfaceOptions): Float64Array {
  const gaps = new Float64Array(height * width).fill(Number.POSITIVE_INFINITY);
  for (const [i, row] of rows.entries()) gaps[row * width + (columns[i] ?? 0)] = 0;
  for (let at = width; at < gaps.length; at++) {
    gaps[at] = Math.min(gaps[at] ?? 0, (gaps[at - width] ?? 0) + 1);
  }
  for (let at = gaps.length - width - 1; at >= 0; at--) {
    gaps[at] = Math.min(gaps[at] ?? 0, (gaps[at + width] ?? 0) + 1);
  }
  return gaps.map((gap) => gap * gap);
}

/** Distances of the pixels of `from` to the nearest pixel of `to`, neither empty. Exact: outward until nothing is nearer. */
function distances(from: Border, to: Border, options: SurfaceOptions): Float64Array {
  const { width } = options;
  const squares = columnSquares(to, options);
  return Float64Array.from(from.rows, (row, i) => {
    const column = from.columns[i] ?? 0;
    const start = row * width;
    let nearest = squares[start + column] ?? 0;
    for (let step = 1; step * step < nearest && step < width; step++) {
      const left = column < step ? nearest : (squares[start + column - step] ?? 0);
      const right = column + step >= width ? nearest : (squares[start + column + step] ?? 0);
      nearest = Math.min(nearest, Math.min(left, right) + step * step);
    }
    return Math.sqrt(nearest);
  });
}

/** The `q`-quantile (0..1) of values in any order, linear between neighbours as NumPy's default; NaN without values. */
export function quantile(values: ArrayLike<number>, q: number): number {
  const sorted = Float64Array.from(values).sort();
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] ?? Number.NaN;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? Number.NaN;
  return low + (high - low) * (place - below);
}

/**
 * Compares the borders of one class in two maps `[height, width]`, distances in pixels. The border of a class: its
 * pixels with a direct neighbour (left, right, above, below) outside it; beyond the picture's edge everything is
 * outside. Ignored pixels must be out of the prediction already.
 */
export function surfaceScore(prediction: Labels, target: Labels, options: SurfaceOptions): SurfaceScore {
  const { tolerance = SURFACE_TOLERANCE } = options;
  const predicted = borderOf(prediction, options);
  const labelled = borderOf(target, options);
  if (predicted.rows.length === 0 && labelled.rows.length === 0) return { empty: "both", dice: 1, hausdorff95: 0 };
  if (predicted.rows.length === 0) return { empty: "prediction", dice: 0, hausdorff95: Number.NaN };
  if (labelled.rows.length === 0) return { empty: "target", dice: 0, hausdorff95: Number.NaN };
  const there = distances(predicted, labelled, options);
  const back = distances(labelled, predicted, options);
  const near = (values: Float64Array) => values.filter((distance) => distance <= tolerance).length;
  return {
    empty: "none",
    dice: (near(there) + near(back)) / (there.length + back.length),
    hausdorff95: Math.max(quantile(there, 0.95), quantile(back, 0.95)),
  };
}
