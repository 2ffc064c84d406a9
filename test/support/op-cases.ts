import { concat } from "../../src/kernels/ops/layout.ts";
import { OPS } from "../../src/kernels/ops.ts";
import type { Graph } from "../../src/kernels/trace/graph.ts";
import type { AnyOp, DType, Value } from "../../src/kernels/trace/op.ts";
import type { Shape } from "../../src/kernels/trace/shape.ts";

/** One call of an op on shapes alone. */
export interface OpCase {
  readonly name: string;
  readonly op: AnyOp;
  readonly inputs: Readonly<Record<string, Shape>>;
  readonly dtypes?: Readonly<Record<string, DType>>;
  readonly attrs?: unknown;
}

type Row = readonly [
  op: string,
  inputs: Readonly<Record<string, Shape>>,
  attrs?: unknown,
  dtypes?: Readonly<Record<string, DType>>,
];

const POINTWISE = ["relu", "silu", "gelu", "geluTanh", "sigmoid", "hardswish"];
const channel = (c: number) => ({ weight: [c], bias: [c] });
const moments = (c: number) => ({ mean: [c], variance: [c] });

const UPDATE_TYPES = { control: "u32", clock: "u32" } as const;
const ADAM = { beta1: 0.9, beta2: 0.999, weightDecay: 0.01, eps: 1e-8 };

/** What ends a training step, on segments of `c` floats. */
function updateRows(c: number): Row[] {
  const moments = { parameter: [c], first: [c], second: [c], gradient: [c] };
  const judged = { control: [4], totals: [1, 2], loss: [1], rate: [2] };
  const descent = { parameter: [c], velocity: [c], gradient: [c], control: [4], rate: [2] };
  return [
    ["squaredNorm", { x: [c] }],
    ["squaredNorm", { x: [700 * c] }],
    ["accumulate", { total: [c], part: [c] }],
    ["judgeStep", judged, { clipNorm: 1 }, UPDATE_TYPES],
    ["tick", { clock: [1], control: [4] }, {}, UPDATE_TYPES],
    ["prepareAdamW", { clock: [1], control: [4], rate: [2] }, ADAM, UPDATE_TYPES],
    ["adamW", { ...moments, hyper: [8] }, ADAM],
    ["sgd", descent, { momentum: 0.9, nesterov: true, weightDecay: 0 }, UPDATE_TYPES],
    ["copyTo", { target: [c], source: [c] }],
  ];
}

/** What the comparison networks need beyond SvANet. */
function comparisonRows(c: number): Row[] {
  const x = [2, 6, 4, c];
  return [
    ["conv2d", { x, weight: [4, 1, 5, c] }, { stride: 1, padding: [0, 2], dilation: 1, groups: 1 }],
    ["averagePool2d", { x }, { kernel: 3, stride: 2, padding: 1, ceil: false, countPadding: true }],
    ["averagePool2d", { x }, { kernel: 2, stride: 2, padding: 0, ceil: true, countPadding: false }],
    ["leakyRelu", { x }, { slope: 0.1 }],
    ["dropout", { x, seed: [1] }, { drop: 0.1 }],
    ["pad2d", { x }, { top: 1, bottom: 2, left: -1, right: 3 }],
    ["swapAxes", { x }],
    ["swapAxes", { x: [2, 6, c, 1] }],
    ["shrinkLabels", { label: [2, 6, 5] }, { factor: 2, height: 4, width: 4, outside: 255 }, { label: "i32" }],
    ["binaryCrossEntropy", { logits: x, truth: x }],
    ["logOdds", { logits: x }],
    ["classMasks", { label: [2, 6, 4] }, { classes: c, ignoreIndex: 255 }, { label: "i32" }],
    ["boundaryEmphasis", { truth: x }, { reach: 15, strength: 5 }],
    ["structureLoss", { logits: x, truth: x, emphasis: x }],
    ["bceDiceLoss", { logits: [2, 29, 23, c], truth: [2, 29, 23, c] }],
    ["hardLabels", { logits: x, label: [2, 6, 4] }, { threshold: 0.9, kept: 9, ignoreIndex: 255 }, { label: "i32" }],
    ["instanceNorm", { x, ...channel(c) }, { eps: 1e-5 }],
    ["instanceNorm", { x: [3, 29, 23, c], ...channel(c) }, { eps: 1e-5 }],
  ];
}

