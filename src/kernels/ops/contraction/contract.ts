import { fitsWorkgroupTiles, prefersShuffleTiles } from "../../target.ts";
import type { Dispatch, LowerCall } from "../../trace/op.ts";
import { bothAxes, type PerAxis } from "../../trace/shape.ts";
import { chooseWinograd } from "./choose-winograd.ts";
import { allTaps, type Contraction, extents, liveTaps } from "./contraction.ts";
import { slidesDepthwise, slidingDepthwise } from "./depthwise.ts";
import { matrixProduct, matrixSide } from "./matrix.ts";
import { shufflePair } from "./pair.ts";
import { plainContraction } from "./plain.ts";
import { shuffleProduct } from "./shuffle.ts";
import { tiledPair } from "./tiled-pair.ts";
import { tiledProduct } from "./tiled-product.ts";
import { correlationOf, winograd } from "./winograd.ts";

/** The kernel of a contraction: the fastest that fits the adapter and the shapes, the plain one otherwise. */
export function lowerContraction(contraction: Contraction): readonly Dispatch[] {
  const { target, groups, kind } = contraction;
  if (slidesDepthwise(contraction)) return slidingDepthwise(contraction);
  if (groups > 1) return plainContraction(contraction);
  if (prefersShuffleTiles(target)) return kind === "pair" ? shufflePair(contraction) : shuffleProduct(contraction);
  const side = matrixSide(contraction);
  if (side !== null) return matrixProduct(contraction, side);
  const correlation = correlationOf(contraction);
  const choice = correlation && chooseWinograd(correlation, target);
  if (choice) return winograd(contraction, correlation, choice);
  if (fitsWorkgroupTiles(target)) return kind === "pair" ? tiledPair(contraction) : tiledProduct(contraction);
  return plainContraction(contraction);
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
