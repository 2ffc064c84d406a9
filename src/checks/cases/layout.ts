import { pad2d, shrinkLabels, swapAxes } from "../../kernels/ops/frame.ts";
import { concat, permuteRows, sliceLast } from "../../kernels/ops/layout.ts";
import { pack2x2, unpack2x2 } from "../../kernels/ops/packing.ts";
import { resizeBilinear, resizeNearest } from "../../kernels/ops/resize.ts";
import { bothAxes, lastOf, type Shape } from "../../kernels/trace/shape.ts";
import { checkOf } from "../check.ts";
import { permutation, whole } from "../draw.ts";
import { at, type Elements, elements, image, type Tensor, type Tensors, within } from "../tensor.ts";

const CHANNELS = [8, 5];

/** The two source rows (or columns) of output `o` and the share of the second. */
function bilinear(o: number, length: number, outputs: number, alignCorners: boolean): [number, number, number] {
  const corners = outputs > 1 ? (o * (length - 1)) / (outputs - 1) : 0;
  const place = alignCorners ? corners : Math.max(((o + 0.5) * length) / outputs - 0.5, 0);
  const low = Math.min(Math.floor(place), length - 1);
  return [low, Math.min(low + 1, length - 1), place - low];
}

/** PyTorch computes the place in float32. */
const nearest = (o: number, length: number, outputs: number): number =>
  Math.min(Math.floor(Math.fround(o * Math.fround(length / outputs))), length - 1);

/** Outputs that a source row can take part in: those whose place is nearer than one and a half rows. */
function near(item: number, length: number, outputs: number): readonly [from: number, to: number] {
  const rise = Math.max(outputs, 2) / length;
  return [Math.max(0, Math.floor((item - 1.5) * rise) - 2), Math.min(outputs, Math.ceil((item + 2.5) * rise) + 2)];
}

function resizeTouches({ index, shapes, out }: { index: number; shapes: { readonly x: Shape }; out: Shape }) {
  const [, h = 1, w = 1, c = 1] = shapes.x;
  const [, height = 1, width = 1] = out;
  const [sample, channel] = [Math.floor(index / (c * w * h)), index % c];
  return within(out, [
    [sample, sample + 1],
    near(Math.floor(index / (c * w)) % h, h, height),
    near(Math.floor(index / c) % w, w, width),
    [channel, channel + 1],
  ]);
}

const SIZES = [
  { height: 23, width: 4 },
  { height: 5, width: 11 },
  { height: 1, width: 12 },
  { height: 10, width: 13 },
];

function joined(given: Tensors): Elements[] {
  const parts = Object.values(given);
  const lead = parts[0]?.shape.slice(0, -1) ?? [];
  const channels = parts.flatMap(({ shape, data }) =>
    Array.from({ length: lastOf(shape) }, (_, i) => (row: number) => at(data, row * lastOf(shape) + i)),
  );
  const c = channels.length;
  return [{ shape: [...lead, c], at: (index) => channels[index % c]?.(Math.floor(index / c)) ?? Number.NaN }];
}

const moved = (shape: Shape, x: Tensor, from: (place: readonly number[]) => readonly number[]): Elements => {
  const { pixel } = image(x);
  return elements(shape, (place) => {
    const [n = 0, y = 0, z = 0, c = 0] = from(place);
    return pixel(n, y, z, c);
  });
};

