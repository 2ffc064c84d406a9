import { UsageError } from "../errors.ts";
import { add, scale } from "../kernels/ops/arithmetic.ts";
import { shrinkLabels } from "../kernels/ops/frame.ts";
import { binaryCrossEntropy } from "../kernels/ops/loss/binary-loss.ts";
import { focalLoss } from "../kernels/ops/loss/focal-loss.ts";
import { hardLabels } from "../kernels/ops/loss/hard-labels.ts";
import { crossEntropy, softDice } from "../kernels/ops/loss/loss.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import { bothAxes, nhwc } from "../kernels/trace/shape.ts";
import { targetInput } from "./keys.ts";
import { foregroundLoss, isRegionLoss, RegionTargets, regionLoss } from "./region-losses.ts";
import type { BinaryTarget, Head, LossSettings } from "./supervision.ts";

/**
 * The loss `[1]` of logits `[n, h, w, k]` against labels `[n, h, w]`: a cross-entropy, of all pixels, of hard ones (OHEM) or
 * focal, with soft Dice where it is asked for; or Tversky's. `weight` `[k]` holds the class weights: ones where classes
 * count alike. OHEM leaves easy pixels out of the cross-entropy, not of the Dice.
 */
export function trainingLoss(graph: Graph, logits: Value, label: Value, weight: Value, settings: LossSettings): Value {
  if (settings.kind === "tversky") return tverskyLoss(graph, logits, label, settings);
  const { dice } = settings;
  const entropy = entropyLoss(graph, logits, label, weight, settings);
  if (dice === 0) return entropy;
  const overlap = diceLoss(graph, logits, label, settings);
  return graph.apply(add, { x: entropy, y: graph.apply(scale, { x: overlap }, { factor: dice }) }, {});
}

function entropyLoss(graph: Graph, logits: Value, label: Value, weight: Value, settings: LossSettings): Value {
  const { kind, ignoreIndex, smoothing, focalGamma: gamma, ohemThreshold: threshold, ohemKept: kept } = settings;
  if (kind === "focal") return graph.apply(focalLoss, { logits, label, weight }, { ignoreIndex, gamma });
  const seen = kind === "ohem" ? graph.apply(hardLabels, { logits, label }, { threshold, kept, ignoreIndex }) : label;
  return graph.apply(crossEntropy, { logits, label: seen, weight }, { ignoreIndex, smoothing });
}

/**
 * 1 minus Tversky's index, of each class but the background over the pixels of the whole batch, averaged: of one class the
 * publication's loss.
 */
function tverskyLoss(graph: Graph, logits: Value, label: Value, settings: LossSettings): Value {
  const { ignoreIndex, diceSmooth: smooth, tverskyAlpha: alpha, tverskyBeta: beta } = settings;
  const { n, h, w, c } = nhwc("loss", "logits", logits.shape);
  const whole = { logits: graph.view(logits, [1, n * h, w, c]), label: graph.view(label, [1, n * h, w]) };
  return graph.apply(softDice, whole, { smooth, ignoreIndex, first: 1, alpha, beta, from: 1 });
}

function diceLoss(graph: Graph, logits: Value, label: Value, settings: LossSettings): Value {
  const { ignoreIndex, diceSmooth: smooth, diceOver, diceBackground } = settings;
  const attrs = diceBackground ? { smooth, ignoreIndex } : { smooth, ignoreIndex, first: 1 };
  if (diceOver === "image") return graph.apply(softDice, { logits, label }, attrs);
  const { n, h, w, c } = nhwc("loss", "logits", logits.shape);
  const whole = { logits: graph.view(logits, [1, n * h, w, c]), label: graph.view(label, [1, n * h, w]) };
  return graph.apply(softDice, whole, attrs);
}

/** The heads under other weights. UsageError, naming the outputs and their own weights, when these do not fit. */
export function weighted(heads: readonly Head[], weights: readonly number[] | null): readonly Head[] {
  if (weights === null) return heads;
  const own = heads.map(({ name, weight }) => `${name} ${Number(weight.toPrecision(4))}`).join(", ");
  const given = `--head-weights ${weights.join(",")}`;
  if (weights.length !== heads.length) {
    throw new UsageError(
      `${given}: give one weight for each output of the network, in the order of its own weights: ${own}`,
    );
  }
  if (!((weights[0] ?? 0) > 0)) {
    throw new UsageError(`${given}: the first output is the one that predicts and must weigh more than 0 (${own})`);
  }
  return heads.map((head, i) => ({ ...head, weight: weights[i] ?? 0 }));
}

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
  const targets = new RegionTargets(graph, settings.ignoreIndex);
  const truth = { label, weight, targets };
  const terms = heads
    .filter((head) => head.weight !== 0)
    .map((head, i) => {
      const loss = graph.scope(i === 0 ? "loss" : `loss.${i}`, () => headLoss(graph, head, truth, settings));
      return head.weight === 1 ? loss : graph.apply(scale, { x: loss }, { factor: head.weight });
    });
  return terms.reduce((x, y) => graph.apply(add, { x, y }, {}));
}

interface Truth {
  readonly label: Value;
  /** Class weights. */
  readonly weight: Value;
  readonly targets: RegionTargets;
}

/** Edges are no region: their map has cross-entropy whatever the loss. */
function headLoss(graph: Graph, head: Head, { label, weight, targets }: Truth, settings: LossSettings): Value {
  const { logits } = head;
  const { kind } = settings;
  if (head.kind !== "classes") {
    const truth = graph.input(targetInput(head.kind), logits.shape);
    if (head.kind === "foreground" && isRegionLoss(kind))
      return foregroundLoss(graph, kind, { logits, truth }, targets);
    return graph.apply(binaryCrossEntropy, { logits, truth }, {});
  }
  const { h: height, w: width } = nhwc("loss", "logits", logits.shape);
  const shrunk = { factor: head.shrink, height, width, outside: settings.ignoreIndex };
  const own = bothAxes(head.shrink).every((factor) => factor === 1)
    ? label
    : graph.apply(shrinkLabels, { label }, shrunk);
  if (isRegionLoss(kind)) return regionLoss(graph, kind, { logits, label: own }, targets);
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
