import type { AveragePoolAttrs } from "../../kernels/ops/pool/average-pool.ts";
import type { PoolSize, Windows } from "../../kernels/ops/pool/kernels.ts";
import type { Emitter } from "./emitter.ts";
import { type ExportCall, type Exporter, first, input } from "./exporter.ts";

const maxPool2d: Exporter = (call) => {
  const { kernel, stride, padding } = call.attrs as Windows;
  const attributes = {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
  };
  return first(call.e.node("MaxPool", [call.e.first(input(call, "x"))], attributes));
};

/** First and last item of each bin, as PyTorch cuts an axis. */
function bins(length: number, count: number): [begin: number, end: number][] {
  return Array.from({ length: count }, (_, bin) => [
    Math.floor((bin * length) / count),
    Math.ceil(((bin + 1) * length) / count),
  ]);
}

interface Window {
  readonly begin: number;
  readonly end: number;
  readonly divisor: number;
}

const binWindows = (length: number, count: number): Window[] =>
  bins(length, count).map(([begin, end]) => ({ begin, end, divisor: end - begin }));

/** `[windows, length]`: a row for each window with the weights of its mean. */
function meanMatrix(length: number, windows: readonly Window[]): Float32Array {
  const matrix = new Float32Array(length * windows.length);
  for (const [row, { begin, end, divisor }] of windows.entries()) {
    for (let item = begin; item < end; item++) matrix[row * length + item] = 1 / divisor;
  }
  return matrix;
}

/** Means over windows of rows and columns: a product with constant matrices from both sides. */
function means(
  e: Emitter,
  x: string,
  down: readonly Window[],
  across: readonly Window[],
  h: number,
  w: number,
): string {
  const right = e.floats(transposed(meanMatrix(w, across), across.length, w), [w, across.length]);
  return e.node("MatMul", [e.floats(meanMatrix(h, down), [down.length, h]), e.node("MatMul", [x, right])]);
}

function slidingWindows(
  length: number,
  outputs: number,
  { kernel, stride, padding, countPadding }: AveragePoolAttrs,
): Window[] {
  return Array.from({ length: outputs }, (_, o) => {
    const from = o * stride - padding;
    const [begin, end] = [Math.max(from, 0), Math.min(from + kernel, length)];
    return { begin, end, divisor: countPadding ? Math.min(from + kernel, length + padding) - from : end - begin };
  });
}

/** Windows that reach past the end are counted differently by versions of ONNX Runtime, so those are written out. */
const averagePool2d: Exporter = (call) => {
  const attrs = call.attrs as AveragePoolAttrs;
  const { kernel, stride, padding } = attrs;
  const [, h = 1, w = 1] = input(call, "x").shape;
  const [, height = 1, width = 1] = call.out.shape;
  const x = call.e.first(input(call, "x"));
  const ends = (length: number, outputs: number): boolean => (outputs - 1) * stride + kernel > length + 2 * padding;
  if (ends(h, height) || ends(w, width)) {
    return first(means(call.e, x, slidingWindows(h, height, attrs), slidingWindows(w, width, attrs), h, w));
  }
  const attributes = {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
    count_include_pad: attrs.countPadding ? 1 : 0,
  };
  return first(call.e.node("AveragePool", [x], attributes));
};

function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  return matrix.map((_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)] ?? 0);
}

/** Bins of one size are a pooling with a stride; others a product with constant matrices from both sides. */
function averageBins(e: Emitter, x: string, [h, w]: readonly [number, number], { height, width }: PoolSize): string {
  if (height === 1 && width === 1) return e.node("GlobalAveragePool", [x]);
  if (h % height === 0 && w % width === 0) return e.node("AveragePool", [x], strided(h, w, { height, width }));
  return means(e, x, binWindows(h, height), binWindows(w, width), h, w);
}

function strided(h: number, w: number, { height, width }: PoolSize) {
  const window = [h / height, w / width];
  return { kernel_shape: window, strides: window };
}

/** The maximum of each bin along an axis, joined. */
function maximumAlong(e: Emitter, x: string, axis: number, length: number, count: number): string {
  const parts = bins(length, count).map(([begin, end]) => {
    const slice = e.node("Slice", [x, e.ints([begin]), e.ints([end]), e.ints([axis])]);
    return e.node("ReduceMax", [slice], { axes: [axis] });
  });
  return e.node("Concat", parts, { axis });
}

function maximumBins(e: Emitter, x: string, [h, w]: readonly [number, number], { height, width }: PoolSize): string {
  if (height === 1 && width === 1) return e.node("GlobalMaxPool", [x]);
  if (h % height === 0 && w % width === 0) return e.node("MaxPool", [x], strided(h, w, { height, width }));
  return maximumAlong(e, maximumAlong(e, x, 2, h, height), 3, w, width);
}

const adaptive =
  (write: typeof averageBins): Exporter =>
  (call: ExportCall) => {
    const x = input(call, "x");
    const [, h = 1, w = 1] = x.shape;
    return first(write(call.e, call.e.first(x), [h, w], call.attrs as PoolSize));
  };

export const POOL_EXPORTERS: { readonly [op: string]: Exporter } = {
  maxPool2d,
  averagePool2d,
  adaptiveAveragePool2d: adaptive(averageBins),
  adaptiveMaxPool2d: adaptive(maximumBins),
};
