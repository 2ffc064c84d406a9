import { ShapeError } from "../../../errors.ts";
import { chunksOf, foldSums } from "../../shader/chunks.ts";
import { elementwise, perInvocation, read, write } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { type Dispatch, defineOp, FIRST_ORDER, type LowerCall, NO_MACS, type Value } from "../../trace/op.ts";
import { nhwc, type Shape, sameShape } from "../../trace/shape.ts";
import { BINARY } from "./binary-loss.ts";

/**
 * Two binary losses of maps `[n, h, w, c]`, every sample and channel a problem of its own, averaged: the mean
 * cross-entropy of p = sigmoid(logit) with the mask m, plus 1 minus an overlap, pixels weighted by w. With `gain` g the
 * overlap is `(g sum(w p m) + 1) / (sum(w (p + m)) - (2 - g) sum(w p m) + 1)`: intersection over union for 1, Dice
 * for 2.
 */
interface RegionLoss {
  readonly label: string;
  readonly gain: 1 | 2;
}

const STRUCTURE: RegionLoss = { label: "structureLoss", gain: 1 };
const BCE_DICE: RegionLoss = { label: "bceDiceLoss", gain: 2 };

function requireMaps(op: string, logits: Shape, ...others: readonly Shape[]): void {
  nhwc(op, "logits", logits);
  if (others.every((other) => sameShape(other, logits))) return;
  throw new ShapeError(`${op}: logits and masks must be alike, not ${[logits, ...others].map((s) => `[${s}]`)}`);
}

/** Sums over the pixels of a sample and channel: entropy, weight, w p m and w (p + m). */
const sumsShape = ([n = 1, , , c = 1]: Shape): Shape => [n, 4, c];

/** The two sides of the overlap, from where a sample and channel's sums begin. */
const OVERLAP = `fn shared_part(at: u32) -> f32 { return args.gain * sums_at(at + 2u * args.c) + 1.0; }
fn whole_part(at: u32) -> f32 {
  return sums_at(at + 3u * args.c) - (2.0 - args.gain) * sums_at(at + 2u * args.c) + 1.0;
}`;

/** Pixels that count weigh 1 at least. */
const weights = (emphasis: Value | undefined): string =>
  `fn weight_of(i: u32) -> f32 { return ${emphasis ? "emphasis_at(i)" : "1.0"}; }`;

const maps = (logits: Value, truth: Value, emphasis: Value | undefined) => ({
  logits: read(logits),
  truth: read(truth),
  ...(emphasis ? { emphasis: read(emphasis) } : {}),
});

type ValueCall = LowerCall<"logits" | "truth", unknown>;

function regionValue(loss: RegionLoss, call: ValueCall, emphasis?: Value): Dispatch[] {
  const { inputs, out, target, scratch } = call;
  const { logits, truth } = inputs;
  const [sums = out] = call.extra;
  const { label } = loss;
  const { n, h, w, c } = nhwc(label, "logits", logits.shape);
  const { chunks, base, rest } = chunksOf(h * w, n * c, target);
  const partials = scratch([n, chunks, 4, c]);
  return [
    perInvocation({
      label,
      target,
      count: n * chunks * c,
      type: "f32",
      tensors: { ...maps(logits, truth, emphasis), partials: write(partials) },
      sizes: { c, chunks, pixels: h * w, base, rest },
      functions: `${BINARY}\n${weights(emphasis)}`,
      body: `  let channel = i % args.c;
  let chunk = (i / args.c) % args.chunks;
  let sample = i / args.c / args.chunks;
  let rows = args.base + select(0u, 1u, chunk < args.rest);
  var sums = vec4f(0.0);
  for (var turn = 0u; turn < rows; turn++) {
    let at = (sample * args.pixels + chunk + turn * args.chunks) * args.c + channel;
    let wanted = truth_at(at);
    if (wanted >= 0.0) {
      let v = logits_at(at);
      let p = yes(v);
      sums += weight_of(at) * vec4f(entropy(v, wanted), 1.0, p * wanted, p + wanted);
    }
  }
  let first = 4u * (sample * args.chunks + chunk) * args.c + channel;
  for (var part = 0u; part < 4u; part++) { partials_set(first + part * args.c, sums[part]); }`,
    }),
    ...foldSums({ label, target, scratch, partials, parts: chunks, outer: n, columns: 4 * c, outs: [sums] }),
    meanOf(loss, call, sums),
  ];
}

