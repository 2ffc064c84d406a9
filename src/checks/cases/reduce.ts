import { reduceMax, reduceProduct, reduceSum, weightedSum } from "../../kernels/ops/reduce/reduce.ts";
import { softmax } from "../../kernels/ops/reduce/softmax.ts";
import { softmaxSum } from "../../kernels/ops/reduce/softmax-sum.ts";
import { lastOf, type Shape, sizeOf } from "../../kernels/trace/shape.ts";
import { checkOf } from "../check.ts";
import { noise } from "../draw.ts";
import { at, type Elements, elements, indexOf, kept, placeOf, row, sum } from "../tensor.ts";

const CHANNELS = [8, 5];

/** `f` folded over the elements of `shape` that come to each element of the result, in order. */
function folded(
  shape: Shape,
  axes: readonly number[],
  f: (total: number, index: number) => number,
  start: number,
): Elements {
  const extents = axes.map((axis) => shape[axis] ?? 1);
  const out = shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  return elements(out, (place) => {
    let total = start;
    for (let i = 0; i < sizeOf(extents); i++) {
      const along = placeOf(extents, i);
      total = f(
        total,
        indexOf(
          shape,
          place.map((here, axis) => along[axes.indexOf(axis)] ?? here),
        ),
      );
    }
    return total;
  });
}

/** The one element that an element of the input comes to. */
const foldTouches = ({ index, shapes, out }: { index: number; shapes: { readonly x: Shape }; out: Shape }) => [
  indexOf(out, placeOf(shapes.x, index)),
];

const AXES = [[1, 2], [3], [0, 1, 2], [0, 3], [0, 1, 2, 3]] as const;

/** Reductions over the inside, the outside and both, with rows beside a multiple of those of a chunk. */
const REDUCTIONS = CHANNELS.flatMap((c) => AXES.map((axes) => ({ x: [3, 13, 19, c], axes })));

export const REDUCE = {
  reduceSum: checkOf(reduceSum, {
    expected: ({ x }, { axes, factor }) => [folded(x.shape, axes, (total, i) => total + factor * at(x.data, i), 0)],
    touches: foldTouches,
    cases: REDUCTIONS.map(({ x, axes }) => ({ inputs: { x }, attrs: { axes, factor: 0.125 } })),
  }),
  reduceProduct: checkOf(reduceProduct, {
    expected: ({ x, y }, { axes }) => [folded(x.shape, axes, (all, i) => all + at(x.data, i) * at(y.data, i), 0)],
    cases: REDUCTIONS.map(({ x, axes }) => ({ inputs: { x, y: x }, attrs: { axes } })),
  }),
  reduceMax: checkOf(reduceMax, {
    expected: ({ x }, { axes }) => [
      folded(x.shape, axes, (most, i) => Math.max(most, at(x.data, i)), Number.NEGATIVE_INFINITY),
    ],
    touches: foldTouches,
    cases: REDUCTIONS.map(({ x, axes }) => ({ inputs: { x }, attrs: { axes } })),
  }),
  weightedSum: checkOf(weightedSum, {
    expected: ({ weights, x }) => {
      const [g = 1, n = 1, c = 1] = x.shape;
      const step = weights.shape[0] === 1 ? 0 : n;
      const value = ([group = 0, channel = 0]: readonly number[]) =>
        sum(n, (i) => at(weights.data, group * step + i) * at(x.data, (group * n + i) * c + channel));
      return [elements([g, c], value)];
    },
    cases: CHANNELS.flatMap((c) => [
      { inputs: { weights: [1, 91], x: [5, 91, c] } },
      { inputs: { weights: [5, 301], x: [5, 301, c] } },
    ]),
  }),
  softmaxSum: checkOf(softmaxSum, {
    expected: ({ logits, x }) => {
      const [g = 1, n = 1, c = 1] = x.shape;
      const share = (i: number) => Math.exp(at(logits.data, i));
      const value = ([group = 0, channel = 0]: readonly number[]) => {
        const weighted = sum(n, (i) => share(group * n + i) * at(x.data, (group * n + i) * c + channel));
        return weighted / sum(n, (i) => share(group * n + i));
      };
      return [elements([g, c], value)];
    },
    cases: [
      { inputs: { logits: [1, 16901], x: [1, 16901, 8] }, about: "several workgroups" },
      { inputs: { logits: [5, 301], x: [5, 301, 5] } },
      { inputs: { logits: [2, 1], x: [2, 1, 5] } },
      { inputs: { logits: noise([3, 77], { scale: 120 }), x: [3, 77, 8] }, about: "exponentials overflow" },
    ],
  }),
  softmax: checkOf(softmax, {
    expected: ({ x }) => {
      const c = lastOf(x.shape);
      const total = kept((r) => sum(c, (i) => Math.exp(at(x.data, r * c + i))));
      return [{ shape: x.shape, at: (i) => Math.exp(at(x.data, i)) / total(Math.floor(i / c)) }];
    },
    touches: ({ index, out }) => row(Math.floor(index / lastOf(out)), lastOf(out)),
    cases: CHANNELS.flatMap((c) => [{ inputs: { x: [7, c] } }, { inputs: { x: [3, 201 * c] } }]).concat([
      { inputs: { x: [2, 5, 3, 257] } },
    ]),
  }),
};
