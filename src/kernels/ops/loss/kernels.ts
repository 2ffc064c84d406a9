import { chunksOf, foldSums } from "../../shader/chunks.ts";
import { perInvocation, read, write } from "../../shader/shader.ts";
import type { Dispatch, LowerCall } from "../../trace/op.ts";
import { lastOf, sizeOf } from "../../trace/shape.ts";
import { pixelSums, type WeightedPixels } from "./pixel-sums.ts";
import { COUNTED, LOG_SUM, unsigned } from "./text.ts";

export interface CrossEntropyAttrs {
  /** Pixels with this label do not count. Neither do labels outside the classes. */
  readonly ignoreIndex: number;
  /** Share of the target spread evenly over all classes. */
  readonly smoothing: number;
}

export interface SoftDiceAttrs {
  /** What false positives and false negatives count: 0.5 each when left out, which is Dice; others make it Tversky's. */
  readonly alpha?: number;
  readonly beta?: number;
  /** What the score is taken from: 0 when left out, so that the loss is minus the score. */
  readonly from?: number;
  /** Added to both sides of the ratio, so that an absent class that is not predicted scores 1. */
  readonly smooth: number;
  readonly ignoreIndex: number;
  /** The first class that is scored: 1 leaves the background out. 0 when left out. */
  readonly first?: number;
}

/**
 * Twice the sides of `h / (h + alpha (p - h) + beta (y - h))`, for sums h of p y, p and y: what p, y and p y count in the
 * divisor. For Dice 1, 1 and 0.
 */
const divisor = ({ alpha = 0.5, beta = 0.5 }: SoftDiceAttrs) => ({
  over: 2 * alpha,
  under: 2 * beta,
  both: 2 * (1 - alpha - beta),
});

/** The first class that is scored, and what each score of a sample and class counts. */
function scored({ first = 0 }: SoftDiceAttrs, samples: number, classes: number) {
  return { first, share: 1 / (samples * Math.max(1, classes - first)) };
}

export function crossEntropySlope(
  call: LowerCall<"grad" | "logits" | "label" | "weight" | "totals" | "lse", CrossEntropyAttrs>,
): Dispatch[] {
  const {
    inputs: { grad, logits, label, weight, totals, lse },
    out,
    attrs,
    target,
  } = call;
  return [
    perInvocation({
      label: "crossEntropyGrad",
      target,
      count: sizeOf(out.shape),
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
      floats: { hard: 1 - attrs.smoothing, soft: attrs.smoothing / lastOf(logits.shape) },
      functions: COUNTED,
      body: `  let pixel = i / args.classes;
  let truth = label_at(pixel);
  let divisor = totals_at(1u);
  if (!counted(truth) || divisor == 0.0) { out_set(i, 0.0); return; }
  let class_index = i % args.classes;
  let share = exp(logits_at(i) - lse_at(pixel));
  let hit = select(0.0, 1.0, u32(truth) == class_index);
  let slope = args.hard * weight_at(u32(truth)) * (share - hit) + args.soft * (totals_at(2u) * share - weight_at(class_index));
  out_set(i, grad_at(0u) / divisor * slope);`,
    }),
  ];
}

export function crossEntropyValue(call: LowerCall<WeightedPixels, CrossEntropyAttrs>): Dispatch[] {
  const {
    inputs: { logits, weight },
    out,
    extra: [totals = out, lse = out],
    attrs,
    target,
    scratch,
  } = call;
  const classes = lastOf(logits.shape);
  const sums = scratch([2]);
  const spread = `      var spread = 0.0;
      for (var c = 0u; c < args.classes; c++) { spread += weight_at(c) * (all - logits_at(pixel * args.classes + c)); }
      sum += args.hard * own * (all - logits_at(pixel * args.classes + u32(truth))) + args.soft * spread;`;
  const floats = { hard: 1 - attrs.smoothing, soft: attrs.smoothing / classes };
  return [
    ...pixelSums(call, { name: "crossEntropy", sums, lse, floats, each: spread }),
    perInvocation({
      label: "crossEntropy mean",
      target,
      count: 1,
      type: "f32",
      tensors: { sums: read(sums), weight: read(weight), totals: write(totals), out: write(out) },
      sizes: { classes },
      body: `  let sum = sums_at(0u);
  let divisor = sums_at(1u);
  var weights = 0.0;
  for (var c = 0u; c < args.classes; c++) { weights += weight_at(c); }
  totals_set(0u, sum);
  totals_set(1u, divisor);
  totals_set(2u, weights);
  if (divisor == 0.0) { out_set(0u, 0.0); } else { out_set(0u, sum / divisor); }`,
    }),
  ];
}

