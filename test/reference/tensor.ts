/** A tensor in float64, for references written as plain loops. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export const zeros = (shape: readonly number[]): Tensor => ({
  shape,
  data: new Float64Array(shape.reduce((product, extent) => product * extent, 1)),
});

/** Walks all indices of a shape in memory order. */
export function eachIndex(shape: readonly number[], visit: (index: readonly number[], at: number) => void): void {
  const index = shape.map(() => 0);
  const count = shape.reduce((product, extent) => product * extent, 1);
  for (let at = 0; at < count; at++) {
    visit(index, at);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      index[axis] = next < (shape[axis] ?? 0) ? next : 0;
      if (index[axis] !== 0) break;
    }
  }
}

/** Place of an index in memory; extents of 1 ignore their coordinate. */
export function placeOf(shape: readonly number[], index: readonly number[]): number {
  let at = 0;
  for (const [axis, extent] of shape.entries()) at = at * extent + (extent === 1 ? 0 : (index[axis] ?? 0));
  return at;
}

export const valueAt = ({ shape, data }: Tensor, ...index: readonly number[]): number =>
  data[placeOf(shape, index)] ?? Number.NaN;

/** A tensor whose element at each index is `f(index)`. */
export function filled(shape: readonly number[], f: (index: readonly number[]) => number): Tensor {
  const out = zeros(shape);
  eachIndex(shape, (index, at) => {
    out.data[at] = f(index);
  });
  return out;
}
