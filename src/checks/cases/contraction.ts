import { conv2d, conv2dStatistics, convTranspose2d } from "../../kernels/ops/contraction/conv.ts";
import { addBias, linear } from "../../kernels/ops/contraction/linear.ts";
import { bothAxes, lastOf, type PerAxis, type Shape } from "../../kernels/trace/shape.ts";
import { checkOf, type Touch } from "../check.ts";
import { at, type Elements, elements, image, sum, type Tensors, within } from "../tensor.ts";
import { convBench, linearBench, transposedBench } from "./contraction-bench.ts";
import { statisticsOf } from "./norm.ts";

interface Geometry {
  readonly stride: PerAxis;
  readonly padding: PerAxis;
  readonly dilation: number;
}

/** Output rows (or columns) from the first to before the second that read input row `i` through one of `taps`. */
function readers(i: number, taps: number, outs: number, stride: number, padding: number, dilation: number) {
  const first = Math.ceil((i + padding - (taps - 1) * dilation) / stride);
  const last = Math.floor((i + padding) / stride);
  return [Math.max(0, first), Math.min(outs, last + 1)] as const;
}

/** y[n, oy, ox, k] = sum over r, s, c of x[n, oy stride - padding + r dilation, .., c] weight[k, r, s, c]. */
function convolution(
  { x, weight }: Tensors<"x" | "weight">,
  { stride, padding, dilation, groups }: Geometry & { readonly groups: number },
): Elements {
  const { n, h, w, c, pixel } = image(x);
  const [k = 1, r = 1, s = 1, own = 1] = weight.shape;
  const [strideY, strideX] = bothAxes(stride);
  const [top, left] = bothAxes(padding);
  const extent = (size: number, taps: number, pad: number, step: number) =>
    Math.floor((size + 2 * pad - dilation * (taps - 1) - 1) / step) + 1;
  const shape = [n, extent(h, r, top, strideY), extent(w, s, left, strideX), k];
  return elements(shape, ([sample = 0, oy = 0, ox = 0, out = 0]) => {
    const from = Math.floor(out / (k / groups)) * (c / groups);
    let total = 0;
    for (let i = 0; i < r; i++) {
      for (let j = 0; j < s; j++) {
        const [y, z] = [oy * strideY - top + i * dilation, ox * strideX - left + j * dilation];
        const tap = ((out * r + i) * s + j) * own;
        total += sum(own, (channel) => pixel(sample, y, z, from + channel) * at(weight.data, tap + channel));
      }
    }
    return total;
  });
}

function convolutionTouches({
  input,
  index,
  shapes,
  out,
  attrs,
}: Touch<"x" | "weight", Geometry & { readonly groups: number }>): Iterable<number> {
  const [n = 1, oh = 1, ow = 1, k = 1] = out;
  const [, r = 1, s = 1, own = 1] = shapes.weight;
  if (input === "weight") {
    const filter = Math.floor(index / (r * s * own));
    return within(out, [
      [0, n],
      [0, oh],
      [0, ow],
      [filter, filter + 1],
    ]);
  }
  const [, h = 1, w = 1, c = 1] = shapes.x;
  const [row, column] = [Math.floor(index / (c * w)) % h, Math.floor(index / c) % w];
  const sample = Math.floor(index / (c * w * h));
  const [[strideY, strideX], [top, left]] = [bothAxes(attrs.stride), bothAxes(attrs.padding)];
  const perGroup = k / attrs.groups;
  const group = Math.floor((index % c) / own);
  return within(out, [
    [sample, sample + 1],
    readers(row, r, oh, strideY, top, attrs.dilation),
    readers(column, s, ow, strideX, left, attrs.dilation),
    [group * perGroup, (group + 1) * perGroup],
  ]);
}

