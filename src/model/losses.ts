import type { Graph } from "../kernels/graph.ts";
import type { Value } from "../kernels/op.ts";
import { add, scale } from "../kernels/ops/arithmetic.ts";
import { binaryCrossEntropy } from "../kernels/ops/binary-loss.ts";
import { shrinkLabels } from "../kernels/ops/frame.ts";
import { crossEntropy, softDice } from "../kernels/ops/loss.ts";
import { bothAxes, nhwc } from "../kernels/shape.ts";
import type { BinaryTarget, Head } from "./definition.ts";

export interface LossSettings {
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
  ignoreIndex: 255,
  smoothing: 0,
  dice: 0,
  diceSmooth: 1,
  diceOver: "image",
  diceBackground: true,
};

/**
 * The training loss `[1]` of logits `[n, h, w, k]` against labels `[n, h, w]`. `weight` `[k]` holds the class weights: ones
 * where classes count alike.
 */
export function trainingLoss(graph: Graph, logits: Value, label: Value, weight: Value, settings: LossSettings): Value {
  const { ignoreIndex, smoothing, dice } = settings;
  const entropy = graph.apply(crossEntropy, { logits, label, weight }, { ignoreIndex, smoothing });
  if (dice === 0) return entropy;
  const overlap = diceLoss(graph, logits, label, settings);
  return graph.apply(add, { x: entropy, y: graph.apply(scale, { x: overlap }, { factor: dice }) }, {});
}

function diceLoss(graph: Graph, logits: Value, label: Value, settings: LossSettings): Value {
  const { ignoreIndex, diceSmooth: smooth, diceOver, diceBackground } = settings;
  const attrs = diceBackground ? { smooth, ignoreIndex } : { smooth, ignoreIndex, first: 1 };
  if (diceOver === "image") return graph.apply(softDice, { logits, label }, attrs);
  const { n, h, w, c } = nhwc("loss", "logits", logits.shape);
  const whole = { logits: graph.view(logits, [1, n * h, w, c]), label: graph.view(label, [1, n * h, w]) };
  return graph.apply(softDice, whole, attrs);
}

/** Name of the input `[n, h, w, 1]` that a binary head is compared with; {@link targetMap} makes it. */
export const targetInput = (kind: BinaryTarget): string => `target ${kind}`;

/** The binary targets that the heads of a network ask for. */
export function targetsOf(heads: readonly Head[]): BinaryTarget[] {
  return [...new Set(heads.flatMap(({ kind, weight }) => (kind === "classes" || weight === 0 ? [] : [kind])))];
}

/**
 * The training loss `[1]` of all heads, each by its weight. A head of weight 0 is left out: its layers do not train.
 * Inputs beside `label` are those of {@link targetsOf}.
 */
export function networkLoss(
  graph: Graph,
  heads: readonly Head[],
  label: Value,
  weight: Value,
  settings: LossSettings,
): Value {
  const terms = heads
    .filter((head) => head.weight !== 0)
    .map((head, i) => {
      const loss = graph.scope(i === 0 ? "loss" : `loss.${i}`, () => headLoss(graph, head, label, weight, settings));
      return head.weight === 1 ? loss : graph.apply(scale, { x: loss }, { factor: head.weight });
    });
  return terms.reduce((x, y) => graph.apply(add, { x, y }, {}));
}

function headLoss(graph: Graph, head: Head, label: Value, weight: Value, settings: LossSettings): Value {
  const { logits } = head;
  if (head.kind !== "classes") {
    const truth = graph.input(targetInput(head.kind), logits.shape);
    return graph.apply(binaryCrossEntropy, { logits, truth }, {});
  }
  const { h: height, w: width } = nhwc("loss", "logits", logits.shape);
  const shrunk = { factor: head.shrink, height, width, outside: settings.ignoreIndex };
  const own = bothAxes(head.shrink).every((factor) => factor === 1)
    ? label
    : graph.apply(shrinkLabels, { label }, shrunk);
  return trainingLoss(graph, logits, own, weight, settings);
}

/**
 * The target of a binary head from labels of `height` x `width` images. `edges`: 1 where the pixel to the right or below
 * has another label, ignored ones being a label like others. `foreground`: 1 for every class but the background, -1
 * (does not count) where labels are ignored.
 */
export function targetMap(
  kind: BinaryTarget,
  labels: Int32Array,
  { height, width, ignoreIndex }: { readonly height: number; readonly width: number; readonly ignoreIndex: number },
): Float32Array {
  if (kind === "foreground") {
    return Float32Array.from(labels, (label) => (label === ignoreIndex ? -1 : label === 0 ? 0 : 1));
  }
  return Float32Array.from(labels, (label, at) => {
    const right = at % width < width - 1 && labels[at + 1] !== label;
    const below = Math.floor(at / width) % height < height - 1 && labels[at + width] !== label;
    return right || below ? 1 : 0;
  });
}
