import { once } from "../../once.ts";
import { allWide } from "../../shader/shader.ts";
import { FREE, perOutput } from "../../trace/cost.ts";
import { defineOp, FIRST_ORDER, NO_MACS } from "../../trace/op.ts";
import { lastOf } from "../../trace/shape.ts";
import { channelwise, type Eps, pair, sumsShape } from "./channelwise.ts";
import { gradientSums } from "./gradient-kernels.ts";
import { layerGradient, layerNormalise } from "./layer-kernels.ts";

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
  half: "reads",
  derivative: FIRST_ORDER,
});

const layerNormGrad = defineOp<unknown>()({
  name: "layerNormGrad",
  inputs: ["grad", "x", "statistics", "weight"],
  shape: ({ grad, x }) => {
    sumsShape("layerNormGrad", { grad, x });
    return x;
  },
  epilogue: ["residual", "slope"],
  lower: ({ inputs: { grad, x, statistics, weight }, out, target, epilogue }) => [
    layerGradient({ target, wide: allWide(x), grad, x, statistics, weight, out, epilogue }),
  ],
  macs: NO_MACS,
  cost: FREE,
  half: "computes",
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
  half: "computes",
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
