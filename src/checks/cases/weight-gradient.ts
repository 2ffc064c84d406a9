import {
  conv2dGradWeight,
  conv2dGradWeightOfNorm,
  type LikeConv,
} from "../../kernels/ops/contraction/weight-gradient.ts";
import type { Activation } from "../../kernels/trace/op.ts";
import { bothAxes, lastOf, type Shape } from "../../kernels/trace/shape.ts";
import { ACTIVATIONS } from "../activation.ts";
import { checkOf } from "../check.ts";
import { noise } from "../draw.ts";
import { at, type Elements, elements, sum, type Tensor } from "../tensor.ts";

interface Given extends LikeConv {
  readonly activation?: Activation;
  readonly sums?: true;
}

/**
 * weight[k, r, s, c] = sum over n, oy, ox of grad[n, oy, ox, k] f(x)[n, oy stride - padding + r dilation, .., group's c],
 * and the sum of grad over pixels. `made` is what stands between x and f.
 */
function gradients(grad: Tensor, x: Tensor, attrs: Given, made: (index: number) => number): readonly Elements[] {
  const { like, stride, padding, dilation, groups, activation, sums } = attrs;
  const [n = 1, oh = 1, ow = 1, k = 1] = grad.shape;
  const [, h = 1, w = 1, channels = 1] = x.shape;
  const [strideY, strideX] = bothAxes(stride);
  const [top, left] = bothAxes(padding);
  const f = activation ? ACTIVATIONS[activation] : (value: number) => value;
  const weight = elements(like, ([out = 0, r = 0, s = 0, own = 0]) => {
    const c = Math.floor(out / (k / groups)) * (channels / groups) + own;
    return sum(n * oh * ow, (pixel) => {
      const [sample, oy, ox] = [Math.floor(pixel / (oh * ow)), Math.floor(pixel / ow) % oh, pixel % ow];
      const [y, z] = [oy * strideY - top + r * dilation, ox * strideX - left + s * dilation];
      if (y < 0 || z < 0 || y >= h || z >= w) return 0;
      return at(grad.data, pixel * k + out) * f(made(((sample * h + y) * w + z) * channels + c));
    });
  });
  const bias = elements([k], (_, out) => sum(n * oh * ow, (pixel) => at(grad.data, pixel * k + out)));
  return sums ? [weight, bias] : [weight];
}

const PLAIN = { stride: 1, padding: 1, dilation: 1, groups: 1 };
const POINT = { ...PLAIN, padding: 0 };

interface Sizes {
  readonly x: Shape;
  readonly grad: Shape;
  readonly attrs: Omit<LikeConv, "like">;
  readonly taps: number;
}

/** Channels by fours and not, tiles cut by edges, one stretch and (the last two) so many pixels that there are several. */
const SIZES: readonly Sizes[] = [
  { x: [2, 7, 9, 8], grad: [2, 7, 9, 12], attrs: PLAIN, taps: 3 },
  { x: [2, 7, 9, 5], grad: [2, 7, 9, 6], attrs: PLAIN, taps: 3 },
  { x: [1, 9, 15, 36], grad: [1, 5, 8, 68], attrs: { ...PLAIN, stride: 2 }, taps: 3 },
  { x: [2, 11, 6, 8], grad: [2, 11, 6, 4], attrs: { ...PLAIN, padding: 2, dilation: 2 }, taps: 3 },
  { x: [2, 6, 7, 8], grad: [2, 6, 7, 8], attrs: { ...PLAIN, groups: 4 }, taps: 3 },
  { x: [3, 31, 29, 8], grad: [3, 31, 29, 4], attrs: POINT, taps: 1 },
  { x: [2, 37, 23, 12], grad: [2, 37, 23, 8], attrs: PLAIN, taps: 3 },
];

/** Each size with another activation, every second one with sums; one also with neither. */
const CASES = [
  ...SIZES.map((size, i) => ({
    size,
    activation: ([null, "relu", "silu", "relu", "gelu", "silu", "relu"] as const)[i] ?? null,
    sums: i % 2 === 0,
  })),
  { size: SIZES[2] as Sizes, activation: null, sums: false },
];

const attrsOf = ({ size: { x, grad, attrs, taps }, activation, sums }: (typeof CASES)[number]) => ({
  ...attrs,
  like: [lastOf(grad), taps, taps, lastOf(x) / attrs.groups],
  ...(activation ? { activation } : {}),
  ...(sums ? { sums: true as const } : {}),
});

export const WEIGHT_GRADIENT = {
  conv2dGradWeight: checkOf(conv2dGradWeight, {
    expected: ({ grad, x }, attrs) => gradients(grad, x, attrs, (i) => at(x.data, i)),
    cases: CASES.map((one) => ({ inputs: { grad: one.size.grad, x: one.size.x }, attrs: attrsOf(one) })),
  }),
  conv2dGradWeightOfNorm: checkOf(conv2dGradWeightOfNorm, {
    expected({ grad, x, statistics, weight, bias }, attrs) {
      const c = lastOf(x.shape);
      const row = (number: number, i: number) => at(statistics.data, number * c + (i % c));
      const normal = (i: number) => (at(x.data, i) - row(0, i) - row(2, i)) / Math.sqrt(row(1, i) + attrs.eps);
      return gradients(grad, x, attrs, (i) => normal(i) * at(weight.data, i % c) + at(bias.data, i % c));
    },
    cases: CASES.map((one) => {
      const c = lastOf(one.size.x);
      return {
        inputs: {
          grad: one.size.grad,
          x: noise(one.size.x, { scale: 2, centre: 0.8 }),
          statistics: noise([3, c], { scale: 0.5, centre: 1 }),
          weight: noise([c], { centre: 1.2 }),
          bias: noise([c]),
        },
        attrs: { ...attrsOf(one), eps: 1e-5 },
      };
    }),
  }),
};
