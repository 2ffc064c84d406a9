import { ShapeError } from "../../../errors.ts";
import { perInvocation, read, write } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { type Dispatch, defineOp, FIRST_ORDER, type LowerCall, NO_MACS } from "../../trace/op.ts";
import { lastOf, sizeOf } from "../../trace/shape.ts";
import { pixelSums, type WeightedPixels } from "./pixel-sums.ts";
import { COUNTED, pixelShape, unsigned, weightedPixelShape } from "./text.ts";

interface FocalAttrs {
  /** Pixels with this label do not count. Neither do labels outside the classes. */
  readonly ignoreIndex: number;
  /** How little sure pixels count: 0 is the cross-entropy. At least 0. */
  readonly gamma: number;
}

/**
 * Of pixel `p` with a label: `missing` is 1 - its probability, the others' share, summed and so exact near 0; `certainty` the log of
 * the probability, from that share where the probability is near 1; `focus` is (1 - probability) ^ gamma.
 */
const PIXEL = `fn missing(p: u32, truth: u32, all: f32) -> f32 {
  var sum = 0.0;
  for (var c = 0u; c < args.classes; c++) {
    if (c != truth) { sum += exp(logits_at(p * args.classes + c) - all); }
  }
  return min(sum, 1.0);
}
fn certainty(p: u32, truth: u32, all: f32, rest: f32) -> f32 {
  if (rest < 0.01) { return -rest * (1.0 + rest * (0.5 + rest * (0.33333333 + rest * 0.25))); }
  if (rest < 0.5) { return log(1.0 - rest); }
  return logits_at(p * args.classes + truth) - all;
}
fn focus(rest: f32) -> f32 { return pow(max(rest, 1e-37), args.gamma); }`;

function focalValue(call: LowerCall<WeightedPixels, FocalAttrs>): Dispatch[] {
  const { out, extra, attrs, target } = call;
  const [totals = out, lse = out] = extra;
  const each = `      let rest = missing(pixel, u32(truth), all);
      sum -= own * focus(rest) * certainty(pixel, u32(truth), all, rest);`;
  const floats = { gamma: attrs.gamma };
  return [
    ...pixelSums(call, { name: "focalLoss", sums: totals, lse, floats, functions: PIXEL, each }),
    perInvocation({
      label: "focalLoss mean",
      target,
      count: 1,
      type: "f32",
      tensors: { totals: read(totals), out: write(out) },
      body: `  let divisor = totals_at(1u);
  if (divisor == 0.0) { out_set(0u, 0.0); } else { out_set(0u, totals_at(0u) / divisor); }`,
    }),
  ];
}

const focalLossGrad = defineOp<FocalAttrs>()({
  name: "focalLossGrad",
  inputs: ["grad", "logits", "label", "weight", "totals", "lse"],
  shape: ({ logits, label }) => {
    pixelShape("focalLossGrad", logits, label);
    return logits;
  },
  lower({ inputs: { grad, logits, label, weight, totals, lse }, out, attrs, target }) {
    return [
      perInvocation({
        label: "focalLossGrad",
        target,
        count: sizeOf(label.shape),
        type: "f32",
        tensors: {
          grad: read(grad),
          logits: read(logits),
          label: read(label),
          weight: read(weight),
          totals: read(totals),
          lse: read(lse),
          out: write(out),
        },
        sizes: { classes: lastOf(logits.shape), ignore: unsigned(attrs.ignoreIndex) },
        floats: { gamma: attrs.gamma },
        functions: `${COUNTED}\n${PIXEL}`,
        // d/dz_c = (1 - p)^gamma (gamma p log(p) / (1 - p) - 1) (hit - p_c); log(p) / (1 - p) goes to -1 where p goes to 1.
        body: `  let truth = label_at(i);
  let divisor = totals_at(1u);
  let base = i * args.classes;
  if (!counted(truth) || divisor == 0.0) {
    for (var c = 0u; c < args.classes; c++) { out_set(base + c, 0.0); }
    return;
  }
  let all = lse_at(i);
  let rest = missing(i, u32(truth), all);
  var steep = -1.0;
  if (rest > 0.0) { steep = certainty(i, u32(truth), all, rest) / rest; }
  let slope = focus(rest) * (args.gamma * (1.0 - rest) * steep - 1.0);
  let upstream = grad_at(0u) / divisor * weight_at(u32(truth)) * slope;
  for (var c = 0u; c < args.classes; c++) {
    let pull = select(-exp(logits_at(base + c) - all), rest, c == u32(truth));
    out_set(base + c, upstream * pull);
  }`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});

/**
 * The focal loss (Lin et al. 2017, arXiv:1708.02002) of logits `[.., classes]` against labels `[..]`:
 * `-(1 - p)^gamma log p` of the label's softmax probability p, averaged over the pixels that count by the class weights
 * `weight` `[classes]`, as `crossEntropy` averages: with gamma 0 it is that loss. Where nothing counts the loss and its
 * gradient are zero. The extra outputs are [sum, divisor] and each pixel's log of the sum of exponentials.
 */
export const focalLoss = defineOp<FocalAttrs>()({
  name: "focalLoss",
  inputs: ["logits", "label", "weight"],
  shape({ logits, label, weight }, { gamma }) {
    weightedPixelShape("focalLoss", { logits, label, weight });
    if (!(gamma >= 0)) throw new ShapeError(`focalLoss: gamma ${gamma} must be at least 0`);
    return [1];
  },
  extra: ({ label }) => [[2], label],
  lower: focalValue,
  macs: NO_MACS,
  cost: FREE,
  derivative: {
    saves: ["logits", "label", "weight", "extra0", "extra1"],
    backward: (grad, { logits, label, weight, extra0: totals, extra1: lse }, { attrs, exec }) => ({
      logits: () => exec.apply(focalLossGrad, { grad, logits, label, weight, totals, lse }, attrs),
      label: null,
      weight: null,
    }),
  },
});
