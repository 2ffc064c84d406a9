import { ShapeError } from "../../../errors.ts";
import { chunksOf, foldSums } from "../../shader/chunks.ts";
import { elementwise, perInvocation, read, write } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { defineOp, FIRST_ORDER, NO_MACS } from "../../trace/op.ts";
import { sameShape, sizeOf } from "../../trace/shape.ts";

/**
 * Of a logit `v` and what is wanted, in [0, 1]: `entropy` is the cross-entropy of sigmoid(v), `slope` its derivative
 * sigmoid(v) - wanted, and `yes` sigmoid(v) itself; small ones of `yes(v)` and `yes(-v)` keep all their digits.
 */
export const BINARY = `fn entropy(v: f32, wanted: f32) -> f32 {
  return max(v, 0.0) - v * wanted + log(1.0 + exp(-abs(v)));
}
fn yes(v: f32) -> f32 {
  let small = exp(-abs(v));
  return select(small, 1.0, v >= 0.0) / (1.0 + small);
}
fn slope(v: f32, wanted: f32) -> f32 { return (1.0 - wanted) * yes(v) - wanted * yes(-v); }`;

const binaryCrossEntropyGrad = defineOp<unknown>()({
  name: "binaryCrossEntropyGrad",
  inputs: ["grad", "logits", "truth", "totals"],
  shape: ({ logits }) => logits,
  lower: ({ inputs: { grad, logits, truth, totals }, out, target }) => [
    elementwise({
      label: "binaryCrossEntropyGrad",
      target,
      out,
      wide: false,
      tensors: { grad: read(grad), logits: read(logits), truth: read(truth), totals: read(totals) },
      functions: BINARY,
      body: `  let wanted = truth_at(i);
  if (wanted < 0.0) { return 0.0; }
  return grad_at(0u) / totals_at(1u) * slope(logits_at(i), wanted);`,
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});

/**
 * Mean over all elements of the cross-entropy of `sigmoid(logits)` with `truth` in [0, 1]. Elements whose truth is
 * below zero do not count; where none counts the loss and its gradient are zero. The extra output is [sum, count].
 */
export const binaryCrossEntropy = defineOp<unknown>()({
  name: "binaryCrossEntropy",
  inputs: ["logits", "truth"],
  shape({ logits, truth }) {
    if (!sameShape(logits, truth)) {
      throw new ShapeError(`binaryCrossEntropy: logits [${logits}] and truth [${truth}] differ`);
    }
    return [1];
  },
  extra: () => [[2]],
  lower({ inputs: { logits, truth }, out, extra: [totals = out], target, scratch }) {
    const { chunks, base, rest } = chunksOf(sizeOf(logits.shape), 1, target);
    const partials = scratch([chunks, 2]);
    const label = "binaryCrossEntropy";
    return [
      perInvocation({
        label,
        target,
        count: chunks,
        type: "f32",
        tensors: { logits: read(logits), truth: read(truth), partials: write(partials) },
        sizes: { base, rest },
        functions: BINARY,
        body: `  let rows = args.base + select(0u, 1u, i < args.rest);
  var sum = 0.0;
  var counted = 0.0;
  for (var turn = 0u; turn < rows; turn++) {
    let at = i + turn * args.count;
    let wanted = truth_at(at);
    let counts = wanted >= 0.0;
    sum += select(0.0, entropy(logits_at(at), wanted), counts);
    counted += select(0.0, 1.0, counts);
  }
  partials_set(2u * i, sum);
  partials_set(2u * i + 1u, counted);`,
      }),
      ...foldSums({ label, target, scratch, partials, parts: chunks, outer: 1, columns: 2, outs: [totals] }),
      perInvocation({
        label: "binaryCrossEntropy mean",
        target,
        count: 1,
        type: "f32",
        tensors: { totals: read(totals), out: write(out) },
        body: "  out_set(i, totals_at(0u) / max(totals_at(1u), 1.0));",
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  derivative: {
    saves: ["logits", "truth", "extra0"],
    backward: (grad, { logits, truth, extra0: totals }, { exec }) => ({
      logits: () => exec.apply(binaryCrossEntropyGrad, { grad, logits, truth, totals }, {}),
      truth: null,
    }),
  },
});
