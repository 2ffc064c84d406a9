import { eachIndex, filled, placeOf, type Tensor, valueAt, zeros } from "./tensor.ts";

/** The definitions of the ops in float64, as plain loops over [n, h, w, c]. */

type Binary = (a: number, b: number) => number;

export const broadcast = (x: Tensor, y: Tensor, f: Binary): Tensor =>
  filled(x.shape, (index) => f(valueAt(x, ...index), valueAt(y, ...index)));

export function reduce(x: Tensor, axes: readonly number[], f: Binary, start: number): Tensor {
  const out = zeros(x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent)));
  out.data.fill(start);
  eachIndex(x.shape, (index, at) => {
    const to = placeOf(out.shape, index);
    out.data[to] = f(out.data[to] ?? Number.NaN, x.data[at] ?? Number.NaN);
  });
  return out;
}

export function weightedSum(weights: Tensor, x: Tensor): Tensor {
  const [g = 0, n = 0, c = 0] = x.shape;
  return filled([g, c], ([group = 0, channel = 0]) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += valueAt(weights, group, i) * valueAt(x, group, i, channel);
    return sum;
  });
}

export function maxPool(x: Tensor, kernel: number, stride: number, padding: number): Tensor {
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  const along = (extent: number) => Math.floor((extent + 2 * padding - kernel) / stride) + 1;
  return filled([n, along(h), along(w), c], ([image = 0, top = 0, left = 0, channel = 0]) => {
    let best = Number.NEGATIVE_INFINITY;
    for (let r = 0; r < kernel; r++) {
      for (let s = 0; s < kernel; s++) {
        const [y, z] = [top * stride + r - padding, left * stride + s - padding];
        if (y >= 0 && y < h && z >= 0 && z < w) best = Math.max(best, valueAt(x, image, y, z, channel));
      }
    }
    return best;
  });
}

/** Pools each bin of an adaptive grid: `f` folds its values. */
function adaptive(x: Tensor, height: number, width: number, f: (values: readonly number[]) => number): Tensor {
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  return filled([n, height, width, c], ([image = 0, row = 0, column = 0, channel = 0]) => {
    const values: number[] = [];
    for (let y = Math.floor((row * h) / height); y < Math.ceil(((row + 1) * h) / height); y++) {
      for (let z = Math.floor((column * w) / width); z < Math.ceil(((column + 1) * w) / width); z++) {
        values.push(valueAt(x, image, y, z, channel));
      }
    }
    return f(values);
  });
}

export const adaptiveAverage = (x: Tensor, height: number, width: number): Tensor =>
  adaptive(x, height, width, (values) => values.reduce((sum, v) => sum + v, 0) / values.length);

export const adaptiveMax = (x: Tensor, height: number, width: number): Tensor =>
  adaptive(x, height, width, (values) => values.reduce((best, v) => Math.max(best, v), Number.NEGATIVE_INFINITY));

function source(o: number, length: number, outputs: number, alignCorners: boolean): number {
  if (alignCorners) return outputs > 1 ? (o * (length - 1)) / (outputs - 1) : 0;
  return Math.max(((o + 0.5) * length) / outputs - 0.5, 0);
}

export function resizeBilinear(x: Tensor, height: number, width: number, alignCorners: boolean): Tensor {
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  return filled([n, height, width, c], ([image = 0, row = 0, column = 0, channel = 0]) => {
    const y = source(row, h, height, alignCorners);
    const z = source(column, w, width, alignCorners);
    const [top, left] = [Math.min(Math.floor(y), h - 1), Math.min(Math.floor(z), w - 1)];
    const [bottom, right] = [Math.min(top + 1, h - 1), Math.min(left + 1, w - 1)];
    const [b, r] = [y - top, z - left];
    const above = (1 - r) * valueAt(x, image, top, left, channel) + r * valueAt(x, image, top, right, channel);
    const below = (1 - r) * valueAt(x, image, bottom, left, channel) + r * valueAt(x, image, bottom, right, channel);
    return (1 - b) * above + b * below;
  });
}

/** PyTorch computes the place in float32. */
const nearest = (o: number, length: number, outputs: number): number =>
  Math.min(Math.floor(Math.fround(o * Math.fround(length / outputs))), length - 1);

export function resizeNearest(x: Tensor, height: number, width: number): Tensor {
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  return filled([n, height, width, c], ([image = 0, row = 0, column = 0, channel = 0]) =>
    valueAt(x, image, nearest(row, h, height), nearest(column, w, width), channel),
  );
}

export function pack(x: Tensor): Tensor {
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  const out = zeros([n, 4, (h * w) / 4, c]);
  eachIndex(x.shape, ([image = 0, y = 0, z = 0, channel = 0], at) => {
    const cell = Math.floor(y / 2) * (w / 2) + Math.floor(z / 2);
    out.data[placeOf(out.shape, [image, 2 * (y % 2) + (z % 2), cell, channel])] = x.data[at] ?? Number.NaN;
  });
  return out;
}

export function unpack(x: Tensor, height: number, width: number): Tensor {
  const [n = 0, , , c = 0] = x.shape;
  return filled([n, height, width, c], ([image = 0, y = 0, z = 0, channel = 0]) =>
    valueAt(x, image, 2 * (y % 2) + (z % 2), Math.floor(y / 2) * (width / 2) + Math.floor(z / 2), channel),
  );
}

export function concat(...parts: readonly Tensor[]): Tensor {
  const lead = parts[0]?.shape.slice(0, -1) ?? [];
  const widths = parts.map(({ shape }) => shape[shape.length - 1] ?? 0);
  const total = widths.reduce((sum, width) => sum + width, 0);
  return filled([...lead, total], (index) => {
    let channel = index[lead.length] ?? 0;
    let part = 0;
    for (; channel >= (widths[part] ?? total); part++) channel -= widths[part] ?? 0;
    const from = parts[part];
    return from ? valueAt(from, ...index.slice(0, -1), channel) : Number.NaN;
  });
}

export const sliceLast = (x: Tensor, start: number, count: number): Tensor =>
  filled(x.shape.with(-1, count), (index) => valueAt(x, ...index.slice(0, -1), (index[index.length - 1] ?? 0) + start));

export function softmax(x: Tensor): Tensor {
  const axis = x.shape.length - 1;
  const shifted = broadcast(x, reduce(x, [axis], Math.max, Number.NEGATIVE_INFINITY), (a, b) => Math.exp(a - b));
  const total = reduce(shifted, [axis], (a, b) => a + b, 0);
  return broadcast(shifted, total, (a, b) => a / b);
}
