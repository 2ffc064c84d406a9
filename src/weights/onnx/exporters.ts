import type { Conv2dAttrs } from "../../kernels/ops/contraction/contract.ts";
import type { ConvTranspose2dAttrs } from "../../kernels/ops/contraction/conv.ts";
import type { GroupNormAttrs } from "../../kernels/ops/norm/group-norm.ts";
import type { ReduceSumAttrs } from "../../kernels/ops/reduce/reduce.ts";
import { bothAxes, lastOf, sizeOf } from "../../kernels/trace/shape.ts";
import type { Emitter } from "./emitter.ts";
import { type Exporter, first, input, plain } from "./exporter.ts";
import { LAYOUT_EXPORTERS } from "./layouts.ts";
import { POOL_EXPORTERS } from "./pools.ts";
import { RESIZE_EXPORTERS } from "./resizes.ts";

/** Where an axis of a channels-last value is once channels are axis 1. */
const FIRST_AXES = [0, 2, 3, 1];

/** An elementwise function of one value, in whichever order it is there. */
const pointwise =
  (write: (e: Emitter, x: string, attrs: unknown) => string): Exporter =>
  (call) => {
    const { name, order } = call.e.either(input(call, "x"));
    return { name: write(call.e, name, call.attrs), order };
  };

/** Two values of equal rank, the second spread over the first. */
const binary =
  (op: string): Exporter =>
  (call) => {
    const { e } = call;
    const [x, y] = [input(call, "x"), input(call, "y")];
    const moved = e.isFirst(x) || e.isFirst(y);
    return moved ? first(e.node(op, [e.first(x), e.first(y)])) : plain(e.node(op, [e.plain(x), e.plain(y)]));
  };

const times = (e: Emitter, x: string, factor: number): string =>
  factor === 1 ? x : e.node("Mul", [x, e.number(factor)]);

/** Gelu is an op of opset 20 only. */
function gelu(e: Emitter, x: string): string {
  const erf = e.node("Erf", [times(e, x, Math.SQRT1_2)]);
  return e.node("Mul", [times(e, x, 0.5), e.node("Add", [erf, e.number(1)])]);
}

function geluTanh(e: Emitter, x: string): string {
  const cube = times(e, e.node("Mul", [e.node("Mul", [x, x]), x]), 0.044715);
  const tanh = e.node("Tanh", [times(e, e.node("Add", [x, cube]), Math.sqrt(2 / Math.PI))]);
  return e.node("Mul", [times(e, x, 0.5), e.node("Add", [tanh, e.number(1)])]);
}

const conv2d: Exporter = (call) => {
  const { e } = call;
  const { stride, padding, dilation, groups } = call.attrs as Conv2dAttrs;
  const weight = input(call, "weight");
  const [, r = 1, s = 1] = weight.shape;
  const [y, x] = bothAxes(padding);
  const attributes = {
    strides: bothAxes(stride),
    pads: [y, x, y, x],
    dilations: [dilation, dilation],
    kernel_shape: [r, s],
    group: groups,
  };
  return first(e.node("Conv", [e.first(input(call, "x")), e.first(weight)], attributes));
};

const convTranspose2d: Exporter = (call) => {
  const { e } = call;
  const { stride, padding, outputPadding } = call.attrs as ConvTranspose2dAttrs;
  const attributes = {
    strides: bothAxes(stride),
    pads: [padding, padding, padding, padding],
    output_padding: [outputPadding, outputPadding],
  };
  return first(e.node("ConvTranspose", [e.first(input(call, "x")), e.first(input(call, "weight"))], attributes));
};

const linear: Exporter = (call) =>
  plain(call.e.node("Gemm", [call.e.plain(input(call, "x")), call.e.plain(input(call, "weight"))], { transB: 1 }));

const addBias: Exporter = (call) => {
  const { e } = call;
  const { name, order } = e.either(input(call, "x"));
  const bias = e.plain(input(call, "bias"));
  if (order === "plain") return plain(e.node("Add", [name, bias]));
  return first(e.node("Add", [name, e.node("Reshape", [bias, e.ints([-1, 1, 1])])]));
};

const batchNormEval: Exporter = (call) => {
  const { e } = call;
  const { eps } = call.attrs as { readonly eps: number };
  const x = input(call, "x");
  const rest = ["weight", "bias", "mean", "variance"].map((name) => e.plain(input(call, name)));
  const attributes = { epsilon: { float: eps } };
  if (x.shape.length === 4) return first(e.node("BatchNormalization", [e.first(x), ...rest], attributes));
  if (x.shape.length === 2) return plain(e.node("BatchNormalization", [e.plain(x), ...rest], attributes));
  const rows = e.node("Reshape", [e.plain(x), e.ints([-1, lastOf(x.shape)])]);
  return plain(e.node("Reshape", [e.node("BatchNormalization", [rows, ...rest], attributes), e.shape(call.out)]));
};

const instanceNorm: Exporter = (call) => {
  const { e } = call;
  const rest = ["weight", "bias"].map((name) => e.plain(input(call, name)));
  const { eps } = call.attrs as { readonly eps: number };
  return first(e.node("InstanceNormalization", [e.first(input(call, "x")), ...rest], { epsilon: { float: eps } }));
};

