import { ShapeError } from "../../../errors.ts";
import { once } from "../../once.ts";
import { allWide } from "../../shader/shader.ts";
import { FREE, perOutput } from "../../trace/cost.ts";
import { defineOp, FIRST_ORDER, NO_MACS, repetition } from "../../trace/op.ts";
import { lastOf, sameShape } from "../../trace/shape.ts";
import { channelwise, type Eps, pair, sumsShape } from "./channelwise.ts";
import { channelGradient, gradientSums, normaliseChannels } from "./kernels.ts";
import { channelStatistics } from "./statistics.ts";

/** [c] gradient of the bias, and as extra that of the weight; the input's gradient needs both. */
const batchNormTrainSums = defineOp<Eps>()({
  name: "batchNormTrainSums",
  inputs: ["grad", "x", "statistics"],
  shape: (shapes) => sumsShape("batchNormTrainSums", shapes),
  extra: ({ x }) => [[lastOf(x)]],
  lower: ({ inputs: { grad, x, statistics }, out, extra: [weight = out], attrs: { eps }, target, scratch }) =>
    gradientSums({
      label: "batchNormTrainSums",
      target,
      scratch,
      wide: allWide(x),
      grad,
      x,
      moments: { kind: "joint", statistics, eps },
      outs: [out, weight],
    }),
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});

const batchNormTrainGrad = defineOp<Eps>()({
  name: "batchNormTrainGrad",
  inputs: ["grad", "x", "statistics", "weight", "plain", "scaled"],
  shape: ({ x, grad }) => {
    sumsShape("batchNormTrainGrad", { x, grad });
    return x;
  },
  lower: ({ inputs: { grad, x, statistics, weight, plain, scaled }, out, attrs: { eps }, target }) => [
    channelGradient({
      label: "batchNormTrainGrad",
      target,
      wide: allWide(x),
      grad,
      x,
      weight,
      moments: { kind: "joint", statistics, eps },
      sums: { bias: plain, weight: scaled },
      out,
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});

/**
 * Batch norm by the statistics of the batch itself. The extra output holds them, [3, c]: mean, biased variance, and what rounding took from the mean.
 */
export const batchNormTrain = defineOp<Eps>()({
  name: "batchNormTrain",
  inputs: ["x", "weight", "bias"],
  shape: (shapes) => channelwise("batchNormTrain", shapes),
  extra: ({ x }) => [[3, lastOf(x)]],
  epilogue: ["residual", "activation"],
  lower({ inputs: { x, weight, bias }, out, extra: [statistics = out], attrs: { eps }, target, epilogue, scratch }) {
    const call = { label: "batchNormTrain", target, wide: allWide(x), x };
    return [
      ...channelStatistics({ ...call, scratch, statistics }),
      normaliseChannels({ ...call, weight, bias, out, moments: { kind: "joint", statistics, eps }, epilogue }),
    ];
  },
  again: ({ inputs, extra: [statistics = inputs.x], attrs }) =>
    repetition(batchNormBy, { ...inputs, statistics }, attrs),
  macs: NO_MACS,
  cost: FREE,
  derivative: {
    saves: ["x", "weight", "extra0"],
    backward(grad, { x, weight, extra0: statistics }, { attrs, exec }) {
      const sums = once(() => pair(exec.applyAll(batchNormTrainSums, { grad, x, statistics }, attrs)));
      return {
        x: () => {
          const [plain, scaled] = sums();
          return exec.apply(batchNormTrainGrad, { grad, x, statistics, weight, plain, scaled }, attrs);
        },
        weight: () => sums()[1],
        bias: () => sums()[0],
      };
    },
  },
});

/**
 * Batch norm by statistics [3, c] as {@link batchNormTrain} makes them of `x`: its second half alone, bit for bit. What a
 * pass repeats, or has left when the statistics come from elsewhere.
 */
export const batchNormBy = defineOp<Eps>()({
  name: "batchNormBy",
  inputs: ["x", "statistics", "weight", "bias"],
  shape({ x, statistics, weight, bias }) {
    if (!sameShape(statistics, [3, lastOf(x)])) {
      throw new ShapeError(`batchNormBy: statistics [${statistics}] must be [3, ${lastOf(x)}] for x [${x}]`);
    }
    return channelwise("batchNormBy", { x, weight, bias });
  },
  epilogue: ["residual", "activation"],
  lower: ({ inputs: { x, statistics, weight, bias }, out, attrs: { eps }, target, epilogue }) => [
    normaliseChannels({
      label: "batchNormBy",
      target,
      wide: allWide(x),
      x,
      weight,
      bias,
      out,
      moments: { kind: "joint", statistics, eps },
      epilogue,
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  derivative: "it is made by a pass that runs after differentiation",
});

const batchNormEvalSums = defineOp<Eps>()({
  name: "batchNormEvalSums",
  inputs: ["grad", "x", "mean", "variance"],
  shape: (shapes) => sumsShape("batchNormEvalSums", shapes),
  extra: ({ x }) => [[lastOf(x)]],
  lower: ({ inputs: { grad, x, mean, variance }, out, extra: [weight = out], attrs: { eps }, target, scratch }) =>
    gradientSums({
      label: "batchNormEvalSums",
      target,
      scratch,
      wide: allWide(x),
      grad,
      x,
      moments: { kind: "split", mean, variance, eps },
      outs: [out, weight],
    }),
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});

const batchNormEvalGrad = defineOp<Eps>()({
  name: "batchNormEvalGrad",
  inputs: ["grad", "weight", "mean", "variance"],
  shape: ({ grad, weight, mean, variance }) => channelwise("batchNormEvalGrad", { x: grad, weight, mean, variance }),
  lower: ({ inputs: { grad, weight, mean, variance }, out, attrs: { eps }, target }) => [
    channelGradient({
      label: "batchNormEvalGrad",
      target,
      wide: allWide(grad),
      grad,
      x: grad,
      weight,
      moments: { kind: "split", mean, variance, eps },
      out,
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});

/** Batch norm by running statistics, which are constants to it. */
export const batchNormEval = defineOp<Eps>()({
  name: "batchNormEval",
  fusedAs: "norm",
  inputs: ["x", "weight", "bias", "mean", "variance"],
  shape: (shapes) => channelwise("batchNormEval", shapes),
  epilogue: ["residual", "activation"],
  lower: ({ inputs: { x, weight, bias, mean, variance }, out, attrs: { eps }, target, epilogue }) => [
    normaliseChannels({
      label: "batchNormEval",
      target,
      wide: allWide(x),
      x,
      weight,
      bias,
      out,
      moments: { kind: "split", mean, variance, eps },
      epilogue,
    }),
  ],
  macs: NO_MACS,
  cost: { macs: "none", profiled: perOutput(4, "always") },
  derivative: {
    saves: ["x", "weight", "mean", "variance"],
    backward(grad, { x, weight, mean, variance }, { attrs, exec }) {
      const sums = once(() => pair(exec.applyAll(batchNormEvalSums, { grad, x, mean, variance }, attrs)));
      return {
        x: () => exec.apply(batchNormEvalGrad, { grad, weight, mean, variance }, attrs),
        weight: () => sums()[1],
        bias: () => sums()[0],
        mean: null,
        variance: null,
      };
    },
  },
});
