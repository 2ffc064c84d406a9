import { type Shape, sizeOf } from "../kernels/trace/shape.ts";

/** Numbers in memory order. */
export type Numbers = ArrayLike<number>;

/** What a definition is given: float64, so that it can be differentiated by differences. */
export interface Tensor {
  readonly shape: Shape;
  readonly data: Float64Array;
}

export type Tensors<I extends string = string> = { readonly [P in I]: Tensor };

/**
 * What an op must give, by its definition and in float64. Elements are computed when asked for, so that a few of a
 * large tensor cost little; what several share (the mean of a channel) is kept by the closure behind `at`.
 */
export interface Elements {
  readonly shape: Shape;
  at(index: number): number;
}

/** An element, NaN outside: a definition that reads beyond its tensor is seen. */
export const at = (data: Numbers, index: number): number => data[index] ?? Number.NaN;

/** The place of element `index` along each axis. */
export function placeOf(shape: Shape, index: number): number[] {
  const place = shape.map(() => 0);
  let rest = index;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis] ?? 1;
    place[axis] = rest % extent;
    rest = Math.floor(rest / extent);
  }
  return place;
}

/** The index of a place; axes of extent 1 ignore their coordinate, which spreads a tensor along them. */
export function indexOf(shape: Shape, place: readonly number[]): number {
  let index = 0;
  for (const [axis, extent] of shape.entries()) index = index * extent + (extent === 1 ? 0 : (place[axis] ?? 0));
  return index;
}

/** Elements by their place. */
export const elements = (shape: Shape, f: (place: readonly number[], index: number) => number): Elements => ({
  shape,
  at: (index) => f(placeOf(shape, index), index),
});

/** Elements one of which costs as much as all: they are computed together, once. */
export function together(shape: Shape, compute: () => Numbers): Elements {
  const all = kept(compute);
  return { shape, at: (index) => at(all(0), index) };
}

/** A scalar, `[1]`. */
export const scalar = (compute: () => number): Elements => together([1], () => [compute()]);

/** Remembers what `compute` gave for each number. */
export function kept<T>(compute: (key: number) => T): (key: number) => T {
  const known = new Map<number, { readonly value: T }>();
  return (key) => {
    const found = known.get(key) ?? { value: compute(key) };
    known.set(key, found);
    return found.value;
  };
}

/** The sum of `f` over 0 .. count - 1. */
export function sum(count: number, f: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += f(i);
  return total;
}

/** Pixels of `x [n, h, w, c]`; those outside the image are 0. */
export function image({ shape, data }: Tensor) {
  const [n = 1, h = 1, w = 1, c = 1] = shape;
  const pixel = (sample: number, y: number, z: number, channel: number): number =>
    y < 0 || y >= h || z < 0 || z >= w ? 0 : at(data, ((sample * h + y) * w + z) * c + channel);
  return { n, h, w, c, pixel };
}

/** All indices of a shape. */
export function* everywhere(shape: Shape): Generator<number> {
  const count = sizeOf(shape);
  for (let index = 0; index < count; index++) yield index;
}

/** Indices of a box in a shape: from the first to before the second number along each axis. */
export function* within(shape: Shape, ranges: readonly (readonly [from: number, to: number])[]): Generator<number> {
  const extents = ranges.map(([from, to]) => Math.max(0, to - from));
  for (const index of everywhere(extents)) {
    yield indexOf(
      shape,
      placeOf(extents, index).map((place, axis) => place + (ranges[axis]?.[0] ?? 0)),
    );
  }
}

/** Indices of a row of so many elements. */
export const row = (number: number, width: number): number[] =>
  Array.from({ length: width }, (_, i) => number * width + i);