/** Every pixel of x adds its channels times each tap to the pixel that the tap stands over. */
function transposed(
  { x, weight }: Tensors<"x" | "weight">,
  {
    stride,
    padding,
    outputPadding,
  }: { readonly stride: PerAxis; readonly padding: number; readonly outputPadding: number },
): Elements {
  const { n, h, w, c, pixel } = image(x);
  const [, r = 1, s = 1, k = 1] = weight.shape;
  const [strideY, strideX] = bothAxes(stride);
  const extent = (size: number, taps: number, step: number) => (size - 1) * step - 2 * padding + taps + outputPadding;
  const source = (o: number, tap: number, step: number) => (o + padding - tap) / step;
  return elements([n, extent(h, r, strideY), extent(w, s, strideX), k], ([sample = 0, oy = 0, ox = 0, out = 0]) => {
    let total = 0;
    for (let i = 0; i < r; i++) {
      for (let j = 0; j < s; j++) {
        const [y, z] = [source(oy, i, strideY), source(ox, j, strideX)];
        if (!Number.isInteger(y) || !Number.isInteger(z)) continue;
        total += sum(c, (m) => pixel(sample, y, z, m) * at(weight.data, ((m * r + i) * s + j) * k + out));
      }
    }
    return total;
  });
}

function transposedTouches({
  input,
  index,
  shapes,
  out,
  attrs: { stride, padding },
}: Touch<"x" | "weight", { readonly stride: PerAxis; readonly padding: number }>): Iterable<number> {
  const [n = 1, oh = 1, ow = 1, k = 1] = out;
  const [, r = 1, s = 1] = shapes.weight;
  if (input === "weight") {
    const channel = index % k;
    return within(out, [
      [0, n],
      [0, oh],
      [0, ow],
      [channel, channel + 1],
    ]);
  }
  const [, h = 1, w = 1, c = 1] = shapes.x;
  const [row, column] = [Math.floor(index / (c * w)) % h, Math.floor(index / c) % w];
  const sample = Math.floor(index / (c * w * h));
  const [strideY, strideX] = bothAxes(stride);
  const under = (i: number, step: number, taps: number, end: number) =>
    [Math.max(0, i * step - padding), Math.min(end, i * step - padding + taps)] as const;
  return within(out, [[sample, sample + 1], under(row, strideY, r, oh), under(column, strideX, s, ow), [0, k]]);
}

const PLAIN = { stride: 1, padding: 1, dilation: 1, groups: 1 };
const TWICE = { ...PLAIN, stride: 2 };

/** Tiles are 4, 32 or 64 wide: sizes are beside those, and channels both by fours and not. */
const CONVOLUTIONS = [5, 8].flatMap((c) => [
  { inputs: { x: [2, 11, 7, c], weight: [5, 3, 3, c] }, attrs: PLAIN, fused: true as const },
  { inputs: { x: [2, 11, 7, c], weight: [8, 3, 3, c] }, attrs: { ...PLAIN, stride: 2, padding: 2, dilation: 2 } },
  { inputs: { x: [3, 13, 5, c], weight: [12, 1, 1, c] }, attrs: { ...PLAIN, padding: 0 } },
  { inputs: { x: [2, 11, 7, c], weight: [c, 3, 3, 1] }, attrs: { ...PLAIN, groups: c }, fused: true as const },
  { inputs: { x: [2, 12, 7, c], weight: [c, 3, 3, 1] }, attrs: { ...TWICE, groups: c } },
  { inputs: { x: [2, 6, 7, c], weight: [4, 1, 5, c] }, attrs: { ...PLAIN, padding: [0, 2] as const } },
  { inputs: { x: [2, 6, 7, c], weight: [4, 5, 1, c] }, attrs: { ...PLAIN, padding: [2, 0] as const } },
  { inputs: { x: [1, 9, 8, c], weight: [6, 3, 2, c] }, attrs: { ...PLAIN, padding: 0, stride: [2, 1] as const } },
]);

