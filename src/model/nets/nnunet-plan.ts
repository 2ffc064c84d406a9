import type { Fingerprint, PatchPlan } from "../definition.ts";

/** Rows and columns a stage steps over. */
export type StageStride = readonly [down: number, across: number];

interface Topology {
  /** One a stage, the first [1, 1]. */
  readonly strides: readonly StageStride[];
  /** What each side of an image must be a multiple of. */
  readonly multiple: StageStride;
}

/** A side is halved while it keeps this many pixels. */
const SHORTEST = 4;
/** A side that is halved alone keeps more. */
const SHORTEST_ALONE = 6;
/** No patch is larger than this to begin with. */
const LARGEST = 2048;
const FEATURES = { first: 32, most: 512 } as const;
/** Values in the feature maps of one image that a batch of 12 of fits into 8 GB. */
const BUDGET = { values: 85e6, batch: 12 } as const;
const SMALLEST_BATCH = 2;
/** Share of the data set's pixels that a batch may show. */
const LARGEST_SHARE = 0.05;

/** Channels of every stage: doubled from `first` on, to sixteen times as many at most. */
export function plannedFeatures(stages: number, first: number = FEATURES.first): number[] {
  const most = (first * FEATURES.most) / FEATURES.first;
  return Array.from({ length: stages }, (_, i) => Math.min(first * 2 ** i, most));
}

/** The stages for a patch: both sides are halved together while they are long enough, then the longer one alone. */
export function topologyOf(height: number, width: number): Topology {
  const strides: StageStride[] = [[1, 1]];
  let [h, w] = [height, width];
  for (;;) {
    const step: StageStride = [h >= 2 * SHORTEST ? 2 : 1, w >= 2 * SHORTEST ? 2 : 1];
    const alone = step[0] !== step[1];
    if (alone ? Math.max(h, w) < 2 * SHORTEST_ALONE : step[0] === 1) break;
    strides.push(step);
    [h, w] = [Math.ceil(h / step[0]), Math.ceil(w / step[1])];
  }
  return { strides, multiple: product(strides) };
}

/** How many times each side is shortened by all stages together. */
export function product(strides: readonly StageStride[]): StageStride {
  return strides.reduce<StageStride>(([down, across], step) => [down * step[0], across * step[1]], [1, 1]);
}

/** Values in all feature maps that convolutions make of one patch: what stands for memory in the planner. */
function featureValues(height: number, width: number, strides: readonly StageStride[], classes: number): number {
  const features = plannedFeatures(strides.length);
  let pixels = height * width;
  let total = classes * pixels;
  for (const [i, [down, across]] of strides.entries()) {
    pixels /= down * across;
    // Two convolutions on the way down; on the way up, but for the lowest stage, two more and a transposed one.
    total += (i === strides.length - 1 ? 2 : 5) * (features[i] ?? 0) * pixels;
  }
  return total;
}

const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;

/** To the nearest whole number, halves to the even one, as Python rounds. */
function rounded(value: number): number {
  const below = Math.floor(value);
  const apart = value - below;
  return apart > 0.5 || (apart === 0.5 && below % 2 === 1) ? below + 1 : below;
}

/**
 * nnU-Net's planning rule in two dimensions (version 2, the plan for 8 GB): patch, stages and batch from what a data
 * set is like. The patch is the median image or as much of its shape as the memory allows, the batch as many images as
 * then still fit, but no more than a twentieth of the data. Pixels are square, so that only sizes decide.
 */
export function planFor({ height, width, images, classes }: Fingerprint): PatchPlan {
  const median = [height, width] as const;
  const padded = (sides: readonly [number, number]) => {
    const topology = topologyOf(...sides);
    const [h, w] = [roundUp(sides[0], topology.multiple[0]), roundUp(sides[1], topology.multiple[1])];
    return { ...topology, sides: [h, w] as const, values: featureValues(h, w, topology.strides, classes) };
  };
  let patch = padded([Math.min(height, LARGEST), Math.min(width, LARGEST)]);
  while (patch.values > BUDGET.values) {
    // The side that is longest for the median image gives way, by what its stages need once it is shorter.
    const axis = patch.sides[1] / median[1] >= patch.sides[0] / median[0] ? 1 : 0;
    const less = (sides: readonly [number, number], by: number): readonly [number, number] =>
      axis === 0 ? [sides[0] - by, sides[1]] : [sides[0], sides[1] - by];
    const shorter = topologyOf(...less(patch.sides, patch.multiple[axis]));
    patch = padded(less(patch.sides, shorter.multiple[axis]));
  }
  const fits = rounded((BUDGET.values / patch.values) * BUDGET.batch);
  const [h, w] = patch.sides;
  const share = rounded((height * width * images * LARGEST_SHARE) / (h * w));
  return { height: h, width: w, batch: Math.max(Math.min(fits, share), SMALLEST_BATCH) };
}
