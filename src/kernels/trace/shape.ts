import { ShapeError } from "../../errors.ts";

/** Extents, slowest axis first. Activations are `[n, h, w, c]`, convolution weights `[k, r, s, c]`. */
export type Shape = readonly number[];

/** Number of elements; 1 for a scalar shape `[]`. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/** The last extent: channels of an activation, features of a matrix. */
export function lastOf(shape: Shape): number {
  return shape[shape.length - 1] ?? 1;
}

export interface Nhwc {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
}

/** Names the four axes of a shape, or says which op was given something else. */
export function nhwc(op: string, input: string, shape: Shape): Nhwc {
  const [n, h, w, c] = shape;
  if (shape.length !== 4 || n === undefined || h === undefined || w === undefined || c === undefined) {
    throw new ShapeError(`${op}: ${input} must have four axes [n, h, w, c], not [${shape}]`);
  }
  return { n, h, w, c };
}

interface Krsc {
  readonly k: number;
  readonly r: number;
  readonly s: number;
  readonly c: number;
}

/** Names the four axes of a convolution weight. */
export function krsc(op: string, shape: Shape): Krsc {
  const { n: k, h: r, w: s, c } = nhwc(op, "weight", shape);
  return { k, r, s, c };
}

/** Moves axis 1 of a `[a, b, ...rest]` tensor behind the rest: PyTorch's order to ours. */
export function channelsLast(shape: Shape): Shape {
  const [a, b, ...rest] = shape;
  return a === undefined || b === undefined || rest.length === 0 ? shape : [a, ...rest, b];
}

/** Copies PyTorch-ordered data `[a, b, ...rest]` to `[a, ...rest, b]`; one and two axes stay as they are. */
export function toChannelsLast<T extends Float32Array | Int32Array>(data: T, shape: Shape): T {
  const [a = 1, b = 1, ...rest] = shape;
  if (shape.length < 3) return data;
  return transposeInner(data, a, b, sizeOf(rest));
}

/** The inverse of {@link toChannelsLast}; `shape` is the PyTorch shape of the result. */
export function fromChannelsLast<T extends Float32Array | Int32Array>(data: T, shape: Shape): T {
  const [a = 1, b = 1, ...rest] = shape;
  if (shape.length < 3) return data;
  return transposeInner(data, a, sizeOf(rest), b);
}

function transposeInner<T extends Float32Array | Int32Array>(data: T, outer: number, rows: number, columns: number): T {
  const out = data.slice() as T;
  for (let o = 0; o < outer; o++) {
    const base = o * rows * columns;
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) out[base + c * rows + r] = data[base + r * columns + c] ?? Number.NaN;
    }
  }
  return out;
}

/** One number for rows and columns, or one for each. */
export type PerAxis = number | readonly [y: number, x: number];

export const bothAxes = (value: PerAxis): readonly [y: number, x: number] =>
  typeof value === "number" ? [value, value] : value;
