import { batchNormBy, batchNormEval, batchNormTrain } from "../../kernels/ops/norm/batch-norm.ts";
import { foldForward } from "../../kernels/ops/norm/fold-forward.ts";
import { foldNorm } from "../../kernels/ops/norm/fold-norm.ts";
import { groupNorm } from "../../kernels/ops/norm/group-norm.ts";
import { instanceNorm } from "../../kernels/ops/norm/instance-norm.ts";
import { layerNorm } from "../../kernels/ops/norm/layer-norm.ts";
import { lastOf, type Shape, sizeOf } from "../../kernels/trace/shape.ts";
import { checkOf, type Touch } from "../check.ts";
import { type Drawn, noise } from "../draw.ts";
import { at, type Elements, kept, type Numbers, sum, type Tensors } from "../tensor.ts";
import { UPDATE_RUNNING } from "./running.ts";

/** Elements that are normalised together: `rows` times `width` of them from `start` on, rows `step` apart. */
interface Group {
  readonly start: number;
  readonly rows: number;
  readonly step: number;
  readonly width: number;
}

/** How a shape falls into groups. */
interface Grouping {
  readonly count: number;
  of(index: number): number;
  group(number: number): Group;
}

/** One group a channel. */
export function byChannel(shape: Shape): Grouping {
  const c = lastOf(shape);
  const group = (start: number) => ({ start, rows: sizeOf(shape) / c, step: c, width: 1 });
  return { count: c, of: (index) => index % c, group };
}

/** One group a row of the last axis. */
export function byRow(shape: Shape): Grouping {
  const c = lastOf(shape);
  const group = (row: number) => ({ start: row * c, rows: 1, step: 0, width: c });
  return { count: sizeOf(shape) / c, of: (index) => Math.floor(index / c), group };
}

/** `parts` groups of neighbouring channels in each sample of `[n, h, w, c]`. */
function bySample([n = 1, h = 1, w = 1, c = 1]: Shape, parts: number): Grouping {
  const width = c / parts;
  const group = (number: number) => {
    const start = Math.floor(number / parts) * h * w * c + (number % parts) * width;
    return { start, rows: h * w, step: c, width };
  };
  const of = (index: number) => Math.floor(index / (h * w * c)) * parts + Math.floor((index % c) / width);
  return { count: n * parts, of, group };
}

/** Mean and biased variance of a group. */
export function moments(x: Numbers, { start, rows, step, width }: Group) {
  const over = (f: (v: number) => number) =>
    sum(rows, (row) => sum(width, (i) => f(at(x, start + row * step + i)))) / (rows * width);
  const mean = over((v) => v);
  return { mean, variance: over((v) => (v - mean) ** 2) };
}

/** `(x - mean) / sqrt(variance + eps) * weight + bias`, with the moments of every group. */
export function normalised(
  { x, weight, bias }: Tensors<"x" | "weight" | "bias">,
  { of, group }: Grouping,
  eps: number,
): { readonly out: Elements; momentsOf(number: number): ReturnType<typeof moments> } {
  const c = lastOf(x.shape);
  const momentsOf = kept((number) => moments(x.data, group(number)));
  const out = (index: number) => {
    const { mean, variance } = momentsOf(of(index));
    const normal = (at(x.data, index) - mean) / Math.sqrt(variance + eps);
    return normal * at(weight.data, index % c) + at(bias.data, index % c);
  };
  return { out: { shape: x.shape, at: out }, momentsOf };
}

/** [3, c]: mean and biased variance of each channel, and what rounding took from the mean: nothing that a share of the numbers could show. */
export function statisticsOf({ shape, at: element }: Elements): Elements {
  const c = lastOf(shape);
  const numbers = kept(() => Float64Array.from({ length: sizeOf(shape) }, (_, i) => element(i)));
  const of = kept((channel) => moments(numbers(0), byChannel(shape).group(channel)));
  const rows = [(channel: number) => of(channel).mean, (channel: number) => of(channel).variance, () => 0];
  return { shape: [3, c], at: (index) => rows[Math.floor(index / c)]?.(index % c) ?? Number.NaN };
}

