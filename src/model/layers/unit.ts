import { multiply } from "../../kernels/ops/arithmetic.ts";
import { addBias, conv2d } from "../../kernels/ops/contraction/conv.ts";
import { dropout } from "../../kernels/ops/dropout.ts";
import { pad2d } from "../../kernels/ops/frame.ts";
import { concat } from "../../kernels/ops/layout.ts";
import { leakyRelu } from "../../kernels/ops/leaky-relu.ts";
import { instanceNorm } from "../../kernels/ops/norm/instance-norm.ts";
import { relu } from "../../kernels/ops/pointwise.ts";
import { resizeBilinear, resizeNearest } from "../../kernels/ops/resize.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { bothAxes, lastOf, nhwc, type PerAxis, type Shape, sameShape, sizeOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import type { NetworkOutput } from "../definition.ts";
import { type Initialiser, uniformByFan } from "../parameters.ts";
import type { Head } from "../supervision.ts";
import { batchNorm } from "./norm.ts";

/** The layers the comparison networks share, with the names their public checkpoints are mapped to. */

export type Act = "relu" | { readonly leaky: number };

/** PyTorch's default, or normal with the variance that keeps a ReLU network's signal, by inputs or by outputs. */
export type Start = "framework" | "he-in" | "he-out" | { readonly deviation: number };

export interface UnitOptions {
  readonly outer: number;
  readonly kernel?: number | readonly [height: number, width: number];
  readonly stride?: PerAxis;
  readonly dilation?: number;
  /** The convolution's; off by default, since the norm has one. */
  readonly bias?: boolean;
  readonly norm?: "batch" | "instance";
  readonly momentum?: number;
  readonly act?: Act;
  readonly start?: Start;
}

const EPS = 1e-5;

/** Slope of negative values that {@link Start} "he-in" is made for: nnU-Net's. */
const LEAK = 0.01;

function startOf(start: Start, shape: Shape): Initialiser {
  if (start === "framework") return uniformByFan(shape);
  if (typeof start === "object") return { kind: "normal", deviation: start.deviation };
  const fan = start === "he-in" ? sizeOf(shape.slice(1)) : sizeOf(shape) / (shape[1] ?? 1);
  const gain = start === "he-in" ? 2 / (1 + LEAK ** 2) : 2;
  return { kind: "normal", deviation: Math.sqrt(gain / fan) };
}

const ZERO: Initialiser = { kind: "constant", value: 0 };

/** Convolution `<name>.conv`, norm `<name>.norm`, activation. Keeps the size at stride 1 (odd kernels). */
export function unit(build: Build, name: string, x: Value, options: UnitOptions): Value {
  const { norm = "batch", momentum = 0.1, act } = options;
  return build.scope(name, () => {
    const y = convolution(build, "conv", x, options);
    const z = norm === "batch" ? batchNorm(build, "norm", y, EPS, momentum) : perInstance(build, y);
    return act ? activated(build, z, act) : z;
  });
}

/** Units one after the other, named by their place. */
export function units(build: Build, name: string, x: Value, options: readonly UnitOptions[]): Value {
  return build.scope(name, () => options.reduce((y, option, i) => unit(build, String(i), y, option), x));
}

/** A convolution alone, with a bias unless told otherwise: `<name>.weight`, `<name>.bias`. */
export function convolution(build: Build, name: string, x: Value, options: UnitOptions): Value {
  const { outer, kernel = 1, stride = 1, dilation = 1, bias = false, start = "framework" } = options;
  return build.scope(name, () => {
    const [height, width] = typeof kernel === "number" ? [kernel, kernel] : kernel;
    const shape = [outer, lastOf(x.shape), height, width];
    const weight = build.parameter("weight", shape, startOf(start, shape));
    const sides = [dilation * Math.floor(height / 2), dilation * Math.floor(width / 2)] as const;
    const padding = height === width ? sides[0] : sides;
    const y = build.graph.apply(conv2d, { x, weight }, { stride, padding, dilation, groups: 1 });
    if (!bias) return y;
    const b = build.parameter("bias", [outer], start === "he-in" ? ZERO : uniformByFan(shape));
    return build.graph.apply(addBias, { x: y, bias: b }, {});
  });
}

