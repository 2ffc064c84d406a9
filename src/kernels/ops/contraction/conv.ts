import { ShapeError } from "../../../errors.ts";
import { LAYER } from "../../trace/cost.ts";
import { defineOp, FIRST_ORDER, repetition } from "../../trace/op.ts";
import { bothAxes, krsc, lastOf, nhwc, type PerAxis, type Shape, sizeOf } from "../../trace/shape.ts";
import {
  type Conv2dAttrs,
  contract,
  contractionOf,
  EVERYTHING,
  type Geometry,
  lowerWithStatistics,
} from "./contract.ts";
import { contractionMacs } from "./contraction.ts";
import { conv2dGradWeight, type LikeConv } from "./weight-gradient.ts";

export interface ConvTranspose2dAttrs {
  readonly stride: PerAxis;
  readonly padding: number;
  readonly outputPadding: number;
}

/** Operations by what a transposed convolution makes, each output pixel taken to meet every tap. */
const transposedOnOutput = ({ x = [], weight = [] }: { readonly [name: string]: Shape }, out: Shape): number => {
  const [, r = 1, s = 1, k = 1] = weight;
  return (sizeOf(out) / k) * lastOf(x) * r * s * k;
};

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
  half: "computes",
  derivative: {
    saves: ["x", "weight"],
    backward: (grad, { x, weight }, { attrs, exec }) => ({
      x: () => exec.apply(conv2dGradX, { grad, weight }, { ...attrs, like: x.shape }),
      weight: () => exec.apply(conv2dGradWeight, { grad, x }, { ...attrs, like: weight.shape }),
    }),
  },
});

/**
 * {@link conv2d}, bit for bit, whose extra output holds the statistics of its result as `batchNormTrain` has them, [3, k]: mean,
 * biased variance, and what rounding took from the mean. An epilogue is part of the result.
 */
export const conv2dStatistics = defineOp<Conv2dAttrs>()({
  name: "conv2dStatistics",
  inputs: conv2d.inputs,
  shape: conv2d.shape,
  extra: ({ weight: [k = 0] }) => [[3, k]],
  lower: (call) => {
    const { x, weight } = call.inputs;
    const [statistics = call.out] = call.extra;
    const roles = { kind: "gather", x, weight, y: call.out } as const;
    return lowerWithStatistics(contractionOf(call, roles, call.attrs, call.attrs.taps === "all"), statistics);
  },
  again: ({ inputs, attrs }) => repetition(conv2d, inputs, attrs),
  epilogue: EVERYTHING,
  macs: conv2d.macs,
  cost: LAYER,
  half: "computes",
  derivative: "it is made by a pass that runs after differentiation",
});

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
  half: "computes",
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
  half: "computes",
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
  half: "computes",
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
  half: "reads",
  derivative: FIRST_ORDER,
});
