import { ShapeError } from "../../../errors.ts";
import { allWide, elementwise, read } from "../../shader/shader.ts";
import { fitsWorkgroupTiles, prefersShuffleTiles } from "../../target.ts";
import { FREE, LAYER } from "../../trace/cost.ts";
import { type Dispatch, defineOp, FIRST_ORDER, type LowerCall, NO_MACS, type Op, type Value } from "../../trace/op.ts";
import { bothAxes, krsc, lastOf, nhwc, type PerAxis, type Shape, sizeOf } from "../../trace/shape.ts";
import { reduceSum } from "../reduce/reduce.ts";
import { allTaps, type Contraction, contractionMacs, extents, liveTaps } from "./contraction.ts";
import { slidesDepthwise, slidingDepthwise } from "./depthwise.ts";
import { shufflePair, tiledPair } from "./pair.ts";
import { plainContraction } from "./plain.ts";
import { shuffleProduct } from "./shuffle.ts";
import { tiledProduct } from "./tile.ts";

export interface Conv2dAttrs {
  readonly stride: PerAxis;
  readonly padding: PerAxis;
  readonly dilation: number;
  readonly groups: number;
  /** "all" computes taps that only ever meet padding too, as the definition does; used to test that it changes nothing. */
  readonly taps?: "live" | "all";
}

export interface ConvTranspose2dAttrs {
  readonly stride: PerAxis;
  readonly padding: number;
  readonly outputPadding: number;
}

/** The kernel of a contraction: the fastest that fits the adapter and the shapes, the plain one otherwise. */
export function lowerContraction(contraction: Contraction): readonly Dispatch[] {
  const { target, groups, kind } = contraction;
  if (slidesDepthwise(contraction)) return slidingDepthwise(contraction);
  if (groups > 1) return plainContraction(contraction);
  if (prefersShuffleTiles(target)) return kind === "pair" ? shufflePair(contraction) : shuffleProduct(contraction);
  if (fitsWorkgroupTiles(target)) return kind === "pair" ? tiledPair(contraction) : tiledProduct(contraction);
  return plainContraction(contraction);
}

/** A contraction's tail can do all of it. Gradients by the weight are sums of another kind and take nothing. */
const EVERYTHING = ["scale", "bias", "residual", "activation"] as const;

/** Operations by what a transposed convolution makes, each output pixel taken to meet every tap. */
const transposedOnOutput = ({ x = [], weight = [] }: { readonly [name: string]: Shape }, out: Shape): number => {
  const [, r = 1, s = 1, k = 1] = weight;
  return (sizeOf(out) / k) * lastOf(x) * r * s * k;
};

type Roles = Pick<Contraction, "kind" | "x" | "weight" | "y">;
type Geometry = Pick<Conv2dAttrs, "stride" | "padding" | "dilation" | "groups">;

function contract<I extends string, A>(
  call: LowerCall<I, A>,
  roles: Roles,
  geometry: Geometry,
  every = false,
): readonly Dispatch[] {
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
  return lowerContraction({ ...base, taps: every ? allTaps(e.r, e.s) : { r0, r1, s0, s1 } });
}

/**
 * Correlation of `x [n, h, w, c]` with `weight [k, r, s, c / groups]`, zero padded: `[n, oh, ow, k]` with
 * `oh = floor((h + 2 padding - dilation (r - 1) - 1) / stride) + 1`.
 */
export const conv2d = defineOp<Conv2dAttrs>()({
  name: "conv2d",
  inputs: ["x", "weight"],
  shape({ x, weight }, { stride, padding, dilation, groups }) {
    const i = nhwc("conv2d", "x", x);
    const k = krsc("conv2d", weight);
    const both = `(x [${x}], weight [${weight}])`;
    if (i.c !== k.c * groups || k.k % groups !== 0) {
      throw new ShapeError(
        `conv2d: x has ${i.c} channels but the weight takes ${k.c} in each of ${groups} groups ${both}`,
      );
    }
    const [top, left] = bothAxes(padding);
    const [down, right] = bothAxes(stride);
    const extent = (size: number, taps: number, pad: number, step: number) =>
      Math.floor((size + 2 * pad - dilation * (taps - 1) - 1) / step) + 1;
    const [oh, ow] = [extent(i.h, k.r, top, down), extent(i.w, k.s, left, right)];
    if (oh < 1 || ow < 1) throw new ShapeError(`conv2d: the image is smaller than the kernel ${both}`);
    return [i.n, oh, ow, k.k];
  },
  lower: (call) => {
    const { x, weight } = call.inputs;
    return contract(call, { kind: "gather", x, weight, y: call.out }, call.attrs, call.attrs.taps === "all");
  },
  epilogue: EVERYTHING,
  macs: ({ weight }, out) => contractionMacs(out, weight),
  cost: LAYER,
  derivative: {
    saves: ["x", "weight"],
    backward: (grad, { x, weight }, { attrs, exec }) => ({
      x: () => exec.apply(conv2dGradX, { grad, weight }, { ...attrs, like: x.shape }),
      weight: () => exec.apply(conv2dGradWeight, { grad, x }, { ...attrs, like: weight.shape }),
    }),
  },
});