export function softDiceSlope(
  call: LowerCall<"grad" | "logits" | "label" | "sums" | "lse", SoftDiceAttrs>,
): Dispatch[] {
  const {
    inputs: { grad, logits, label, sums, lse },
    out,
    attrs,
    target,
  } = call;
  const [samples = 1] = logits.shape;
  const classes = lastOf(logits.shape);
  return [
    perInvocation({
      label: "softDiceGrad",
      target,
      count: sizeOf(label.shape),
      type: "f32",
      tensors: {
        grad: read(grad),
        logits: read(logits),
        label: read(label),
        sums: read(sums),
        lse: read(lse),
        out: write(out),
      },
      sizes: {
        classes,
        pixels: sizeOf(label.shape) / samples,
        ignore: unsigned(attrs.ignoreIndex),
        first: scored(attrs, samples, classes).first,
      },
      floats: { smooth_by: attrs.smooth, share: scored(attrs, samples, classes).share, ...divisor(attrs) },
      functions: `${COUNTED}
fn slope(sample: u32, c: u32, truth: u32) -> f32 {
  if (c < args.first) { return 0.0; }
  let at = 2u * sample * args.classes + c;
  let total = sums_at(at + args.classes) + args.smooth_by;
  let ratio = (2.0 * sums_at(at) + args.smooth_by) / total;
  let hit = select(0.0, 1.0, c == truth);
  return (ratio * (args.over + args.both * hit) - 2.0 * hit) / total;
}`,
      body: `  let base = i * args.classes;
  let truth = label_at(i);
  let counts = counted(truth);
  let sample = i / args.pixels;
  let all = lse_at(i);
  let upstream = grad_at(0u) * args.share;
  var mean = 0.0;
  for (var c = 0u; c < args.classes; c++) { mean += exp(logits_at(base + c) - all) * slope(sample, c, u32(truth)); }
  for (var c = 0u; c < args.classes; c++) {
    let value = upstream * exp(logits_at(base + c) - all) * (slope(sample, c, u32(truth)) - mean);
    out_set(base + c, select(0.0, value, counts));
  }`,
    }),
  ];
}

export function softDiceValue(call: LowerCall<"logits" | "label", SoftDiceAttrs>): Dispatch[] {
  const {
    inputs: { logits, label },
    out,
    extra: [sums = out, lse = out],
    attrs,
    target,
    scratch,
  } = call;
  const [samples = 1] = logits.shape;
  const classes = lastOf(logits.shape);
  const pixels = sizeOf(label.shape) / samples;
  const { chunks, base, rest } = chunksOf(pixels, samples * classes, target);
  const partials = scratch([samples, chunks, 2, classes]);
  return [
    perInvocation({
      label: "softDice log-sum-exp",
      target,
      count: sizeOf(label.shape),
      type: "f32",
      tensors: { logits: read(logits), lse: write(lse) },
      sizes: { classes },
      functions: LOG_SUM,
      body: "  lse_set(i, log_sum(i));",
    }),
    perInvocation({
      label: "softDice",
      target,
      count: samples * chunks * classes,
      type: "f32",
      tensors: { logits: read(logits), label: read(label), lse: read(lse), partials: write(partials) },
      sizes: { classes, pixels, chunks, base, rest, ignore: unsigned(attrs.ignoreIndex) },
      floats: divisor(attrs),
      functions: COUNTED,
      body: `  let c = i % args.classes;
  let chunk = (i / args.classes) % args.chunks;
  let sample = i / args.classes / args.chunks;
  let rows = args.base + select(0u, 1u, chunk < args.rest);
  var hits = 0.0;
  var total = 0.0;
  for (var turn = 0u; turn < rows; turn++) {
    let pixel = sample * args.pixels + chunk + turn * args.chunks;
    let truth = label_at(pixel);
    if (counted(truth)) {
      let share = exp(logits_at(pixel * args.classes + c) - lse_at(pixel));
      if (u32(truth) == c) { hits += share; total += args.under + args.both * share; }
      total += args.over * share;
    }
  }
  let at = 2u * (sample * args.chunks + chunk) * args.classes + c;
  partials_set(at, hits);
  partials_set(at + args.classes, total);`,
    }),
    ...foldSums({
      label: "softDice",
      target,
      scratch,
      partials,
      parts: chunks,
      outer: samples,
      columns: 2 * classes,
      outs: [sums],
    }),
    perInvocation({
      label: "softDice mean",
      target,
      count: 1,
      type: "f32",
      tensors: { sums: read(sums), out: write(out) },
      sizes: { classes, samples, first: scored(attrs, samples, classes).first },
      floats: { smooth_by: attrs.smooth, share: scored(attrs, samples, classes).share, whole: attrs.from ?? 0 },
      body: `  var score = 0.0;
  for (var sample = 0u; sample < args.samples; sample++) {
    for (var c = args.first; c < args.classes; c++) {
      let at = 2u * sample * args.classes + c;
      score += (2.0 * sums_at(at) + args.smooth_by) / (sums_at(at + args.classes) + args.smooth_by);
    }
  }
  out_set(0u, args.whole - score * args.share);`,
    }),
  ];
}
