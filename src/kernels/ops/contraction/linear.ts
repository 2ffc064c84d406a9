import { ShapeError } from "../../../errors.ts";
import { allWide, elementwise, read } from "../../shader/shader.ts";
import { FREE, LAYER } from "../../trace/cost.ts";
import { defineOp, FIRST_ORDER, NO_MACS, type Op, type Value } from "../../trace/op.ts";
import { lastOf } from "../../trace/shape.ts";
import { reduceSum } from "../reduce/reduce.ts";
import { contract, EVERYTHING, type Geometry } from "./contract.ts";

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
  half: "computes",
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
  half: "computes",
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
  half: "reads",
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
  half: "moves",
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