/** A 1x1 classifier with a bias. */
export const classifier = (build: Build, name: string, x: Value, outer: number): Value =>
  convolution(build, name, x, { outer, bias: true });

function perInstance(build: Build, x: Value): Value {
  return build.scope("norm", () => {
    const channels = [lastOf(x.shape)];
    const weight = build.parameter("weight", channels, { kind: "constant", value: 1 });
    const bias = build.parameter("bias", channels, ZERO);
    return build.graph.apply(instanceNorm, { x, weight, bias }, { eps: EPS });
  });
}

export function activated(build: Build, x: Value, act: Act): Value {
  return act === "relu"
    ? build.graph.apply(relu, { x }, {})
    : build.graph.apply(leakyRelu, { x }, { slope: act.leaky });
}

/** An upsampling layer, corners aligned. */
export function grow(build: Build, x: Value, factor: number, mode: "bilinear" | "nearest" = "bilinear"): Value {
  const { h, w } = nhwc("grow", "x", x.shape);
  const size = { height: h * factor, width: w * factor };
  return build.layer("grow", "module", () =>
    mode === "nearest"
      ? build.graph.apply(resizeNearest, { x }, size)
      : build.graph.apply(resizeBilinear, { x }, { ...size, alignCorners: true }),
  );
}

/** Drops whole channels of each image in training. */
export function channelDropout(build: Build, name: string, x: Value, drop: number): Value {
  if (build.mode === "eval" || drop === 0) return x;
  const { n, c } = nhwc("dropout", "x", x.shape);
  const [y] = build.draw({ kind: "keep", name: build.name(name), shape: [n, 1, 1, c], drop });
  return y ? build.graph.apply(multiply, { x, y }, {}) : x;
}

/** Drops single values in training. */
export function valueDropout(build: Build, name: string, x: Value, drop: number): Value {
  if (build.mode === "eval" || drop === 0) return x;
  const [seed] = build.draw({ kind: "seed", name: build.name(name) });
  return seed ? build.graph.apply(dropout, { x, seed }, { drop }) : x;
}

/** Bilinear resizing by pixel centres to the size of another map, or to `height` and `width`. */
export function resized(build: Build, x: Value, height: number, width: number): Value {
  const { h, w } = nhwc("resize", "x", x.shape);
  if (h === height && w === width) return x;
  return build.graph.apply(resizeBilinear, { x }, { height, width, alignCorners: false });
}

/** Channels behind each other, in this order. */
export function joined(build: Build, ...parts: readonly Value[]): Value {
  return build.graph.apply(concat(parts.length), Object.fromEntries(parts.map((part, i) => [`x${i}`, part])), {});
}

/**
 * Runs a network on the image padded with zeros at the bottom and right to multiples of `multiple`, and crops the
 * outputs that are as large as the padded image. Nothing is added where the sides are multiples already.
 */
export function framed(
  build: Build,
  image: Value,
  multiple: PerAxis,
  run: (image: Value) => readonly Head[],
): NetworkOutput {
  const { h, w } = nhwc("image", "image", image.shape);
  const [down, across] = bothAxes(multiple);
  const [bottom, right] = [(down - (h % down)) % down, (across - (w % across)) % across];
  const pads = bottom > 0 || right > 0;
  const frame = { top: 0, bottom, left: 0, right };
  const cut = { top: 0, bottom: -bottom, left: 0, right: -right };
  const padded = pads ? build.graph.apply(pad2d, { x: image }, frame) : image;
  const whole = padded.shape.slice(1, 3);
  const heads = run(padded).map((head) => {
    const { logits } = head;
    if (!pads || !sameShape(logits.shape.slice(1, 3), whole)) return head;
    return { ...head, logits: build.graph.apply(pad2d, { x: logits }, cut) };
  });
  const [main] = heads;
  if (!main) throw new Error("the network has no output");
  return { logits: main.logits, heads, taps: new Map() };
}
