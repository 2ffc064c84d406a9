import type { Target } from "../../target.ts";
import type { Activation, Dispatch, Epilogue, Value } from "../../trace/op.ts";
import { bothAxes, krsc, nhwc, type PerAxis, sizeOf } from "../../trace/shape.ts";

/**
 * The three sums that convolution, transposed convolution, linear layers and all their gradients come down to, over
 * an input `x [n, h, w, c]`, a weight `[k, r, s, c]` and an output-side tensor `y [n, oh, ow, k]`:
 *
 *   gather   y[n, oy, ox, k] = sum over r, s, c of x[n, oy*stride - padding + r*dilation, .., c] weight[k, r, s, c]
 *   scatter  x[n, iy, ix, c] = sum over r, s, k of y[n, (iy + padding - r*dilation)/stride, .., k] weight[k, r, s, c]
 *   pair     weight[k, r, s, c] = sum over n, oy, ox of y[n, oy, ox, k] x[n, oy*stride - padding + r*dilation, .., c]
 */
export interface Contraction {
  readonly kind: "gather" | "scatter" | "pair";
  readonly x: Value;
  readonly weight: Value;
  readonly y: Value;
  readonly stride: PerAxis;
  /** On both sides of the axis. */
  readonly padding: PerAxis;
  readonly dilation: number;
  readonly groups: number;
  /** Taps that read at least one pixel; the others only ever meet padding and are not computed. */
  readonly taps: TapRange;
  readonly epilogue: Epilogue;
  /** Pairs by tiles only. */
  readonly prologue?: Prologue | undefined;
  /** Pairs by tiles only: `[k]`, the sum of `y` over its pixels, which are read anyway. */
  readonly sums?: Value | undefined;
  readonly target: Target;
  scratch(shape: readonly number[]): Value;
}

/**
 * What a pair makes of `x` as it reads it, so that the result of a norm or of an activation needs no memory:
 * `activation((x - mean) / deviation * weight + bias)`, by statistics [3, c] as batchNormTrain makes them. Padding stays zero.
 */
export interface Prologue {
  readonly norm: {
    readonly statistics: Value;
    readonly weight: Value;
    readonly bias: Value;
    readonly eps: number;
  } | null;
  readonly activation: Activation | null;
}

interface TapRange {
  readonly r0: number;
  readonly r1: number;
  readonly s0: number;
  readonly s1: number;
}

export type Lowering = (contraction: Contraction) => readonly Dispatch[];

/** Extents of a contraction by their usual letters. */
export function extents({ x, weight, y }: Contraction) {
  const i = nhwc("contraction", "x", x.shape);
  const o = nhwc("contraction", "y", y.shape);
  const { k, r, s, c } = krsc("contraction", weight.shape);
  return { n: i.n, h: i.h, w: i.w, inC: i.c, oh: o.h, ow: o.w, k, r, s, c };
}

/**
 * The first and last + 1 tap along one axis that can meet a pixel: a tap at offset t reads rows t - padding to
 * t - padding + (out - 1) stride.
 */
export function liveTaps(
  extent: number,
  out: number,
  taps: number,
  { stride, padding, dilation }: { readonly stride: number; readonly padding: number; readonly dilation: number },
): [first: number, end: number] {
  const live = (tap: number) => {
    const from = tap * dilation - padding;
    return from + (out - 1) * stride >= 0 && from < extent;
  };
  let first = 0;
  let end = taps;
  while (first < end - 1 && !live(first)) first++;
  while (end > first + 1 && !live(end - 1)) end--;
  return [first, end];
}

/** All taps, as the definition has them: what the rewrite to live taps is tested against. */
export function allTaps(r: number, s: number): TapRange {
  return { r0: 0, r1: r, s0: 0, s1: s };
}

/**
 * A 1x1 stride-1 contraction is a matrix product over all pixels: seen as one row of them, no index is divided and no
 * tile is cut at a row's end.
 */
export function flattened(contraction: Contraction): Contraction {
  const { x, weight, y, stride, padding, kind } = contraction;
  const { r, s, n, h, w, inC, k } = extents(contraction);
  const plain = bothAxes(stride).every((step) => step === 1) && bothAxes(padding).every((side) => side === 0);
  if (r !== 1 || s !== 1 || !plain) return contraction;
  const row = (value: Value, channels: number): Value => ({ ...value, shape: [1, 1, n * h * w, channels] });
  const { residual, saved, ...rest } = contraction.epilogue;
  const result = (value: Value): Value => row(value, kind === "scatter" ? inC : k);
  return {
    ...contraction,
    x: row(x, inC),
    y: row(y, k),
    weight,
    epilogue: { ...rest, ...(residual && { residual: result(residual) }), ...(saved && { saved: result(saved) }) },
  };
}

/** Strides, paddings and dilation as kernels see them. */
export function geometrySizes({ stride, padding, dilation }: Pick<Contraction, "stride" | "padding" | "dilation">) {
  const [strideY, strideX] = bothAxes(stride);
  const [paddingY, paddingX] = bothAxes(padding);
  return { strideY, strideX, paddingY, paddingX, dilation };
}

/** Multiply-accumulates of a dense or grouped contraction, taps in padding included as the field counts them. */
export function contractionMacs(y: readonly number[], weight: readonly number[]): number {
  const [, r = 1, s = 1, c = 1] = weight;
  return sizeOf(y) * r * s * c;
}
