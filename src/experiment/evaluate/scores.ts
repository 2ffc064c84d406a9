import type { CheckedSample } from "../../data/dataset/check-dataset.ts";
import type { Size } from "../../data/image/image.ts";
import type { CasesResult } from "../../metrics/cases.ts";
import type { ImageResult, StratumResult } from "../../metrics/evaluation.ts";
import type { ExtendedOptions, ExtendedResult } from "../../metrics/extended.ts";
import type { ImageObjects, ObjectScores } from "../../metrics/object-scores.ts";
import type { AreaRule } from "../../metrics/objects.ts";
import type { RocCurve } from "../../metrics/roc.ts";
import type { PixelCertainty } from "../../objects/measure.ts";
import type { PartingDepths } from "../../objects/split.ts";

/**
 * The size at which predictions and masks were compared: `native`, each image's own, which is what `predict` writes; or one
 * size that all were stretched to, as the paper does.
 */
export type ScoredAt = "native" | Size;

/** `native`, or `128x128` (width x height): as files name it. */
export const scoredAtName = (at: ScoredAt): string => (at === "native" ? at : `${at.width}x${at.height}`);

/** The same for a sentence: `at their own size`, `at 128x128`. */
export const scoredAtText = (at: ScoredAt): string =>
  at === "native" ? "at their own size" : `at ${scoredAtName(at)}`;

/** What is counted, at whatever size. */
export interface ScoreOptions {
  readonly samples: readonly CheckedSample[];
  readonly classes: number;
  /** Also gather the ROC curves. Needs probabilities. */
  readonly roc?: boolean;
  /** Area rule and upper limits (percent) of the size strata; the paper's when left out. */
  readonly area?: AreaRule;
  readonly limits?: readonly number[];
  /** Also match objects, compare borders and draw intervals. */
  readonly extended?: Omit<ExtendedOptions, "classes" | "unit">;
  readonly onImage?: (done: number, total: number, image: EvaluatedMap) => void | Promise<void>;
}

/** One evaluated image as `onImage` sees it; the maps are `[height, width]` at the evaluated size. */
export interface EvaluatedMap {
  readonly sample: CheckedSample;
  readonly prediction: Int32Array | Uint8Array;
  readonly target: Int32Array | Uint8Array;
  readonly height: number;
  readonly width: number;
  /** How sure the prediction is of each pixel, where that was asked for. */
  readonly certainty?: PixelCertainty | undefined;
  /** 1 where the network sees a border between objects. */
  readonly borders?: Uint8Array | undefined;
}

/** Where the objects of the label maps come from: numbered ones, connected components of the masks, or some of both. */
export type ObjectTruth = "instances" | "components" | "mixed";

/** Scores of single objects, and what they were compared with. */
export interface ObjectResult extends ObjectScores {
  readonly truth: ObjectTruth;
  /** By foreground class: how touching predicted objects were parted, in pixels; null: not. */
  readonly depths: PartingDepths;
  readonly images: readonly ImageObjects[];
}

export interface EvaluationResult {
  /** The size at which predictions and masks were compared. */
  readonly scoredAt: ScoredAt;
  readonly strata: Readonly<Record<string, StratumResult>>;
  readonly images: readonly ImageResult[];
  /** Names of the images that are ignored as a whole: they count nowhere. */
  readonly ignored: readonly string[];
  /** Foreground against background. */
  readonly roc?: RocCurve;
  /** Every foreground class against the rest, pooled; only with more than one. */
  readonly rocClasses?: RocCurve;
  readonly extended?: ExtendedResult;
  /** Volumes, each as one case; only where the set says which slices make one. */
  readonly cases?: CasesResult;
  /** Single objects, where images were scored at their own size. */
  readonly objects?: ObjectResult;
  /** Mean cross-entropy of a pixel, where it was asked for. */
  readonly loss?: number;
}
