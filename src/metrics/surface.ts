/**
 * Distances between the borders of two label maps, in pixels. The border of a class: its pixels with a direct neighbour
 * (left, right, above, below) outside it; beyond the picture's edge everything is outside.
 */
import { IGNORE_LABEL, type Labels } from "./totals.ts";

/** Which of the two maps does not hold the class. */
export type Emptiness = "none" | "both" | "prediction" | "target";

/** Border agreement of one class in one image. */
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

export interface SurfaceOptions {
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
  "class absent from both maps: distance 0, surface Dice 1; absent from one: surface Dice 0, distance not counted";

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

/** Smallest and largest of a list; lists may be too long for the arguments of Math.min. */
function range(values: readonly number[], from: readonly [number, number]): [number, number] {
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [...from],
  );
}

/** Distances of the pixels of `from` to the nearest pixel of `to`, neither empty. */
function distances(from: Border, to: Border): Float64Array {
  const nowhere = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] as const;
  const [top, bottom] = range(to.rows, range(from.rows, nowhere));
  const [left, right] = range(to.columns, range(from.columns, nowhere));
  const height = bottom - top + 1;
  const width = right - left + 1;
  const squares = new Float64Array(height * width).fill(Number.POSITIVE_INFINITY);
  for (const [i, row] of to.rows.entries()) squares[(row - top) * width + (to.columns[i] ?? 0) - left] = 0;
  for (let column = 0; column < width; column++) transformLine(squares, column, width, height);
  for (let row = 0; row < height; row++) transformLine(squares, row * width, 1, width);
  return Float64Array.from(from.rows, (row, i) =>
    Math.sqrt(squares[(row - top) * width + (from.columns[i] ?? 0) - left] ?? 0),
  );
}

/**
 * One line of the exact squared Euclidean distance transform: the lower envelope of parabolas (Felzenszwalb and
 * Huttenlocher 2012), in linear time.
 */
function transformLine(squares: Float64Array, start: number, stride: number, length: number): void {
  const values = Float64Array.from({ length }, (_, i) => squares[start + i * stride] ?? 0);
  const { feet, starts } = envelope(values);
  if (feet.length === 0) return;
  for (let place = 0, k = 0; place < length; place++) {
    while ((starts[k + 1] ?? Number.POSITIVE_INFINITY) < place) k++;
    const foot = feet[k] ?? 0;
    squares[start + place * stride] = (place - foot) ** 2 + (values[foot] ?? 0);
  }
}

/** The parabolas that are lowest somewhere, and where each begins to be. */
function envelope(values: Float64Array): { readonly feet: number[]; readonly starts: number[] } {
  const feet: number[] = [];
  const starts: number[] = [];
  const meeting = (foot: number, place: number) =>
    ((values[place] ?? 0) + place * place - (values[foot] ?? 0) - foot * foot) / (2 * (place - foot));
  for (const [place, value] of values.entries()) {
    if (value === Number.POSITIVE_INFINITY) continue;
    while (feet.length > 0 && meeting(feet.at(-1) ?? 0, place) <= (starts.at(-1) ?? 0)) {
      feet.pop();
      starts.pop();
    }
    starts.push(feet.length === 0 ? Number.NEGATIVE_INFINITY : meeting(feet.at(-1) ?? 0, place));
    feet.push(place);
  }
  return { feet, starts };
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

/** Compares the borders of one class in two maps `[height, width]`. Ignored pixels must be out of the prediction already. */
export function surfaceScore(prediction: Labels, target: Labels, options: SurfaceOptions): SurfaceScore {
  const { tolerance = SURFACE_TOLERANCE } = options;
  const predicted = borderOf(prediction, options);
  const labelled = borderOf(target, options);
  if (predicted.rows.length === 0 && labelled.rows.length === 0) return { empty: "both", dice: 1, hausdorff95: 0 };
  if (predicted.rows.length === 0) return { empty: "prediction", dice: 0, hausdorff95: Number.NaN };
  if (labelled.rows.length === 0) return { empty: "target", dice: 0, hausdorff95: Number.NaN };
  const there = distances(predicted, labelled);
  const back = distances(labelled, predicted);
  const near = (values: Float64Array) => values.filter((distance) => distance <= tolerance).length;
  return {
    empty: "none",
    dice: (near(there) + near(back)) / (there.length + back.length),
    hausdorff95: Math.max(quantile(there, 0.95), quantile(back, 0.95)),
  };
}
