import { ShapeError } from "../../../errors.ts";
import { chunksOf, foldSums } from "../../shader/chunks.ts";
import { perInvocation, read, write } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { defineOp, FIRST_ORDER, NO_MACS } from "../../trace/op.ts";
import { lastOf, sameShape, sizeOf } from "../../trace/shape.ts";
import {
  type CrossEntropyAttrs,
  crossEntropySlope,
  crossEntropyValue,
  type SoftDiceAttrs,
  softDiceSlope,
  softDiceValue,
} from "./kernels.ts";
import { pixelShape, weightedPixelShape } from "./text.ts";

const crossEntropyGrad = defineOp<CrossEntropyAttrs>()({
  name: "crossEntropyGrad",
  inputs: ["grad", "logits", "label", "weight", "totals", "lse"],
  shape: ({ logits, label }) => {
    pixelShape("crossEntropyGrad", logits, label);
    return logits;
  },
  lower: crossEntropySlope,
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});

/**
 * Cross-entropy over all pixels that count, with class weights: the sum is divided by the sum of the weights of the
 * counted pixels' labels. Where nothing counts the loss and its gradient are zero (PyTorch's are NaN), so that a crop
 * without labels changes nothing. The extra outputs are [sum, divisor, sum of all class weights] and each pixel's log
 * of the sum of exponentials.
 */
export const crossEntropy = defineOp<CrossEntropyAttrs>()({
  name: "crossEntropy",
  inputs: ["logits", "label", "weight"],
  shape({ logits, label, weight }) {
    weightedPixelShape("crossEntropy", { logits, label, weight });
    return [1];
  },
  extra: ({ label }) => [[3], label],
  lower: crossEntropyValue,
  macs: NO_MACS,
  cost: FREE,
  derivative: {
    saves: ["logits", "label", "weight", "extra0", "extra1"],
    backward: (grad, { logits, label, weight, extra0: totals, extra1: lse }, { attrs, exec }) => ({
      logits: () => exec.apply(crossEntropyGrad, { grad, logits, label, weight, totals, lse }, attrs),
      label: null,
      weight: null,
    }),
  },
});

const softDiceGrad = defineOp<SoftDiceAttrs>()({
  name: "softDiceGrad",
  inputs: ["grad", "logits", "label", "sums", "lse"],
  shape: ({ logits, label }) => {
    pixelShape("softDiceGrad", logits, label);
    return logits;
  },
  lower: softDiceSlope,
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});

/**
 * `from` (0) minus the soft Dice score, `(2 sum p y + smooth) / (sum p + sum y + smooth)` for every sample and class (background
 * included), averaged. With `alpha` and `beta` it is Tversky's index instead (Salehi et al. 2017, arXiv:1706.05721), where
 * alpha weighs false positives and beta false negatives: `(2 h + smooth) / (2 (h + alpha (sum p - h) + beta (sum y - h)) +
 * smooth)`, h = sum p y. The extra outputs are [n, 2, classes], sums of p y and of the divisor, and each pixel's log-sum-exp.
 */
export const softDice = defineOp<SoftDiceAttrs>()({
  name: "softDice",
  inputs: ["logits", "label"],
  shape({ logits, label }) {
    pixelShape("softDice", logits, label);
    return [1];
  },
  extra: ({ logits: [samples = 1, ...rest], label }) => [[samples, 2, lastOf(rest)], label],
  lower: softDiceValue,
  macs: NO_MACS,
  cost: FREE,
  derivative: {
    saves: ["logits", "label", "extra0", "extra1"],
    backward: (grad, { logits, label, extra0: sums, extra1: lse }, { attrs, exec }) => ({
      logits: () => exec.apply(softDiceGrad, { grad, logits, label, sums, lse }, attrs),
      label: null,
    }),
  },
});

/** The index of the largest number along the last axis, the first of equal ones. */
export const argmaxLast = defineOp<unknown>()({
  name: "argmaxLast",
  inputs: ["x"],
  shape({ x }) {
    if (lastOf(x) < 1) throw new ShapeError(`argmaxLast: x [${x}] has nothing along its last axis`);
    return x.slice(0, -1);
  },
  dtype: "i32",
  lower: ({ inputs: { x }, out, target }) => [
    perInvocation({
      label: "argmaxLast",
      target,
      count: sizeOf(out.shape),
      type: "f32",
      tensors: { x: read(x), out: write(out) },
      sizes: { classes: lastOf(x.shape) },
      body: `  let base = i * args.classes;
  var best = 0u;
  var highest = x_at(base);
  for (var c = 1u; c < args.classes; c++) {
    let v = x_at(base + c);
    if (v > highest) { highest = v; best = c; }
  }
  out_set(i, i32(best));`,
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  derivative: "an index does not change smoothly",
});

/**
 * Pixels of each class [3, classes]: in both prediction and label, in the prediction, in the label. Pixels labelled
 * `ignoreIndex` are left out of all three.
 */
export const segmentationCounts = defineOp<{ readonly classes: number; readonly ignoreIndex: number }>()({
  name: "segmentationCounts",
  inputs: ["prediction", "label"],
  shape({ prediction, label }, { classes }) {
    if (!sameShape(prediction, label)) {
      throw new ShapeError(`segmentationCounts: prediction [${prediction}] and label [${label}] differ`);
    }
    return [3, classes];
  },
  dtype: "u32",
  lower({ inputs: { prediction, label }, out, attrs: { classes, ignoreIndex }, target, scratch }) {
    const { chunks, base, rest } = chunksOf(sizeOf(label.shape), classes, target);
    const partials = scratch([chunks, 3, classes], "u32");
    return [
      perInvocation({
        label: "segmentationCounts",
        target,
        count: chunks * classes,
        type: "u32",
        tensors: { prediction: read(prediction), label: read(label), partials: write(partials) },
        sizes: { classes, chunks, base, rest, ignore: ignoreIndex >>> 0 },
        body: `  let c = i32(i % args.classes);
  let chunk = i / args.classes;
  let rows = args.base + select(0u, 1u, chunk < args.rest);
  var both = 0u;
  var predicted = 0u;
  var true_ones = 0u;
  for (var turn = 0u; turn < rows; turn++) {
    let pixel = chunk + turn * args.chunks;
    let truth = label_at(pixel);
    let counts = truth != bitcast<i32>(args.ignore);
    let said = counts && prediction_at(pixel) == c;
    let real = counts && truth == c;
    both += select(0u, 1u, said && real);
    predicted += select(0u, 1u, said);
    true_ones += select(0u, 1u, real);
  }
  let at = 3u * chunk * args.classes + u32(c);
  partials_set(at, both);
  partials_set(at + args.classes, predicted);
  partials_set(at + 2u * args.classes, true_ones);`,
      }),
      ...foldSums({
        label: "segmentationCounts",
        target,
        scratch,
        partials,
        parts: chunks,
        outer: 1,
        columns: 3 * classes,
        outs: [out],
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  derivative: "counts do not change smoothly",
});
