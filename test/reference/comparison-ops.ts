import { eachIndex, filled, type Tensor, valueAt, zeros } from "./tensor.ts";

/** The ops of the comparison networks in float64, as plain loops over [n, h, w, c]. */

/** PyTorch's average pooling: a window's sum over what counts of it. */
export function averagePool(
  x: Tensor,
  {
    kernel,
    stride,
    padding,
    ceil,
    countPadding,
  }: {
    readonly kernel: number;
    readonly stride: number;
    readonly padding: number;
    readonly ceil: boolean;
    readonly countPadding: boolean;
  },
): Tensor {
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  const along = (extent: number) => {
    const exact = (extent + 2 * padding - kernel) / stride;
    const count = (ceil ? Math.ceil(exact) : Math.floor(exact)) + 1;
    return ceil && (count - 1) * stride >= extent + padding ? count - 1 : count;
  };
  return filled([n, along(h), along(w), c], ([image = 0, row = 0, column = 0, channel = 0]) => {
    const [top, left] = [row * stride - padding, column * stride - padding];
    let sum = 0;
    let counted = 0;
    for (let y = top; y < top + kernel; y++) {
      for (let z = left; z < left + kernel; z++) {
        const inside = y >= 0 && y < h && z >= 0 && z < w;
        if (inside) sum += valueAt(x, image, y, z, channel);
        if (inside || (countPadding && y < h + padding && z < w + padding)) counted++;
      }
    }
    return sum / counted;
  });
}

export function instanceNorm(x: Tensor, weight: Tensor, bias: Tensor, eps: number): Tensor {
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  const moments = zeros([n, c, 2]);
  eachIndex([n, c], ([image = 0, channel = 0], at) => {
    let sum = 0;
    let squares = 0;
    for (let y = 0; y < h; y++) for (let z = 0; z < w; z++) sum += valueAt(x, image, y, z, channel);
    const mean = sum / (h * w);
    for (let y = 0; y < h; y++) for (let z = 0; z < w; z++) squares += (valueAt(x, image, y, z, channel) - mean) ** 2;
    moments.data.set([mean, Math.sqrt(squares / (h * w) + eps)], 2 * at);
  });
  return filled(x.shape, ([image = 0, y = 0, z = 0, channel = 0]) => {
    const [mean, deviation] = [valueAt(moments, image, channel, 0), valueAt(moments, image, channel, 1)];
    return ((valueAt(x, image, y, z, channel) - mean) / deviation) * valueAt(weight, channel) + valueAt(bias, channel);
  });
}

export const leakyRelu = (x: Tensor, slope: number): Tensor => ({
  shape: x.shape,
  data: x.data.map((v) => (v > 0 ? v : slope * v)),
});

export function pad(x: Tensor, top: number, bottom: number, left: number, right: number): Tensor {
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  return filled([n, h + top + bottom, w + left + right, c], ([image = 0, row = 0, column = 0, channel = 0]) => {
    const [y, z] = [row - top, column - left];
    return y >= 0 && y < h && z >= 0 && z < w ? valueAt(x, image, y, z, channel) : 0;
  });
}

export function swapAxes(x: Tensor): Tensor {
  const [outer = 0, a = 0, b = 0, inner = 0] = x.shape;
  return filled([outer, b, a, inner], ([o = 0, second = 0, first = 0, i = 0]) => valueAt(x, o, first, second, i));
}

/** Correlation of stride 1 with its own padding above and beside. */
export function convolve(x: Tensor, weight: Tensor, padding: readonly [y: number, x: number]): Tensor {
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  const [k = 0, r = 0, s = 0] = weight.shape;
  const [down, across] = padding;
  const shape = [n, h + 2 * down - r + 1, w + 2 * across - s + 1, k];
  return filled(shape, ([image = 0, row = 0, column = 0, out = 0]) => {
    let sum = 0;
    eachIndex([r, s, c], ([i = 0, j = 0, channel = 0]) => {
      const [y, z] = [row + i - down, column + j - across];
      if (y < 0 || y >= h || z < 0 || z >= w) return;
      sum += valueAt(x, image, y, z, channel) * valueAt(weight, out, i, j, channel);
    });
    return sum;
  });
}