/** Of x its whole group, of a weight or bias its channel. */
const normTouches = (grouping: (shape: Shape) => Grouping) =>
  function* ({ input, index, out }: Touch<"x" | "weight" | "bias", unknown>): Generator<number> {
    if (input !== "x") {
      for (let place = index; place < sizeOf(out); place += lastOf(out)) yield place;
      return;
    }
    const { of, group } = grouping(out);
    const { start, rows, step, width } = group(of(index));
    for (let row = 0; row < rows; row++) for (let i = 0; i < width; i++) yield start + row * step + i;
  };

/** Inputs of a norm whose mean is not 0 and whose weights are not near it. */
export const normInputs = (shape: Shape): { readonly [P in "x" | "weight" | "bias"]: Drawn } => ({
  x: noise(shape, { scale: 2, centre: 0.8 }),
  weight: noise([lastOf(shape)], { centre: 1.2 }),
  bias: noise([lastOf(shape)]),
});

const running = (c: number) => ({ mean: noise([c]), variance: noise([c], { centre: 1.5 }) });

/** Rows beside a multiple of the 16 that a chunk has at least, and of the 32 of a block. */
const BATCHES: readonly Shape[] = [
  [2, 5, 7, 8],
  [2, 5, 7, 3],
  [2, 1, 1, 6],
  [1, 1, 2, 4],
  [3, 29, 23, 12],
  [1, 67, 129, 1],
];

/** Spread over a batch of images, or over rows. */
const batchBench = (batch: number) => {
  const [side, channels] = [64, 64];
  return {
    row: "batch norm",
    detail: `[${4 * batch}, ${side}, ${side}, ${channels}]`,
    inputs: { x: [4 * batch, side, side, channels], weight: [channels], bias: [channels] },
    attrs: { eps: 1e-3 },
    passes: [{ name: "backward", of: ["x", "bias"] as const, samples: 6 }],
  };
};

const layerBench = (batch: number) => {
  const [rows, width] = [4096 * batch, 256];
  return {
    row: "layer norm",
    detail: `[${rows}, ${width}]`,
    inputs: { x: [rows, width], weight: [width], bias: [width] },
    attrs: { eps: 1e-5 },
    passes: [{ name: "backward", of: ["x", "bias"] as const }],
  };
};

