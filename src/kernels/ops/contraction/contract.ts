import { allWide } from "../../shader/shader.ts";
import { fitsWorkgroupTiles, prefersShuffleTiles } from "../../target.ts";
import type { Dispatch, LowerCall, Value } from "../../trace/op.ts";
import { bothAxes, type PerAxis } from "../../trace/shape.ts";
import { channelStatistics, joinedStatistics } from "../norm/statistics.ts";
import { chooseWinograd } from "./choose-winograd.ts";
import { allTaps, type Contraction, extents, type Lowering, liveTaps } from "./contraction.ts";
import { slidesDepthwise, slidingDepthwise } from "./depthwise.ts";
import { matrixProduct, matrixSide } from "./matrix.ts";
import { shufflePair } from "./pair.ts";
import { plainContraction } from "./plain.ts";
import { shuffleProduct } from "./shuffle.ts";
import { tiledPair } from "./tiled-pair.ts";
import { tellingProduct, tiledProduct } from "./tiled-product.ts";
import { correlationOf, winograd } from "./winograd.ts";

/** The kernel of a contraction: the fastest that fits the adapter and the shapes, the plain one otherwise. */
export const lowerContraction: Lowering = (contraction) => loweringOf(contraction)(contraction);

function loweringOf(contraction: Contraction): Lowering {
  const { target, groups, kind } = contraction;
  if (slidesDepthwise(contraction)) return slidingDepthwise;
  if (groups > 1) return plainContraction;
  if (prefersShuffleTiles(target)) return kind === "pair" ? shufflePair : shuffleProduct;
  const side = matrixSide(contraction);
  if (side !== null) return (given) => matrixProduct(given, side);
  const correlation = correlationOf(contraction);
  const choice = correlation && chooseWinograd(correlation, target);
  if (choice) return (given) => winograd(given, correlation, choice);
  if (fitsWorkgroupTiles(target)) return kind === "pair" ? tiledPair : tiledProduct;
  return plainContraction;
}

/**
 * A gather with the statistics [3, k] of what it makes, as {@link channelStatistics} has them: its tiles tell them where
 * they have whole sums, else they are read off the result. The result has the bits of {@link lowerContraction}.
 */
export function lowerWithStatistics(contraction: Contraction, statistics: Value): readonly Dispatch[] {
  const { target, scratch, y } = contraction;
  const call = { label: "conv2d", target, wide: allWide(y), scratch, statistics };
  const told = loweringOf(contraction) === tiledProduct ? tellingProduct(contraction) : null;
  return told
    ? [told.tiles, ...joinedStatistics({ ...call, ...told })]
    : [...lowerContraction(contraction), ...channelStatistics({ ...call, x: y })];
}

/** A contraction's tail can do all of it. Gradients by the weight are sums of another kind and take nothing. */
export const EVERYTHING = ["scale", "bias", "residual", "activation", "slope"] as const;

type Roles = Pick<Contraction, "kind" | "x" | "weight" | "y">;

/** How taps walk over an image. */
export interface Geometry {
  readonly stride: PerAxis;
  readonly padding: PerAxis;
  readonly dilation: number;
  readonly groups: number;
}

/** How a convolution is called. */
export interface Conv2dAttrs extends Geometry {
  /** "all" computes taps that only ever meet padding too, as the definition does; used to test that it changes nothing. */
  readonly taps?: "live" | "all";
}

/** The dispatches of an op that is a contraction; `every` computes taps that only ever meet padding too. */
export const contract = <I extends string, A>(
  call: LowerCall<I, A>,
  roles: Roles,
  geometry: Geometry,
  every = false,
): readonly Dispatch[] => lowerContraction(contractionOf(call, roles, geometry, every));

/** The contraction that an op's call is. */
export function contractionOf<I extends string, A>(
  call: LowerCall<I, A>,
  roles: Roles,
  geometry: Geometry,
  every = false,
): Contraction {
  const { dilation, groups } = geometry;
  const stride = bothAxes(geometry.stride);
  const padding = bothAxes(geometry.padding);
  const base = {
    ...roles,
    stride,
    padding,
    dilation,
    groups,
    target: call.target,
    scratch: call.scratch,
    epilogue: call.epilogue,
  };
  const e = extents({ ...base, taps: allTaps(1, 1) });
  const [r0, r1] = liveTaps(e.h, e.oh, e.r, { stride: stride[0], padding: padding[0], dilation });
  const [s0, s1] = liveTaps(e.w, e.ow, e.s, { stride: stride[1], padding: padding[1], dilation });
  return { ...base, taps: every ? allTaps(e.r, e.s) : { r0, r1, s0, s1 } };
}
