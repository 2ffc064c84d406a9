import type { Value } from "../kernels/trace/op.ts";
import type { PerAxis } from "../kernels/trace/shape.ts";
import { IGNORE_LABEL } from "../labels.ts";
import { REGION_LOSSES } from "./region-losses.ts";

/**
 * An output that the training loss looks at, named by the layer that makes it. `classes` logits `[n, h, w, k]` are
 * compared with the labels, shrunk by `shrink` first; `edges` and `foreground` logits `[n, h, w, 1]` with maps that the
 * host makes from the labels.
 */
export type Head = { readonly name: string; readonly logits: Value; readonly weight: number } & (
  | { readonly kind: "classes"; readonly shrink: PerAxis }
  | { readonly kind: BinaryTarget }
);

export type BinaryTarget = "edges" | "foreground";

/**
 * What an output is trained with: cross-entropy of all pixels or of hard ones (OHEM), the focal loss, Tversky's, or a
 * {@link REGION_LOSSES}.
 */
export const LOSSES = ["cross-entropy", "ohem", "focal", "tversky", ...REGION_LOSSES] as const;
export type LossKind = (typeof LOSSES)[number];

export interface LossSettings {
  readonly kind: LossKind;
  /** One weight an output, in the network's order; null leaves the network's own. */
  readonly headWeights: readonly number[] | null;
  /** OHEM: pixels whose label is less probable than this are hard. */
  readonly ohemThreshold: number;
  /** OHEM: as many pixels of a batch are hard at least. */
  readonly ohemKept: number;
  /** Focal loss: the power of 1 - p by which pixels already sure count less (Lin et al. 2017: 2). */
  readonly focalGamma: number;
  /** Tversky: what a false positive and a false negative count (Salehi et al. 2017: best 0.3 and 0.7). */
  readonly tverskyAlpha: number;
  readonly tverskyBeta: number;
  /** Label of pixels that count for nothing. */
  readonly ignoreIndex: number;
  /** Share of the target spread evenly over all classes. */
  readonly smoothing: number;
  /** Weight of the soft Dice loss beside the cross-entropy; 0 leaves it out. */
  readonly dice: number;
  /** Added to both sides of the soft Dice fraction. */
  readonly diceSmooth: number;
  /** Score the batch as one image, as nnU-Net does in two dimensions, or each image by itself. */
  readonly diceOver: "image" | "batch";
  /** Whether the background is scored as a class. */
  readonly diceBackground: boolean;
}

export const DEFAULT_LOSS: LossSettings = {
  kind: "cross-entropy",
  headWeights: null,
  ohemThreshold: 0.9,
  ohemKept: 131072,
  focalGamma: 2,
  tverskyAlpha: 0.3,
  tverskyBeta: 0.7,
  ignoreIndex: IGNORE_LABEL,
  smoothing: 0,
  dice: 0,
  diceSmooth: 1,
  diceOver: "image",
  diceBackground: true,
};
