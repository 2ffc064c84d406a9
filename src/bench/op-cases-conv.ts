import { conv2d, convTranspose2d, linear } from "../kernels/ops/contraction/conv.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Values } from "../kernels/trace/op.ts";
import type { OpCase, Tensors } from "./op-case.ts";
import { type ConvGeometry, convForward, convGradWeight, convGradX, type Floats } from "./reference.ts";

type ConvInputs = "x" | "weight";

const pick = (given: Tensors, name: string): Floats => given[name] ?? [];

interface ConvSpec {
  readonly name: string;
  readonly batch: number;
  readonly side: number;
  readonly from: number;
  readonly to: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly groups?: number;
}

function geometryOf({ batch, side, from, to, kernel, stride = 1, dilation = 1, groups = 1 }: ConvSpec): ConvGeometry {
  const padding = (dilation * (kernel - 1)) / 2;
  const out = Math.floor((side + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
  const sides = { h: side, w: side, oh: out, ow: out, r: kernel, s: kernel };
  return { n: batch, c: from, k: to, ...sides, stride, padding, dilation, groups };
}

function convCase(spec: ConvSpec): OpCase<ConvInputs> {
  const g = geometryOf(spec);
  const { stride, padding, dilation, groups } = g;
  return {
    name: spec.name,
    detail: `[${g.n}, ${g.h}, ${g.w}, ${g.c}] -> ${g.k}`,
    inputs: { x: [g.n, g.h, g.w, g.c], weight: [g.k, g.r, g.s, g.c / groups] },
    body: (graph: Graph, { x, weight }: Values<ConvInputs>) =>
      graph.apply(conv2d, { x, weight }, { stride, padding, dilation, groups }),
    macs: (g.n * g.oh * g.ow * g.k * g.r * g.s * g.c) / groups,
    expected: (given, i) => convForward(g, pick(given, "x"), pick(given, "weight"), i),
    backward: [
      { name: "grad x", expected: { x: (d, i) => convGradX(g, pick(d, "upstream"), pick(d, "weight"), i) } },
      { name: "grad weight", expected: { weight: (d, i) => convGradWeight(g, pick(d, "upstream"), pick(d, "x"), i) } },
    ],
  };
}

/** A transposed convolution is the gradient of a convolution from its output to its input. */
function transposedCase(batch: number): OpCase<ConvInputs> {
  const g = geometryOf({ name: "", batch, side: 64, from: 64, to: 128, kernel: 3, stride: 2 });
  return {
    name: "transposed 3x3",
    detail: `[${g.n}, ${g.oh}, ${g.ow}, ${g.k}] -> ${g.c}, stride 2`,
    inputs: { x: [g.n, g.oh, g.ow, g.k], weight: [g.k, g.r, g.s, g.c] },
    body: (graph: Graph, { x, weight }: Values<ConvInputs>) =>
      graph.apply(convTranspose2d, { x, weight }, { stride: 2, padding: 1, outputPadding: 1 }),
    macs: g.n * g.oh * g.ow * g.k * g.r * g.s * g.c,
    expected: (d, i) => convGradX(g, pick(d, "x"), pick(d, "weight"), i),
    backward: [
      { name: "grad x", expected: { x: (d, i) => convForward(g, pick(d, "upstream"), pick(d, "weight"), i) } },
      { name: "grad weight", expected: { weight: (d, i) => convGradWeight(g, pick(d, "x"), pick(d, "upstream"), i) } },
    ],
  };
}

/** `x [m, m]` times the transpose of `weight [m, m]`. */
function matmulCase(m: number): OpCase<ConvInputs> {
  const g = geometryOf({ name: "", batch: 1, side: 1, from: m, to: m, kernel: 1 });
  const rows: ConvGeometry = { ...g, w: m, ow: m };
  return {
    name: "matmul",
    detail: `${m} x ${m} x ${m}`,
    inputs: { x: [m, m], weight: [m, m] },
    body: (graph: Graph, { x, weight }: Values<ConvInputs>) => graph.apply(linear, { x, weight }, {}),
    macs: m ** 3,
    expected: (d, i) => convForward(rows, pick(d, "x"), pick(d, "weight"), i),
    backward: [
      { name: "grad x", expected: { x: (d, i) => convGradX(rows, pick(d, "upstream"), pick(d, "weight"), i) } },
      {
        name: "grad weight",
        expected: { weight: (d, i) => convGradWeight(rows, pick(d, "upstream"), pick(d, "x"), i) },
      },
    ],
  };
}

/** Convolutions and the matrix product, `batch` images at a time. */
export function convCases(batch: number, matrix: number): OpCase[] {
  const side = 64;
  return [
    convCase({ name: "conv 3x3", batch, side, from: 64, to: 64, kernel: 3 }),
    convCase({ name: "conv 1x1", batch, side, from: 128, to: 256, kernel: 1 }),
    convCase({ name: "conv 3x3 dilated", batch, side, from: 64, to: 64, kernel: 3, dilation: 2 }),
    convCase({ name: "conv 3x3 strided", batch, side, from: 64, to: 128, kernel: 3, stride: 2 }),
    transposedCase(batch),
    convCase({ name: "depthwise 3x3", batch, side, from: 256, to: 256, kernel: 3, groups: 256 }),
    matmulCase(matrix),
  ] as OpCase[];
}
