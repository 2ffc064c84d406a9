import { ShapeError } from "../../../errors.ts";
import { once } from "../../once.ts";
import { allWide } from "../../shader/shader.ts";
import { FREE, perOutput } from "../../trace/cost.ts";
import { type Activation, defineOp, FIRST_ORDER, NO_MACS, repetition } from "../../trace/op.ts";
import { lastOf, sameShape } from "../../trace/shape.ts";
import { channelwise, type Eps, pair, sumsShape } from "./channelwise.ts";
import { COEFFICIENTS, channelGradient, gradientSums, gradientSumsBehind, scaledGradient } from "./gradient-kernels.ts";
import { normaliseChannels } from "./kernels.ts";
import { channelStatistics } from "./statistics.ts";

/** What followed a batch norm, whose slope its gradient takes in. */
interface Behind extends Eps {
  readonly activation?: Activation;
}

/**
 * [c] gradient of the bias, and as extras that of the weight and the coefficients [6, c] by which the input's gradient is
 * made. Takes the norm's activation over: then `grad` is that of the activation's result.
 */
export const batchNormTrainSums = defineOp<Behind>()({
  name: "batchNormTrainSums",
  inputs: ["grad", "x", "statistics", "weight", "bias"],
  shape: (shapes) => sumsShape("batchNormTrainSums", shapes),
  extra: ({ x }) => [[lastOf(x)], [COEFFICIENTS, lastOf(x)]],
  lower({ inputs: { grad, x, statistics, weight, bias }, out, extra, attrs: { eps, activation }, target, scratch }) {
    const [scaled = out, coefficients = out] = extra;
    return gradientSumsBehind({
      ...{ label: "batchNormTrainSums", target, scratch, wide: allWide(x), grad, x },
      moments: { kind: "joint", statistics, eps },
      outs: [out, scaled],
      following: { activation, weight, bias },
      coefficients,
    });
  },
  macs: NO_MACS,
  cost: FREE,
  half: "reads",
  derivative: FIRST_ORDER,
});

export const batchNormTrainGrad = defineOp<Pick<Behind, "activation">>()({
  name: "batchNormTrainGrad",
  inputs: ["grad", "x", "coefficients"],
  shape: ({ x, grad }) => {
    sumsShape("batchNormTrainGrad", { x, grad });
    return x;
  },
  epilogue: ["residual", "slope"],
  lower: ({ inputs: { grad, x, coefficients }, out, attrs: { activation }, target, epilogue }) => [
    channelGradient({
      ...{ label: "batchNormTrainGrad", target, wide: allWide(x), grad, x, coefficients },
      activation,
      epilogue,
      out,
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  half: "computes",
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
  half: "computes",
  derivative: {
    saves: ["x", "weight", "bias", "extra0"],
    backward(grad, { x, weight, bias, extra0: statistics }, { attrs, exec }) {
      const sums = once(() => {
        const [plain, scaled = plain, coefficients = plain] = exec.applyAll(
          batchNormTrainSums,
          { grad, x, statistics, weight, bias },
          attrs,
        );
        return { plain, scaled, coefficients };
      });
      return {
        x: () => exec.apply(batchNormTrainGrad, { grad, x, coefficients: sums().coefficients }, {}),
        weight: () => sums().scaled,
        bias: () => sums().plain,
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
  half: "computes",
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
  half: "reads",
  derivative: FIRST_ORDER,
});

const batchNormEvalGrad = defineOp<Eps>()({
  name: "batchNormEvalGrad",
  inputs: ["grad", "weight", "mean", "variance"],
  shape: ({ grad, weight, mean, variance }) => channelwise("batchNormEvalGrad", { x: grad, weight, mean, variance }),
  lower: ({ inputs: { grad, weight, mean, variance }, out, attrs: { eps }, target }) => [
    scaledGradient({
      label: "batchNormEvalGrad",
      target,
      wide: allWide(grad),
      grad,
      weight,
      moments: { kind: "split", mean, variance, eps },
      out,
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  half: "computes",
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
  half: "computes",
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
