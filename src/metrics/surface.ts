import { IGNORE_LABEL } from "../labels.ts";
import { type Axes, type Axis, distances } from "./distance.ts";
import type { Labels } from "./totals.ts";

/** Which of the two maps does not hold the class. */
export type Emptiness = "none" | "both" | "prediction" | "target";

/**
 * Border agreement of one class in one image or volume, as MetricsReloaded computes `nsd` and `hd_perc` of 95: borders by
 * direct neighbours, the larger of the two directed percentiles, 0 for two empty maps.
 */
export interface SurfaceScore {
  readonly empty: Emptiness;
  /**
   * Share of both borders' pixels that lie within the tolerance of the other border, a fraction. Both maps empty: 1. One
   * empty: 0.
   */
  readonly dice: number;
  /**
   * 95 % Hausdorff distance in the unit of the spacing: the larger of the two directed 95th percentiles (linear
   * interpolation). Both maps empty: 0. One empty: NaN, there is no distance.
   */
  readonly hausdorff95: number;
}

interface SurfaceOptions {
  readonly label: number;
  readonly height: number;
  readonly width: number;
  /** Slices of a volume `[depth, height, width]`; left out, the maps are images `[height, width]`. */
  readonly depth?: number;
  /** Distance of neighbours along each axis of the maps, in their order; 1, a pixel, where left out. */
  readonly spacing?: readonly number[] | undefined;
  /** Distance by which borders may differ and still agree, in the unit of the spacing. */
  readonly tolerance?: number;
}

/** Tolerance of surface Dice: pixels at the evaluated size, or millimetres where the spacing is known. */
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

/** The axes from the fastest on that a distance goes along: rows, columns, and slices of a volume. */
function axesOf({ height, width, depth, spacing }: SurfaceOptions): Axes {
  const [column = 1, row = 1, slice = 1] = (spacing ?? []).toReversed();
  return [
    { extent: height, stride: width, spacing: row },
    { extent: width, stride: 1, spacing: column },
    { extent: depth ?? 1, stride: height * width, spacing: slice },
  ];
}

/** The places of a class's border pixels in the map. */
function borderOf(labels: Labels, options: SurfaceOptions): number[] {
  const { label, depth } = options;
  const axes = axesOf(options).slice(0, depth === undefined ? 2 : 3);
  const border: number[] = [];
  for (let at = 0; at < labels.length; at++) {
    if (labels[at] !== label) continue;
    if (!axes.every((axis) => isAmongOwn(labels, at, axis))) border.push(at);
  }
  return border;
}

/** Whether both neighbours along an axis have the label of the pixel itself. */
function isAmongOwn(labels: Labels, at: number, { extent, stride }: Axis): boolean {
  const place = Math.floor(at / stride) % extent;
  const label = labels[at];
  return place > 0 && place + 1 < extent && labels[at - stride] === label && labels[at + stride] === label;
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
 * Compares the borders of one class in two maps, `[height, width]` or `[depth, height, width]`. The border of a class: its
 * pixels with a direct neighbour (of a volume also in the slices beside) outside it; beyond the edge everything is outside.
 * Ignored pixels must be out of the prediction already.
 */
export function surfaceScore(prediction: Labels, target: Labels, options: SurfaceOptions): SurfaceScore {
  const { tolerance = SURFACE_TOLERANCE } = options;
  const predicted = borderOf(prediction, options);
  const labelled = borderOf(target, options);
  if (predicted.length === 0 && labelled.length === 0) return { empty: "both", dice: 1, hausdorff95: 0 };
  if (predicted.length === 0) return { empty: "prediction", dice: 0, hausdorff95: Number.NaN };
  if (labelled.length === 0) return { empty: "target", dice: 0, hausdorff95: Number.NaN };
  const axes = axesOf(options);
  const there = distances(predicted, labelled, axes);
  const back = distances(labelled, predicted, axes);
  const near = (values: Float64Array) => values.filter((distance) => distance <= tolerance).length;
  return {
    empty: "none",
    dice: (near(there) + near(back)) / (there.length + back.length),
    hausdorff95: Math.max(quantile(there, 0.95), quantile(back, 0.95)),
  };
}