type LikeConv = Conv2dAttrs & { readonly like: Shape };

const conv2dGradX = defineOp<LikeConv>()({
  name: "conv2dGradX",
  inputs: ["grad", "weight"],
  shape: (_, { like }) => like,
  lower: (call) => {
    const { grad, weight } = call.inputs;
    return contract(call, { kind: "scatter", x: call.out, weight, y: grad }, call.attrs, call.attrs.taps === "all");
  },
  epilogue: EVERYTHING,
  macs: ({ grad, weight }) => contractionMacs(grad, weight),
  cost: { macs: "weights" },
  derivative: FIRST_ORDER,
});

const conv2dGradWeight = defineOp<LikeConv>()({
  name: "conv2dGradWeight",
  inputs: ["grad", "x"],
  shape: (_, { like }) => like,
  lower: (call) => {
    const { grad, x } = call.inputs;
    return contract(call, { kind: "pair", x, weight: call.out, y: grad }, call.attrs);
  },
  macs: ({ grad }, out) => contractionMacs(grad, out),
  cost: { macs: "weights" },
  derivative: FIRST_ORDER,
});

/**
 * Transposed convolution of `x [n, h, w, c]` with `weight [c, r, s, k]`: `[n, oh, ow, k]` with
 * `oh = (h - 1) stride - 2 padding + r + outputPadding`. It is the gradient of a convolution by its input.
 */
export const convTranspose2d = defineOp<ConvTranspose2dAttrs>()({
  name: "convTranspose2d",
  inputs: ["x", "weight"],
  shape({ x, weight }, { stride, padding, outputPadding }) {
    const i = nhwc("convTranspose2d", "x", x);
    const k = krsc("convTranspose2d", weight);
    if (i.c !== k.k) {
      throw new ShapeError(
        `convTranspose2d: x has ${i.c} channels, the weight takes ${k.k} (x [${x}], weight [${weight}])`,
      );
    }
    const [down, right] = bothAxes(stride);
    const extent = (size: number, taps: number, step: number) => (size - 1) * step - 2 * padding + taps + outputPadding;
    return [i.n, extent(i.h, k.r, down), extent(i.w, k.s, right), k.c];
  },
  lower: (call) => {
    const { x, weight } = call.inputs;
    return contract(call, { kind: "scatter", x: call.out, weight, y: x }, dense(call.attrs));
  },
  epilogue: EVERYTHING,
  macs: ({ x, weight }) => contractionMacs(x, weight),
  cost: { macs: "weights", profiled: { when: "always", operations: transposedOnOutput } },
  derivative: {
    saves: ["x", "weight"],
    backward: (grad, { x, weight }, { attrs, exec }) => ({
      x: () => exec.apply(convTranspose2dGradX, { grad, weight }, { ...attrs, like: x.shape }),
      weight: () => exec.apply(convTranspose2dGradWeight, { grad, x }, { ...attrs, like: weight.shape }),
    }),
  },
});

const dense = ({ stride, padding }: ConvTranspose2dAttrs): Geometry => ({ stride, padding, dilation: 1, groups: 1 });

type LikeTransposed = ConvTranspose2dAttrs & { readonly like: Shape };

const convTranspose2dGradX = defineOp<LikeTransposed>()({
  name: "convTranspose2dGradX",
  inputs: ["grad", "weight"],
  shape: (_, { like }) => like,
  lower: (call) => {
    const { grad, weight } = call.inputs;
    return contract(call, { kind: "gather", x: grad, weight, y: call.out }, dense(call.attrs));
  },
  epilogue: EVERYTHING,
  macs: ({ weight }, out) => contractionMacs(out, weight),
  cost: { macs: "weights" },
  derivative: FIRST_ORDER,
});