export const LAYOUT = {
  resizeBilinear: checkOf(resizeBilinear, {
    expected({ x }, { height, width, alignCorners }) {
      const { n, h, w, c, pixel } = image(x);
      return [
        elements([n, height, width, c], ([sample = 0, row = 0, column = 0, channel = 0]) => {
          const [top, bottom, below] = bilinear(row, h, height, alignCorners);
          const [left, right, beside] = bilinear(column, w, width, alignCorners);
          const across = (y: number) =>
            (1 - beside) * pixel(sample, y, left, channel) + beside * pixel(sample, y, right, channel);
          return (1 - below) * across(top) + below * across(bottom);
        }),
      ];
    },
    touches: resizeTouches,
    cases: CHANNELS.flatMap((c) =>
      SIZES.flatMap((size) =>
        [true, false].map((alignCorners) => ({ inputs: { x: [3, 10, 6, c] }, attrs: { ...size, alignCorners } })),
      ),
    ),
    bench({ batch }) {
      const [side, channels, size] = [64, 64, 128];
      return [
        {
          row: "resize bilinear",
          detail: `[${batch}, ${side}, ${side}, ${channels}] -> ${size} x ${size}`,
          inputs: { x: [batch, side, side, channels] },
          attrs: { height: size, width: size, alignCorners: false },
          passes: [{ name: "backward", of: ["x"] }],
        },
      ];
    },
  }),
  resizeNearest: checkOf(resizeNearest, {
    expected: ({ x }, { height, width }) => {
      const { n, h, w, c } = image(x);
      const from = ([sample = 0, row = 0, column = 0, channel = 0]: readonly number[]) => [
        sample,
        nearest(row, h, height),
        nearest(column, w, width),
        channel,
      ];
      return [moved([n, height, width, c], x, from)];
    },
    cases: CHANNELS.flatMap((c) => SIZES.map((attrs) => ({ inputs: { x: [3, 10, 6, c] }, attrs }))),
  }),
  pack2x2: checkOf(pack2x2, {
    expected: ({ x }) => {
      const { n, h, w, c } = image(x);
      const from = ([sample = 0, position = 0, cell = 0, channel = 0]: readonly number[]) => [
        sample,
        2 * Math.floor(cell / (w / 2)) + Math.floor(position / 2),
        2 * (cell % (w / 2)) + (position % 2),
        channel,
      ];
      return [moved([n, 4, (h * w) / 4, c], x, from)];
    },
    cases: CHANNELS.map((c) => ({ inputs: { x: [3, 10, 6, c] } })),
  }),
  unpack2x2: checkOf(unpack2x2, {
    expected: ({ x }, { height, width }) => {
      const { n, c } = image(x);
      const from = ([sample = 0, y = 0, z = 0, channel = 0]: readonly number[]) => [
        sample,
        2 * (y % 2) + (z % 2),
        Math.floor(y / 2) * (width / 2) + Math.floor(z / 2),
        channel,
      ];
      return [moved([n, height, width, c], x, from)];
    },
    cases: CHANNELS.map((c) => ({ inputs: { x: [3, 4, 15, c] }, attrs: { height: 10, width: 6 } })),
  }),
  permuteRows: checkOf(permuteRows, {
    expected: ({ x, order }) => {
      const [, m = 1, c = 1] = x.shape;
      const row = (j: number) => Math.floor(j / m) * m + at(order.data, j % m);
      return [{ shape: x.shape, at: (i) => at(x.data, row(Math.floor(i / c)) * c + (i % c)) }];
    },
    cases: CHANNELS.map((c) => ({ inputs: { x: [3, 37, c], order: permutation(37) } })),
  }),
  concat2: checkOf(concat(2), {
    expected: joined,
    cases: CHANNELS.map((c) => ({ inputs: { x0: [3, 10, 6, c], x1: [3, 10, 6, 4] } })),
  }),
  concat3: checkOf(concat(3), {
    expected: joined,
    cases: CHANNELS.map((c) => ({ inputs: { x0: [3, 10, 6, c], x1: [3, 10, 6, c], x2: [3, 10, 6, 1] } })),
  }),
  sliceLast: checkOf(sliceLast, {
    expected: ({ x }, { start, count }) => [
      {
        shape: x.shape.with(-1, count),
        at: (i) => at(x.data, Math.floor(i / count) * lastOf(x.shape) + start + (i % count)),
      },
    ],
    cases: CHANNELS.flatMap((c) => [
      { inputs: { x: [3, 10, 6, c] }, attrs: { start: c - 4, count: 4 } },
      { inputs: { x: [3, 10, 6, c] }, attrs: { start: 2, count: c - 2 } },
      { inputs: { x: [5, 4 * c] }, attrs: { start: c, count: 2 * c } },
    ]),
  }),
  pad2d: checkOf(pad2d, {
    expected: ({ x }, { top, bottom, left, right }) => {
      const { n, h, w, c } = image(x);
      const from = ([s = 0, y = 0, z = 0, channel = 0]: readonly number[]) => [s, y - top, z - left, channel];
      return [moved([n, h + top + bottom, w + left + right, c], x, from)];
    },
    cases: CHANNELS.flatMap((c) => [
      { inputs: { x: [3, 10, 7, c] }, attrs: { top: 2, bottom: -3, left: -1, right: 4 } },
      { inputs: { x: [2, 5, 6, c] }, attrs: { top: 0, bottom: 1, left: 3, right: 0 } },
    ]),
  }),
  swapAxes: checkOf(swapAxes, {
    expected: ({ x }) => {
      const { n, h, w, c } = image(x);
      return [moved([n, w, h, c], x, ([s = 0, y = 0, z = 0, channel = 0]) => [s, z, y, channel])];
    },
    cases: CHANNELS.flatMap((c) => [{ inputs: { x: [3, 10, 7, c] } }, { inputs: { x: [3, 10, c, 1] } }]),
  }),
  shrinkLabels: checkOf(shrinkLabels, {
    expected: ({ label }, { factor, height, width, outside }) => {
      const [n = 1, h = 1, w = 1] = label.shape;
      const [down, across] = bothAxes(factor);
      const value = ([sample = 0, row = 0, column = 0]: readonly number[]) => {
        const [y, z] = [row * down + Math.floor(down / 2), column * across + Math.floor(across / 2)];
        return y < h && z < w ? at(label.data, (sample * h + y) * w + z) : outside;
      };
      return [elements([n, height, width], value)];
    },
    cases: (
      [
        { factor: 4, height: 2, width: 3, outside: 255 },
        { factor: [3, 2], height: 3, width: 4, outside: -1 },
      ] as const
    ).map((attrs) => ({ inputs: { label: whole([2, 7, 9], (walk) => walk.integer(5)) }, attrs })),
  }),
};
