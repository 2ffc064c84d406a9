/**
 * Allowed absolute difference of one value. `largest` is the largest absolute golden value of the tensor, `golden` the
 * golden value at hand.
 */
export type Tolerance = (largest: number, golden: number) => number;

const shareOfLargest =
  (share: number): Tolerance =>
  (largest) =>
    share * largest;

/** How far each kind of number may be from its golden value: float32 on a GPU sums in another order than the oracle. */
export const TOLERANCE = {
  /** Outputs and gradients of single ops. */
  op: (largest) => 2e-5 * Math.max(1, largest),
  /** Byte-exact pictures. */
  image: () => 0,
  /** AdamW, schedules, and parameters after one step from the recorded gradients. */
  update: shareOfLargest(1e-6),
  /** Whole networks: evaluation outputs, intermediates and losses. */
  evaluation: shareOfLargest(1e-4),
  /** Whole networks: outputs of a training pass. */
  training: shareOfLargest(2e-4),
  /** Running statistics and buffers after a training pass. */
  statistics: shareOfLargest(1e-4),
  /** Counts of pixels, images and objects. */
  count: () => 0,
  /** Every other metric. */
  metric: (_largest, golden) => 1e-5 * Math.abs(golden),
} as const satisfies Record<string, Tolerance>;

/**
 * Gradients of whole networks, given the largest absolute gradient entry of the network: two bounds, both of which must
 * hold. The second keeps gradients that are zero in exact arithmetic from being compared relatively.
 */
export function gradientTolerance(largestOfNetwork: number): Tolerance {
  return (largest) => Math.min(1e-3 * largestOfNetwork, 5e-3 * Math.max(largest, 1e-3 * largestOfNetwork));
}