export const NORM = {
  batchNormTrain: checkOf(batchNormTrain, {
    expected(t, { eps }) {
      const x = { shape: t.x.shape, at: (index: number) => at(t.x.data, index) };
      return [normalised(t, byChannel(x.shape), eps).out, statisticsOf(x)];
    },
    touches: normTouches(byChannel),
    cases: BATCHES.map((shape, i) => ({
      inputs: normInputs(shape),
      attrs: { eps: 1e-5 },
      ...(i === 1 ? { fused: true as const } : {}),
    })),
    bench: ({ batch }) => [batchBench(batch)],
  }),
  batchNormBy: checkOf(batchNormBy, {
    expected: ({ x, statistics, weight, bias }, { eps }) => {
      const c = lastOf(x.shape);
      const row = (number: number, channel: number) => at(statistics.data, number * c + channel);
      const out = (i: number) => {
        const normal = (at(x.data, i) - row(0, i % c) - row(2, i % c)) / Math.sqrt(row(1, i % c) + eps);
        return normal * at(weight.data, i % c) + at(bias.data, i % c);
      };
      return [{ shape: x.shape, at: out }];
    },
    cases: BATCHES.slice(0, 4).map((shape, i) => ({
      inputs: { ...normInputs(shape), statistics: noise([3, lastOf(shape)], { centre: 1.5 }) },
      attrs: { eps: 1e-5 },
      ...(i === 1 ? { fused: true as const } : {}),
    })),
  }),
  batchNormEval: checkOf(batchNormEval, {
    expected: ({ x, weight, bias, mean, variance }, { eps }) => {
      const c = lastOf(x.shape);
      const rate = (i: number) => at(weight.data, i) / Math.sqrt(at(variance.data, i) + eps);
      const out = (i: number) => (at(x.data, i) - at(mean.data, i % c)) * rate(i % c) + at(bias.data, i % c);
      return [{ shape: x.shape, at: out }];
    },
    constants: ["mean", "variance"],
    cases: BATCHES.slice(0, 4).map((shape, i) => ({
      inputs: { ...normInputs(shape), ...running(lastOf(shape)) },
      attrs: { eps: 1e-5 },
      ...(i === 1 ? { fused: true as const } : {}),
    })),
  }),
  foldNorm: checkOf(foldNorm, {
    expected: ({ weight, bias, mean, variance }, { eps }) => {
      const factor = (i: number) => at(weight.data, i) / Math.sqrt(at(variance.data, i) + eps);
      const shift = (i: number) => at(bias.data, i) - at(mean.data, i) * factor(i);
      return [factor, shift].map((f) => ({ shape: weight.shape, at: f }));
    },
    cases: [8, 67].map((c) => ({ inputs: { weight: [c], bias: [c], ...running(c) }, attrs: { eps: 1e-3 } })),
  }),
  foldForward: checkOf(foldForward, {
    expected: ({ weight, scale, shift }, { start }) => {
      const [k = 0, , , c = 0] = weight.shape;
      const taken = lastOf(scale.shape);
      const inside = (j: number) => j >= start && j < start + taken;
      const folded = (i: number) => at(weight.data, i) * (inside(i % c) ? at(scale.data, (i % c) - start) : 1);
      const summand = (i: number) =>
        scale.data.reduce((total, _, j) => total + at(weight.data, i * c + start + j) * at(shift.data, j), 0);
      return [
        { shape: weight.shape, at: folded },
        { shape: [k], at: summand },
      ];
    },
    cases: [
      { inputs: { weight: [5, 1, 1, 8], scale: [8], shift: [8] }, attrs: { start: 0 } },
      { inputs: { weight: [70, 1, 1, 13], scale: [7], shift: [7] }, attrs: { start: 3 } },
      { inputs: { weight: [4, 1, 1, 9], scale: [4], shift: [4] }, attrs: { start: 5 } },
    ],
  }),
  updateRunning: UPDATE_RUNNING,
  layerNorm: checkOf(layerNorm, {
    expected(t, { eps }) {
      const grouping = byRow(t.x.shape);
      const { out, momentsOf } = normalised(t, grouping, eps);
      const saved = (index: number) => {
        const { mean, variance } = momentsOf(Math.floor(index / 2));
        return index % 2 === 0 ? mean : 1 / Math.sqrt(variance + eps);
      };
      return [out, { shape: [grouping.count, 2], at: saved }];
    },
    touches: normTouches(byRow),
    cases: (
      [
        [3, 5, 8],
        [2, 37, 33],
        [4, 3, 1],
        [1, 601, 4],
        [2, 9, 516],
      ] satisfies Shape[]
    ).map((shape) => ({ inputs: normInputs(shape), attrs: { eps: 1e-5 } })),
    bench: ({ batch }) => [layerBench(batch)],
  }),
  instanceNorm: checkOf(instanceNorm, {
    expected(t, { eps }) {
      const [n = 1, , , c = 1] = t.x.shape;
      const { out, momentsOf } = normalised(t, bySample(t.x.shape, c), eps);
      const saved = (index: number) => {
        const { mean, variance } = momentsOf(Math.floor(index / (2 * c)) * c + (index % c));
        return Math.floor(index / c) % 2 === 0 ? mean : variance;
      };
      return [out, { shape: [n, 2, c], at: saved }];
    },
    touches: normTouches((shape) => bySample(shape, lastOf(shape))),
    cases: (
      [
        [3, 13, 11, 8],
        [3, 13, 11, 5],
        [2, 1, 2, 4],
        [3, 29, 23, 12],
        [1, 131, 129, 1],
      ] satisfies Shape[]
    ).map((shape) => ({ inputs: normInputs(shape), attrs: { eps: 1e-3 } })),
  }),
  groupNorm: checkOf(groupNorm, {
    expected(t, { groups, eps }) {
      const grouping = bySample(t.x.shape, groups);
      const { out, momentsOf } = normalised(t, grouping, eps);
      const saved = (index: number) => {
        const { mean, variance } = momentsOf(Math.floor(index / 2));
        return index % 2 === 0 ? mean : 1 / Math.sqrt(variance + eps);
      };
      return [out, { shape: [t.x.shape[0] ?? 1, groups, 2], at: saved }];
    },
    cases: (
      [
        [[3, 13, 11, 8], 2],
        [[3, 13, 11, 8], 4],
        [[2, 7, 5, 15], 3],
        [[2, 1, 2, 5], 1],
        [[1, 67, 31, 6], 6],
      ] satisfies [Shape, number][]
    ).map(([shape, groups]) => ({ inputs: normInputs(shape), attrs: { groups, eps: 1e-3 } })),
  }),
};