/** Opset 17 has no such op: the groups of a sample become the channels of an instance norm, without weights of its own. */
const groupNorm: Exporter = (call) => {
  const { e } = call;
  const { groups, eps } = call.attrs as GroupNormAttrs;
  const [, h = 1, w = 1, c = 1] = call.out.shape;
  const flat = e.node("Reshape", [e.first(input(call, "x")), e.ints([0, groups, -1])]);
  const each = (value: number) => e.floats(new Float32Array(groups).fill(value), [groups]);
  const normal = e.node("InstanceNormalization", [flat, each(1), each(0)], { epsilon: { float: eps } });
  const perChannel = (name: string) => e.node("Reshape", [e.plain(input(call, name)), e.ints([-1, 1, 1])]);
  const scaled = e.node("Mul", [e.node("Reshape", [normal, e.ints([-1, c, h, w])]), perChannel("weight")]);
  return first(e.node("Add", [scaled, perChannel("bias")]));
};

const layerNorm: Exporter = (call) => {
  const { e } = call;
  const { eps } = call.attrs as { readonly eps: number };
  const names = ["x", "weight", "bias"].map((name) => e.plain(input(call, name)));
  return plain(e.node("LayerNormalization", names, { axis: -1, epsilon: { float: eps } }));
};

const reduceSum: Exporter = (call) => {
  const { e, inputs } = call;
  const { axes, factor } = call.attrs as ReduceSumAttrs;
  const x = input({ inputs }, "x");
  const { name, order } = e.either(x);
  const places = order === "first" ? axes.map((axis) => FIRST_AXES[axis] ?? axis) : [...axes];
  const count = sizeOf(axes.map((axis) => x.shape[axis] ?? 1));
  // The trace's factor is 1 / count to rounding: a mean.
  if (Math.abs(factor * count - 1) < 1e-9) return { name: e.node("ReduceMean", [name], { axes: places }), order };
  return { name: times(e, e.node("ReduceSum", [name, e.ints(places)]), factor), order };
};

const reduceMax: Exporter = (call) => {
  const { axes } = call.attrs as { readonly axes: readonly number[] };
  const { name, order } = call.e.either(input(call, "x"));
  const places = order === "first" ? axes.map((axis) => FIRST_AXES[axis] ?? axis) : axes;
  return { name: call.e.node("ReduceMax", [name], { axes: places }), order };
};

/** out[g] = sum over n of weights[g, n] * x[g, n]: a product of matrices in each group. */
const weightedSum: Exporter = (call) => {
  const { e } = call;
  const rows = e.node("Unsqueeze", [e.plain(input(call, "weights")), e.ints([1])]);
  const product = e.node("MatMul", [rows, e.plain(input(call, "x"))]);
  return plain(e.node("Squeeze", [product, e.ints([1])]));
};

const softmax: Exporter = (call) => {
  const { name, order } = call.e.either(input(call, "x"));
  return { name: call.e.node("Softmax", [name], { axis: order === "first" ? 1 : -1 }), order };
};

const attention: Exporter = (call) => {
  const { e } = call;
  const { heads } = call.attrs as { readonly heads: number };
  const [, tokens = 1, features = 1] = call.out.shape;
  const dim = features / heads;
  const split = (name: string, perm: readonly number[]): string => {
    const lanes = e.node("Reshape", [e.plain(input(call, name)), e.ints([-1, tokens, heads, dim])]);
    return e.node("Transpose", [lanes], { perm });
  };
  const scores = e.node("MatMul", [split("q", [0, 2, 1, 3]), split("k", [0, 2, 3, 1])]);
  const weights = e.node("Softmax", [times(e, scores, 1 / Math.sqrt(dim))], { axis: -1 });
  const mixed = e.node("MatMul", [weights, split("v", [0, 2, 1, 3])]);
  const joined = e.node("Transpose", [mixed], { perm: [0, 2, 1, 3] });
  return plain(e.node("Reshape", [joined, e.ints([-1, tokens, features])]));
};

/** How each op of an evaluation trace is written in ONNX (opset 17). An op that is not here cannot be exported. */
const EXPORTERS: { readonly [op: string]: Exporter } = {
  add: binary("Add"),
  multiply: binary("Mul"),
  scale: pointwise((e, x, attrs) => times(e, x, (attrs as { readonly factor: number }).factor)),
  relu: pointwise((e, x) => e.node("Relu", [x])),
  leakyRelu: pointwise((e, x, attrs) =>
    e.node("LeakyRelu", [x], { alpha: { float: (attrs as { readonly slope: number }).slope } }),
  ),
  sigmoid: pointwise((e, x) => e.node("Sigmoid", [x])),
  silu: pointwise((e, x) => e.node("Mul", [x, e.node("Sigmoid", [x])])),
  hardswish: pointwise((e, x) => e.node("HardSwish", [x])),
  gelu: pointwise(gelu),
  geluTanh: pointwise(geluTanh),
  conv2d,
  convTranspose2d,
  linear,
  addBias,
  batchNormEval,
  instanceNorm,
  groupNorm,
  layerNorm,
  reduceSum,
  reduceMax,
  weightedSum,
  softmax,
  attention,
  ...LAYOUT_EXPORTERS,
  ...POOL_EXPORTERS,
  ...RESIZE_EXPORTERS,
};

/** The exporter of an op by its name; ops of any number of inputs carry it at the end of theirs. */
export function exporterOf(op: string): Exporter | undefined {
  return EXPORTERS[/^concat\d+$/.test(op) ? "concat" : op];
}
