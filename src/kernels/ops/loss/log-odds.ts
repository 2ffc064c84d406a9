import { ShapeError } from "../../../errors.ts";
import { perInvocation, read, write } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { defineOp, FIRST_ORDER, NO_MACS } from "../../trace/op.ts";
import { lastOf, sizeOf } from "../../trace/shape.ts";

/**
 * Declares what the log-odds of a row of logits are made from without a difference of near numbers: the largest logit,
 * the largest of the others, and the others' sum of exponentials relative to it. `others(r, v)` is the sum of
 * exponentials of all but a class of logit `v`, not itself the largest, relative to the largest.
 */
const ROW = `struct Row { best: u32, highest: f32, second: f32, sum: f32, spread: f32 }
fn row(base: u32) -> Row {
  var r = Row(0u, logits_at(base), 0.0, 0.0, 0.0);
  for (var c = 1u; c < args.classes; c++) {
    let v = logits_at(base + c);
    if (v > r.highest) { r.highest = v; r.best = c; }
  }
  r.second = logits_at(base + select(0u, 1u, r.best == 0u));
  for (var c = 0u; c < args.classes; c++) {
    if (c != r.best) { r.second = max(r.second, logits_at(base + c)); }
  }
  for (var c = 0u; c < args.classes; c++) {
    if (c != r.best) { r.sum += exp(logits_at(base + c) - r.second); }
  }
  r.spread = r.sum * exp(r.second - r.highest);
  return r;
}
fn others(r: Row, v: f32) -> f32 { return 1.0 + (r.spread - exp(v - r.highest)); }`;

const logOddsGrad = defineOp<unknown>()({
  name: "logOddsGrad",
  inputs: ["grad", "logits"],
  shape: ({ logits }) => logits,
  lower({ inputs: { grad, logits }, out, target }) {
    const classes = lastOf(logits.shape);
    return [
      perInvocation({
        label: "logOddsGrad",
        target,
        count: sizeOf(logits.shape) / classes,
        type: "f32",
        tensors: { grad: read(grad), logits: read(logits), out: write(out) },
        sizes: { classes },
        functions: `${ROW}
fn own(i: u32, c: u32) -> f32 {
  if (c == 0u) { return 0.0; }
  return grad_at(i * (args.classes - 1u) + c - 1u);
}`,
        // A class moves its own odds by 1 and those of every other class by minus its share of that class's others.
        body: `  let base = i * args.classes;
  let r = row(base);
  var pulls = 0.0;
  for (var c = 1u; c < args.classes; c++) {
    if (c != r.best) { pulls += own(i, c) / others(r, logits_at(base + c)); }
  }
  for (var c = 0u; c < args.classes; c++) {
    let v = logits_at(base + c);
    var slope = own(i, c);
    if (c == r.best) {
      slope -= pulls;
    } else {
      slope -= exp(v - r.highest) * (pulls - own(i, c) / others(r, v));
      slope -= own(i, r.best) * exp(v - r.second) / r.sum;
    }
    out_set(base + c, slope);
  }`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});

/**
 * Every class but the first against all others, `[.., k]` to `[.., k - 1]`: `l_c - log(sum of exp(l_j), j not c)`, the
 * logit whose sigmoid is the softmax probability of c. Of two classes it is their difference.
 */
export const logOdds = defineOp<unknown>()({
  name: "logOdds",
  inputs: ["logits"],
  shape({ logits }) {
    if (lastOf(logits) < 2) throw new ShapeError(`logOdds: logits [${logits}] need two classes or more`);
    return [...logits.slice(0, -1), lastOf(logits) - 1];
  },
  lower({ inputs: { logits }, out, target }) {
    const classes = lastOf(logits.shape);
    return [
      perInvocation({
        label: "logOdds",
        target,
        count: sizeOf(logits.shape) / classes,
        type: "f32",
        tensors: { logits: read(logits), out: write(out) },
        sizes: { classes },
        functions: ROW,
        body: `  let base = i * args.classes;
  let r = row(base);
  for (var c = 1u; c < args.classes; c++) {
    let v = logits_at(base + c);
    var odds = v - r.highest - log(others(r, v));
    if (c == r.best) { odds = r.highest - r.second - log(r.sum); }
    out_set(i * (args.classes - 1u) + c - 1u, odds);
  }`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  derivative: {
    saves: ["logits"],
    backward: (grad, { logits }, { exec }) => ({ logits: () => exec.apply(logOddsGrad, { grad, logits }, {}) }),
  },
});
