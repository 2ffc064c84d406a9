import { ShapeError } from "../../../errors.ts";
import { once } from "../../once.ts";
import { allWide, perInvocation, read, update } from "../../shader/shader.ts";
import { FREE, perOutput } from "../../trace/cost.ts";
import { defineOp, FIRST_ORDER, NO_MACS, type Shapes, type Value } from "../../trace/op.ts";
import { lastOf, type Shape, sameShape } from "../../trace/shape.ts";
import { channelGradient, gradientSums, normaliseChannels } from "./kernels.ts";
import { layerGradient, layerNormalise } from "./layer-kernels.ts";
import { channelStatistics } from "./statistics.ts";

/** Shape rule of all norms: `x` [.., c] and one number a channel in every other input. */
function channelwise(op: string, { x, ...rest }: { readonly x: Shape; readonly [name: string]: Shape }): Shape {
  const channels = lastOf(x);
  const wrong = Object.values(rest).some((shape) => !sameShape(shape, [channels]));
  if (wrong || x.length < 2 || x.some((extent) => extent < 1)) {
    const others = Object.entries(rest).map(([name, shape]) => `${name} [${shape}]`);
    throw new ShapeError(`${op}: x [${x}] does not fit ${others.join(", ")}, which must be [${channels}]`);
  }
  return x;
}

/** Shape rule of the ops that make `[c]` sums out of a gradient. */
function sumsShape(op: string, { grad, x }: { readonly grad: Shape; readonly x: Shape }): Shape {
  if (!sameShape(grad, x)) throw new ShapeError(`${op}: grad [${grad}] and x [${x}] differ`);
  return [lastOf(x)];
}

interface Eps {
  readonly eps: number;
}

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

type Pair = readonly [bias: Value, weight: Value];
const pair = ([first, second]: readonly [Value, ...Value[]]): Pair => [first, second ?? first];

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

/**
 * Moves running statistics towards those of a batch, `running = (1 - momentum) running + momentum batch`, with the
 * variance made unbiased for `count` rows. Does nothing when `control` says that the step is skipped.
 */
export const updateRunning = defineOp<{ readonly momentum: number; readonly count: number }>()({
  name: "updateRunning",
  inputs: ["mean", "variance", "statistics", "control"],
  updates: ["mean", "variance"],
  shape({ mean, variance, statistics, control }: Shapes<"mean" | "variance" | "statistics" | "control">) {
    const channels = lastOf(mean);
    if (!sameShape(mean, variance) || !sameShape(statistics, [3, channels]) || !sameShape(control, [4])) {
      throw new ShapeError(
        `updateRunning: mean [${mean}], variance [${variance}], statistics [${statistics}] and control [${control}] must be [c], [c], [3, c] and [4]`,
      );
    }
    return null;
  },
  lower: ({ inputs: { mean, variance, statistics, control }, attrs: { momentum, count }, target }) => [
    perInvocation({
      label: "updateRunning",
      target,
      count: lastOf(mean.shape),
      type: "f32",
      tensors: { mean: update(mean), variance: update(variance), statistics: read(statistics), control: read(control) },
      floats: { keep: 1 - momentum, take: momentum, unbiased: (momentum * count) / Math.max(count - 1, 1) },
      body: `  if (control_at(0u) != 0u) { return; }
  mean_set(i, args.keep * mean_at(i) + args.take * statistics_at(i));
  variance_set(i, args.keep * variance_at(i) + args.unbiased * statistics_at(args.count + i));`,
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  derivative: "statistics take no part in the loss",
});

const layerNormSums = defineOp<unknown>()({
  name: "layerNormSums",
  inputs: ["grad", "x", "statistics"],
  shape: (shapes) => sumsShape("layerNormSums", shapes),
  extra: ({ x }) => [[lastOf(x)]],
  lower: ({ inputs: { grad, x, statistics }, out, extra: [weight = out], target, scratch }) =>
    gradientSums({
      label: "layerNormSums",
      target,
      scratch,
      wide: allWide(x),
      grad,
      x,
      moments: { kind: "rows", statistics },
      outs: [out, weight],
    }),
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});

const layerNormGrad = defineOp<unknown>()({
  name: "layerNormGrad",
  inputs: ["grad", "x", "statistics", "weight"],
  shape: ({ grad, x }) => {
    sumsShape("layerNormGrad", { grad, x });
    return x;
  },
  lower: ({ inputs: { grad, x, statistics, weight }, out, target }) => [
    layerGradient({ target, wide: allWide(x), grad, x, statistics, weight, out }),
  ],
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});

/** Normalises each row over the last axis. The extra output [rows, 2] holds its mean and reciprocal deviation. */
export const layerNorm = defineOp<Eps>()({
  name: "layerNorm",
  inputs: ["x", "weight", "bias"],
  shape: (shapes) => channelwise("layerNorm", shapes),
  extra: ({ x }) => [[x.slice(0, -1).reduce((rows, extent) => rows * extent, 1), 2]],
  lower: ({ inputs: { x, weight, bias }, out, extra: [statistics = out], attrs: { eps }, target }) => [
    layerNormalise({ target, wide: allWide(x), x, weight, bias, statistics, out, eps }),
  ],
  macs: NO_MACS,
  cost: { macs: "none", profiled: perOutput(4, "always") },
  derivative: {
    saves: ["x", "weight", "extra0"],
    backward(grad, { x, weight, extra0: statistics }, { exec }) {
      const sums = once(() => pair(exec.applyAll(layerNormSums, { grad, x, statistics }, {})));
      return {
        x: () => exec.apply(layerNormGrad, { grad, x, statistics, weight }, {}),
        weight: () => sums()[1],
        bias: () => sums()[0],
      };
    },
  },
});