export const CONTRACTION = {
  conv2d: checkOf(conv2d, {
    expected: (t, attrs) => [convolution(t, attrs)],
    touches: convolutionTouches,
    cases: [
      ...CONVOLUTIONS,
      { inputs: { x: [1, 7, 9, 12], weight: [6, 3, 3, 4] }, attrs: { ...PLAIN, groups: 3 }, fused: true },
      { inputs: { x: [2, 9, 7, 37], weight: [67, 3, 3, 37] }, attrs: PLAIN },
      { inputs: { x: [1, 9, 15, 36], weight: [68, 3, 3, 36] }, attrs: TWICE },
      { inputs: { x: [1, 13, 11, 68], weight: [132, 1, 1, 68] }, attrs: { ...PLAIN, padding: 0 } },
      {
        inputs: { x: [1, 5, 4, 8], weight: [4, 3, 3, 8] },
        attrs: { ...PLAIN, padding: 6, dilation: 6 },
        about: "taps in padding alone",
      },
    ],
    bench: convBench,
  }),
  conv2dStatistics: checkOf(conv2dStatistics, {
    expected: (t, attrs) => [convolution(t, attrs)],
    following: (stored) => [statisticsOf(stored)],
    // Rows that fill no tile, a last tile of fewer rows than a lane has, and kernels that tell nothing of their columns.
    cases: [
      { inputs: { x: [2, 11, 7, 8], weight: [5, 3, 3, 8] }, attrs: PLAIN, fused: false },
      { inputs: { x: [1, 15, 13, 5], weight: [67, 1, 1, 5] }, attrs: { ...PLAIN, padding: 0 } },
      { inputs: { x: [1, 13, 15, 8], weight: [68, 1, 1, 8] }, attrs: { ...PLAIN, padding: 0 }, fused: true },
      { inputs: { x: [1, 9, 15, 36], weight: [12, 3, 3, 36] }, attrs: TWICE },
      { inputs: { x: [2, 11, 7, 6], weight: [6, 3, 3, 1] }, attrs: { ...PLAIN, groups: 6 } },
    ],
  }),
  convTranspose2d: checkOf(convTranspose2d, {
    expected: (t, attrs) => [transposed(t, attrs)],
    touches: transposedTouches,
    cases: [
      ...[5, 8]
        .flatMap((c) => [
          { inputs: { x: [2, 6, 5, c], weight: [c, 3, 3, 5] }, attrs: { stride: 2, padding: 1, outputPadding: 1 } },
          { inputs: { x: [2, 6, 5, c], weight: [c, 3, 3, 8] }, attrs: { stride: 2, padding: 1, outputPadding: 1 } },
          { inputs: { x: [2, 5, 7, c], weight: [c, 2, 2, 12] }, attrs: { stride: 2, padding: 0, outputPadding: 0 } },
          {
            inputs: { x: [2, 5, 7, c], weight: [c, 1, 2, 7] },
            attrs: { stride: [1, 2] as const, padding: 0, outputPadding: 0 },
          },
        ])
        .map((one, i) => (i % 3 === 0 ? { ...one, fused: true as const } : one)),
      { inputs: { x: [1, 9, 7, 67], weight: [67, 3, 3, 37] }, attrs: { stride: 2, padding: 1, outputPadding: 1 } },
    ],
    bench: transposedBench,
  }),
  linear: checkOf(linear, {
    expected: ({ x, weight }) => {
      const c = lastOf(x.shape);
      const value = ([m = 0, k = 0]: readonly number[]) =>
        sum(c, (i) => at(x.data, m * c + i) * at(weight.data, k * c + i));
      return [elements([x.shape[0] ?? 1, weight.shape[0] ?? 1], value)];
    },
    touches({ input, index, shapes, out }) {
      const [m = 1, k = 1] = out;
      const own = Math.floor(index / lastOf(shapes.x));
      return within(
        out,
        input === "x"
          ? [
              [own, own + 1],
              [0, k],
            ]
          : [
              [0, m],
              [own, own + 1],
            ],
      );
    },
    cases: [
      { inputs: { x: [7, 5], weight: [6, 5] }, fused: true },
      { inputs: { x: [9, 8], weight: [12, 8] }, fused: true },
      { inputs: { x: [1, 33], weight: [1, 33] } },
      { inputs: { x: [67, 131], weight: [37, 131] } },
      { inputs: { x: [65, 132], weight: [68, 132] } },
    ],
    bench: linearBench,
  }),
  addBias: checkOf(addBias, {
    expected: ({ x, bias }) => [{ shape: x.shape, at: (i) => at(x.data, i) + at(bias.data, i % lastOf(x.shape)) }],
    cases: (
      [
        [2, 7, 5, 8],
        [2, 7, 5, 5],
        [31, 3],
      ] satisfies Shape[]
    ).map((x) => ({ inputs: { x, bias: x.slice(-1) } })),
  }),
};
