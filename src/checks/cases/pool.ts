import { type AveragePoolAttrs, averagePool2d } from "../../kernels/ops/pool/average-pool.ts";
import { adaptiveAveragePool2d, adaptiveMaxPool2d, maxPool2d } from "../../kernels/ops/pool/pool.ts";
import { checkOf } from "../check.ts";
import { type Elements, elements, image, type Tensor } from "../tensor.ts";

const CHANNELS = [8, 5];

/** Rows or columns from the first to before the second. */
type Range = readonly [from: number, to: number];

const ranges = ([y0, y1]: Range, [x0, x1]: Range): (readonly [y: number, x: number])[] =>
  Array.from({ length: Math.max(0, y1 - y0) * Math.max(0, x1 - x0) }, (_, i) => [
    y0 + Math.floor(i / (x1 - x0)),
    x0 + (i % (x1 - x0)),
  ]);

/** The largest number of each window, and which of the window's pixels that places by `label` it is. */
function maxima(
  x: Tensor,
  height: number,
  width: number,
  windowOf: (row: number, column: number) => readonly [rows: Range, columns: Range],
  label: (y: number, z: number, row: number, column: number) => number,
): Elements[] {
  const { n, c, pixel } = image(x);
  const best = (sample: number, row: number, column: number, channel: number) => {
    let found = { value: Number.NEGATIVE_INFINITY, place: -1 };
    for (const [y, z] of ranges(...windowOf(row, column))) {
      const value = pixel(sample, y, z, channel);
      if (value > found.value) found = { value, place: label(y, z, row, column) };
    }
    return found;
  };
  const shape = [n, height, width, c];
  return (["value", "place"] as const).map((what) =>
    elements(shape, ([s = 0, row = 0, column = 0, channel = 0]) => best(s, row, column, channel)[what]),
  );
}

/** The pixels of bin `o` of `bins` along an axis. */
const bin = (o: number, extent: number, bins: number): Range => [
  Math.floor((o * extent) / bins),
  Math.ceil(((o + 1) * extent) / bins),
];

/** PyTorch's average pooling: a window's sum over what counts of it. */
function averages(x: Tensor, { kernel, stride, padding, ceil, countPadding }: AveragePoolAttrs): Elements {
  const { n, h, w, c, pixel } = image(x);
  const along = (extent: number) => {
    const exact = (extent + 2 * padding - kernel) / stride;
    const count = (ceil ? Math.ceil(exact) : Math.floor(exact)) + 1;
    return ceil && (count - 1) * stride >= extent + padding ? count - 1 : count;
  };
  return elements([n, along(h), along(w), c], ([sample = 0, row = 0, column = 0, channel = 0]) => {
    const [top, left] = [row * stride - padding, column * stride - padding];
    let total = 0;
    let counted = 0;
    for (const [y, z] of ranges([top, top + kernel], [left, left + kernel])) {
      const inside = y >= 0 && y < h && z >= 0 && z < w;
      total += pixel(sample, y, z, channel);
      if (inside || (countPadding && y < h + padding && z < w + padding)) counted++;
    }
    return total / counted;
  });
}

const GRIDS = [
  { height: 4, width: 5 },
  { height: 3, width: 1 },
  { height: 13, width: 9 },
];

const ADAPTIVE = CHANNELS.flatMap((c) => GRIDS.map((attrs) => ({ inputs: { x: [3, 10, 6, c] }, attrs })));

export const POOL = {
  maxPool2d: checkOf(maxPool2d, {
    expected({ x }, { kernel, stride, padding }) {
      const { h, w } = image(x);
      const along = (extent: number) => Math.floor((extent + 2 * padding - kernel) / stride) + 1;
      const range = (o: number, extent: number): Range => [
        Math.max(0, o * stride - padding),
        Math.min(extent, o * stride - padding + kernel),
      ];
      const label = (y: number, z: number, row: number, column: number) =>
        (y - row * stride + padding) * kernel + z - column * stride + padding;
      return maxima(x, along(h), along(w), (row, column) => [range(row, h), range(column, w)], label);
    },
    cases: CHANNELS.flatMap((c) => [
      { inputs: { x: [3, 9, 13, c] }, attrs: { kernel: 3, stride: 2, padding: 1 } },
      { inputs: { x: [2, 8, 7, c] }, attrs: { kernel: 2, stride: 2, padding: 0 } },
      { inputs: { x: [2, 7, 5, c] }, attrs: { kernel: 3, stride: 1, padding: 1 } },
    ]),
  }),
  averagePool2d: checkOf(averagePool2d, {
    expected: ({ x }, attrs) => [averages(x, attrs)],
    cases: CHANNELS.flatMap((c) =>
      [
        { kernel: 3, stride: 1, padding: 1, ceil: false, countPadding: true },
        { kernel: 3, stride: 2, padding: 1, ceil: true, countPadding: true },
        { kernel: 3, stride: 2, padding: 1, ceil: false, countPadding: false },
        { kernel: 2, stride: 2, padding: 0, ceil: true, countPadding: false },
      ].map((attrs) => ({ inputs: { x: [3, 10, 7, c] }, attrs })),
    ),
  }),
  adaptiveAveragePool2d: checkOf(adaptiveAveragePool2d, {
    expected({ x }, { height, width }) {
      const { n, h, w, c, pixel } = image(x);
      return [
        elements([n, height, width, c], ([sample = 0, row = 0, column = 0, channel = 0]) => {
          const all = ranges(bin(row, h, height), bin(column, w, width));
          return all.reduce((total, [y, z]) => total + pixel(sample, y, z, channel), 0) / all.length;
        }),
      ];
    },
    cases: ADAPTIVE,
  }),
  adaptiveMaxPool2d: checkOf(adaptiveMaxPool2d, {
    expected({ x }, { height, width }) {
      const { h, w } = image(x);
      const windowOf = (row: number, column: number) => [bin(row, h, height), bin(column, w, width)] as const;
      return maxima(x, height, width, windowOf, (y, z) => y * w + z);
    },
    cases: ADAPTIVE,
  }),
};