function meanOf({ label, gain }: RegionLoss, { inputs, out, target }: ValueCall, sums: Value): Dispatch {
  const { n, c } = nhwc(label, "logits", inputs.logits.shape);
  return perInvocation({
    label: `${label} mean`,
    target,
    count: 1,
    type: "f32",
    tensors: { sums: read(sums), out: write(out) },
    sizes: { n, c },
    floats: { gain, share: 1 / (n * c) },
    functions: OVERLAP,
    body: `  var total = 0.0;
  for (var sample = 0u; sample < args.n; sample++) {
    for (var channel = 0u; channel < args.c; channel++) {
      let at = 4u * sample * args.c + channel;
      total += sums_at(at) / max(sums_at(at + args.c), 1.0) + 1.0 - shared_part(at) / whole_part(at);
    }
  }
  out_set(0u, total * args.share);`,
  });
}

function regionSlope(
  { label, gain }: RegionLoss,
  { inputs, out, target }: LowerCall<"grad" | "logits" | "truth" | "sums", unknown>,
  emphasis?: Value,
): Dispatch[] {
  const { grad, logits, truth, sums } = inputs;
  const { n, h, w, c } = nhwc(label, "logits", logits.shape);
  return [
    elementwise({
      label: `${label}Grad`,
      target,
      out,
      wide: false,
      tensors: { grad: read(grad), ...maps(logits, truth, emphasis), sums: read(sums) },
      sizes: { c, pixels: h * w },
      floats: { gain, share: 1 / (n * c) },
      functions: `${BINARY}\n${weights(emphasis)}\n${OVERLAP}`,
      body: `  let wanted = truth_at(i);
  if (wanted < 0.0) { return 0.0; }
  let at = 4u * (i / args.c / args.pixels) * args.c + i % args.c;
  let whole = whole_part(at);
  let ratio = shared_part(at) / whole;
  let v = logits_at(i);
  let by_p = (ratio * (1.0 - (2.0 - args.gain) * wanted) - args.gain * wanted) / whole;
  let total = slope(v, wanted) / max(sums_at(at + args.c), 1.0) + by_p * yes(v) * yes(-v);
  return grad_at(0u) * args.share * weight_of(i) * total;`,
    }),
  ];
}

const structureLossGrad = defineOp<unknown>()({
  name: "structureLossGrad",
  inputs: ["grad", "logits", "truth", "emphasis", "sums"],
  shape: ({ logits }) => logits,
  lower: (call) => regionSlope(STRUCTURE, call, call.inputs.emphasis),
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});

/**
 * PraNet's loss of `[n, h, w, c]` foreground logits against masks as `classMasks` makes them, pixels weighted by
 * `boundaryEmphasis`: weighted mean cross-entropy plus 1 minus the weighted intersection over union, its sides raised
 * by 1, averaged over images and channels. Where the truth is below zero a pixel does not count; an image where none
 * does adds a zero. The extra output is `[n, 4, c]`, sums over pixels.
 */
export const structureLoss = defineOp<unknown>()({
  name: STRUCTURE.label,
  inputs: ["logits", "truth", "emphasis"],
  shape({ logits, truth, emphasis }) {
    requireMaps(STRUCTURE.label, logits, truth, emphasis);
    return [1];
  },
  extra: ({ logits }) => [sumsShape(logits)],
  lower: (call) => regionValue(STRUCTURE, call, call.inputs.emphasis),
  macs: NO_MACS,
  cost: FREE,
  derivative: {
    saves: ["logits", "truth", "emphasis", "extra0"],
    backward: (grad, { logits, truth, emphasis, extra0: sums }, { exec }) => ({
      logits: () => exec.apply(structureLossGrad, { grad, logits, truth, emphasis, sums }, {}),
      truth: null,
      emphasis: null,
    }),
  },
});

const bceDiceLossGrad = defineOp<unknown>()({
  name: "bceDiceLossGrad",
  inputs: ["grad", "logits", "truth", "sums"],
  shape: ({ logits }) => logits,
  lower: (call) => regionSlope(BCE_DICE, call),
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});

/**
 * TransNetR's loss of `[n, h, w, c]` foreground logits against masks as `classMasks` makes them: mean cross-entropy plus
 * 1 minus Dice, its sides raised by 1, averaged over samples and channels. Truth below zero and the extra output are as
 * in {@link structureLoss}.
 */
export const bceDiceLoss = defineOp<unknown>()({
  name: BCE_DICE.label,
  inputs: ["logits", "truth"],
  shape({ logits, truth }) {
    requireMaps(BCE_DICE.label, logits, truth);
    return [1];
  },
  extra: ({ logits }) => [sumsShape(logits)],
  lower: (call) => regionValue(BCE_DICE, call),
  macs: NO_MACS,
  cost: FREE,
  derivative: {
    saves: ["logits", "truth", "extra0"],
    backward: (grad, { logits, truth, extra0: sums }, { exec }) => ({
      logits: () => exec.apply(bceDiceLossGrad, { grad, logits, truth, sums }, {}),
      truth: null,
    }),
  },
});