const convTranspose2dGradWeight = defineOp<LikeTransposed>()({
  name: "convTranspose2dGradWeight",
  inputs: ["grad", "x"],
  shape: (_, { like }) => like,
  lower: (call) => {
    const { grad, x } = call.inputs;
    return contract(call, { kind: "pair", x: grad, weight: call.out, y: x }, dense(call.attrs));
  },
  macs: ({ x }, out) => contractionMacs(x, out),
  cost: { macs: "weights" },
  derivative: FIRST_ORDER,
});

const POINT: Geometry = { stride: 1, padding: 0, dilation: 1, groups: 1 };
const asImage = (value: Value): Value => ({ ...value, shape: [1, 1, value.shape[0] ?? 1, lastOf(value.shape)] });
const asWeight = (value: Value): Value => ({ ...value, shape: [value.shape[0] ?? 1, 1, 1, lastOf(value.shape)] });

/** `x [m, c]` times the transpose of `weight [k, c]`: `[m, k]`, a 1x1 convolution over a row of pixels. */
export const linear = defineOp<unknown>()({
  name: "linear",
  inputs: ["x", "weight"],
  shape({ x, weight }) {
    const [m, c] = x;
    const [k, wc] = weight;
    if (x.length !== 2 || weight.length !== 2 || m === undefined || k === undefined || c !== wc) {
      throw new ShapeError(`linear: x [${x}] and weight [${weight}] must be [m, c] and [k, c]`);
    }
    return [m, k];
  },
  lower: (call) => {
    const { x, weight } = call.inputs;
    return contract(call, { kind: "gather", x: asImage(x), weight: asWeight(weight), y: asImage(call.out) }, POINT);
  },
  epilogue: EVERYTHING,
  macs: ({ weight }, out) => (out[0] ?? 0) * (weight[0] ?? 0) * (weight[1] ?? 0),
  cost: LAYER,
  derivative: {
    saves: ["x", "weight"],
    backward: (grad, { x, weight }, { exec }) => ({
      x: () => exec.apply(linearGradX, { grad, weight }, {}),
      weight: () => exec.apply(linearGradWeight, { grad, x }, {}),
    }),
  },
});

const linearGradX = defineOp<unknown>()({
  name: "linearGradX",
  inputs: ["grad", "weight"],
  shape: ({ grad, weight }) => [grad[0] ?? 1, lastOf(weight)],
  lower: (call) => {
    const { grad, weight } = call.inputs;
    return contract(call, { kind: "scatter", x: asImage(call.out), weight: asWeight(weight), y: asImage(grad) }, POINT);
  },
  epilogue: EVERYTHING,
  macs: ({ grad, weight }) => (grad[0] ?? 0) * (weight[0] ?? 0) * (weight[1] ?? 0),
  cost: { macs: "weights" },
  derivative: FIRST_ORDER,
});

const linearGradWeight = defineOp<unknown>()({
  name: "linearGradWeight",
  inputs: ["grad", "x"],
  shape: ({ grad, x }) => [lastOf(grad), lastOf(x)],
  lower: (call) => {
    const { grad, x } = call.inputs;
    return contract(call, { kind: "pair", x: asImage(x), weight: asWeight(call.out), y: asImage(grad) }, POINT);
  },
  macs: ({ grad }, out) => (grad[0] ?? 0) * (out[0] ?? 0) * (out[1] ?? 0),
  cost: { macs: "weights" },
  derivative: FIRST_ORDER,
});

/** `x [.., c]` plus `bias [c]`. A pass moves it into the convolution or linear layer before it. */
export const addBias: Op<"x" | "bias", unknown> = defineOp<unknown>()({
  name: "addBias",
  fusedAs: "bias",
  inputs: ["x", "bias"],
  shape({ x, bias }) {
    if (bias.length !== 1 || bias[0] !== lastOf(x))
      throw new ShapeError(`addBias: bias [${bias}] does not fit x [${x}]`);
    return x;
  },
  lower: ({ inputs: { x, bias }, out, target }) => {
    const wide = allWide(out);
    const channels = lastOf(out.shape) / (wide ? 4 : 1);
    return [
      elementwise({
        label: "addBias",
        target,
        out,
        wide,
        tensors: { x: read(x, wide), bias: read(bias, wide) },
        sizes: { channels },
        body: "  return x_at(i) + bias_at(i % args.channels);",
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  derivative: {
    saves: [],
    backward: (grad, _, { shapes, exec }) => ({
      x: () => grad,
      bias: () => {
        const axes = shapes.x.slice(0, -1).map((_, i) => i);
        return exec.view(exec.apply(reduceSum, { x: grad }, { axes, factor: 1 }), shapes.bias);
      },
    }),
  },
});
