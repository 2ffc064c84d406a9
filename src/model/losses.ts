import type { Graph } from "../kernels/graph.ts";
import type { Value } from "../kernels/op.ts";
import { add, scale } from "../kernels/ops/arithmetic.ts";
import { crossEntropy, softDice } from "../kernels/ops/loss.ts";

export interface LossSettings {
  /** Label of pixels that count for nothing. */
  readonly ignoreIndex: number;
  /** Share of the target spread evenly over all classes. */
  readonly smoothing: number;
  /** Weight of the soft Dice loss beside the cross-entropy; 0 leaves it out. */
  readonly dice: number;
  /** Added to both sides of the soft Dice fraction. */
  readonly diceSmooth: number;
}

export const DEFAULT_LOSS: LossSettings = { ignoreIndex: 255, smoothing: 0, dice: 0, diceSmooth: 1 };

/**
 * The training loss `[1]` of logits `[n, h, w, k]` against labels `[n, h, w]`. `weight` `[k]` holds the class weights: ones
 * where classes count alike.
 */
export function trainingLoss(graph: Graph, logits: Value, label: Value, weight: Value, settings: LossSettings): Value {
  return graph.scope("loss", () => {
    const { ignoreIndex, smoothing, dice, diceSmooth: smooth } = settings;
    const entropy = graph.apply(crossEntropy, { logits, label, weight }, { ignoreIndex, smoothing });
    if (dice === 0) return entropy;
    const overlap = graph.apply(softDice, { logits, label }, { smooth, ignoreIndex });
    return graph.apply(add, { x: entropy, y: graph.apply(scale, { x: overlap }, { factor: dice }) }, {});
  });
}
