import { batchNormTrainGrad, batchNormTrainSums } from "../../kernels/ops/norm/batch-norm.ts";
import { type Activation, FUSED_ACTIVATIONS } from "../../kernels/trace/op.ts";
import { lastOf, type Shape, sizeOf } from "../../kernels/trace/shape.ts";
import { ACTIVATIONS } from "../activation.ts";
import { checkOf } from "../check.ts";
import { noise } from "../draw.ts";
import { at, sum } from "../tensor.ts";

/** Half the step of central differences in float64. */
const STEP = 1e-6;

/** The slope of an activation at `x`; of none it is 1. */
function slopeAt(activation: Activation | undefined, x: number): number {
  if (!activation) return 1;
  const f = ACTIVATIONS[activation];
  return (f(x + STEP) - f(x - STEP)) / (2 * STEP);
}

const SHAPES: readonly Shape[] = [
  [2, 5, 7, 8],
  [2, 9, 7, 3],
  [2, 1, 1, 6],
  [3, 29, 23, 12],
];

/** Each shape with one activation, and a shape with each and with none. */
const CASES = [
  ...SHAPES.map((shape) => ({ shape, activation: "relu" as const })),
  ...[...FUSED_ACTIVATIONS.filter((name) => name !== "relu"), undefined].map((activation) => ({
    shape: [2, 5, 7, 8],
    activation,
  })),
];

export const NORM_GRADIENT = {
  batchNormTrainSums: checkOf(batchNormTrainSums, {
    expected({ grad, x, statistics, weight, bias }, { eps, activation }) {
      const c = lastOf(x.shape);
      const rows = sizeOf(x.shape) / c;
      const row = (number: number, channel: number) => at(statistics.data, number * c + channel);
      const rate = (channel: number) => 1 / Math.sqrt(row(1, channel) + eps);
      const normal = (i: number) => (at(x.data, i) - row(0, i % c) - row(2, i % c)) * rate(i % c);
      const behind = (i: number) =>
        at(grad.data, i) * slopeAt(activation, normal(i) * at(weight.data, i % c) + at(bias.data, i % c));
      const plain = (channel: number) => sum(rows, (r) => behind(r * c + channel));
      const scaled = (channel: number) => sum(rows, (r) => behind(r * c + channel) * normal(r * c + channel));
      const coefficients = [
        (channel: number) => row(0, channel),
        (channel: number) => row(2, channel),
        (channel: number) => at(weight.data, channel) * rate(channel),
        (channel: number) => at(bias.data, channel),
        (channel: number) => plain(channel) / rows,
        (channel: number) => (rate(channel) * scaled(channel)) / rows,
      ];
      return [
        { shape: [c], at: plain },
        { shape: [c], at: scaled },
        { shape: [6, c], at: (i) => coefficients[Math.floor(i / c)]?.(i % c) ?? Number.NaN },
      ];
    },
    cases: CASES.map(({ shape, activation }) => ({
      inputs: {
        grad: noise(shape),
        x: noise(shape, { scale: 2, centre: 0.8 }),
        statistics: noise([3, lastOf(shape)], { scale: 0.5, centre: 1 }),
        weight: noise([lastOf(shape)], { centre: 1.2 }),
        bias: noise([lastOf(shape)]),
      },
      attrs: { eps: 1e-5, ...(activation ? { activation } : {}) },
    })),
  }),
  batchNormTrainGrad: checkOf(batchNormTrainGrad, {
    expected({ grad, x, coefficients }, { activation }) {
      const c = lastOf(x.shape);
      const row = (number: number, i: number) => at(coefficients.data, number * c + (i % c));
      const out = (i: number) => {
        const apart = at(x.data, i) - row(0, i) - row(1, i);
        const behind = at(grad.data, i) * slopeAt(activation, apart * row(2, i) + row(3, i));
        return row(2, i) * (behind - row(4, i) - apart * row(5, i));
      };
      return [{ shape: x.shape, at: out }];
    },
    cases: CASES.map(({ shape, activation }) => ({
      inputs: { grad: noise(shape), x: noise(shape, { scale: 2 }), coefficients: noise([6, lastOf(shape)]) },
      attrs: activation ? { activation } : {},
    })),
  }),
};