/** Cases for `c` channels: once a multiple of four, where kernels use vectors, and once odd. */
function rowsFor(c: number): Row[] {
  const x = [2, 6, 4, c];
  return [
    ...POINTWISE.map((op): Row => [op, { x }]),
    ...[x, [2, 1, 1, c], [2, 1, 1, 1], [1, 1, 1, c], [2, 6, 4, 1], [1, 6, 4, 1], [2, 1, 4, 1]].flatMap((y): Row[] => [
      ["add", { x, y }],
      ["multiply", { x, y }],
    ]),
    ["scale", { x }, { factor: 0.5 }],
    ...[[1, 2], [0, 1, 2], [3], [0, 3], [0, 1, 2, 3]].flatMap((axes): Row[] => [
      ["reduceSum", { x: [3, 13, 11, c] }, { axes, factor: 0.5 }],
      ["reduceMax", { x }, { axes }],
    ]),
    ["reduceProduct", { x, y: x }, { axes: [1, 2] }],
    ["weightedSum", { weights: [1, 9], x: [5, 9, c] }],
    ["weightedSum", { weights: [5, 300], x: [5, 300, c] }],
    ["maxPool2d", { x }, { kernel: 3, stride: 2, padding: 1 }],
    ["adaptiveAveragePool2d", { x }, { height: 3, width: 1 }],
    ["adaptiveMaxPool2d", { x }, { height: 3, width: 1 }],
    ["resizeBilinear", { x }, { height: 9, width: 3, alignCorners: true }],
    ["resizeBilinear", { x }, { height: 9, width: 3, alignCorners: false }],
    ["resizeNearest", { x }, { height: 9, width: 3 }],
    ["pack2x2", { x }],
    ["unpack2x2", { x: [2, 4, 6, c] }, { height: 6, width: 4 }],
    ["permuteRows", { x: [2, 6, c], order: [6] }, {}, { order: "i32" }],
    ["concat2", { x0: x, x1: [2, 6, 4, 4] }],
    ["concat3", { x0: x, x1: x, x2: [2, 6, 4, 1] }],
    ["sliceLast", { x }, { start: 1, count: c - 1 }],
    ["sliceLast", { x: [5, 4 * c] }, { start: c, count: 2 * c }],
    ["softmax", { x: [5, c] }],
    ["softmax", { x: [3, 256 * c] }],
    ["conv2d", { x, weight: [5, 3, 3, c] }, { stride: 1, padding: 1, dilation: 1, groups: 1 }],
    ["conv2d", { x, weight: [8, 3, 3, c] }, { stride: 2, padding: 2, dilation: 2, groups: 1 }],
    ["conv2d", { x, weight: [8, 1, 1, c] }, { stride: 1, padding: 0, dilation: 1, groups: 1 }],
    ["conv2d", { x, weight: [c, 3, 3, 1] }, { stride: 1, padding: 1, dilation: 1, groups: c }],
    ["convTranspose2d", { x, weight: [c, 3, 3, 5] }, { stride: 2, padding: 1, outputPadding: 1 }],
    ["linear", { x: [7, c], weight: [5, c] }],
    ["addBias", { x, bias: [c] }],
    ["foldNorm", { ...channel(c), ...moments(c) }, { eps: 1e-3 }],
    ["batchNormTrain", { x, ...channel(c) }, { eps: 1e-3 }],
    ["batchNormTrain", { x: [3, 29, 23, c], ...channel(c) }, { eps: 1e-3 }],
    ["batchNormEval", { x, ...channel(c), ...moments(c) }, { eps: 1e-3 }],
    [
      "updateRunning",
      { ...moments(c), statistics: [3, c], control: [4] },
      { momentum: 0.1, count: 9 },
      { control: "u32" },
    ],
    ["layerNorm", { x: [3, 5, c], ...channel(c) }, { eps: 1e-5 }],
    ["attention", { q: [2, 9, 2 * c], k: [2, 9, 2 * c], v: [2, 9, 2 * c] }, { heads: 2 }],
    [
      "crossEntropy",
      { logits: x, label: [2, 6, 4], weight: [c] },
      { ignoreIndex: 255, smoothing: 0.1 },
      { label: "i32" },
    ],
    ["softDice", { logits: x, label: [2, 6, 4] }, { smooth: 1, ignoreIndex: 255, first: 1 }, { label: "i32" }],
    ["argmaxLast", { x }],
    [
      "segmentationCounts",
      { prediction: [2, 6, 4], label: [2, 6, 4] },
      { classes: c, ignoreIndex: 255 },
      { prediction: "i32", label: "i32" },
    ],
    ...comparisonRows(c),
    ...updateRows(c),
  ];
}

function caseOf([name, inputs, attrs = {}, dtypes = {}]: Row): OpCase {
  const op = OPS.find((known) => known.name === name) ?? (concat(4) as unknown as AnyOp);
  if (op.name !== name) throw new Error(`${name} is not in the list of ops`);
  const shapes = Object.values(inputs).map((shape) => `[${shape}]`);
  return { name: `${name} ${shapes.join(" ")} ${JSON.stringify(attrs)}`, op, inputs, attrs, dtypes };
}

/** Every op in its variants: vector and plain element types, short and long reductions, kinds of broadcast. */
export const OP_CASES: readonly OpCase[] = [...rowsFor(8), ...rowsFor(3)].map(caseOf);

/** Adds the call to a trace. Returns the output and the inputs with a gradient; null for an op that only updates. */
export function traceCase(
  graph: Graph,
  { op, inputs, dtypes = {}, attrs }: OpCase,
): { readonly output: Value; readonly sources: readonly Value[] } | null {
  const given = Object.entries(inputs).map(
    ([name, shape]) => [name, graph.input(name, shape, dtypes[name] ?? "f32")] as const,
  );
  const values = Object.fromEntries(given);
  if (op.updates) {
    graph.update(op, values, attrs);
    return null;
  }
  const output = graph.apply(op, values, attrs);
  const differentiable = typeof op.derivative !== "string";
  return { output, sources: differentiable ? given.map(([, v]) => v).filter((v) => v.dtype === "f32") : [] };
}
