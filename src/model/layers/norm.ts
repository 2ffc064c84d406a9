import { batchNormEval, batchNormTrain, layerNorm as layerNormOp } from "../../kernels/ops/norm/norm.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { lastOf, sizeOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";

export interface NormSettings {
  readonly normEps: number;
  readonly normMomentum: number;
}

/**
 * Batch norm over all axes but the last. In training it uses the batch's statistics and notes them in the build, so
 * that the step moves the running ones; otherwise it uses the running ones.
 */
export function batchNorm(build: Build, name: string, x: Value, eps: number, momentum: number): Value {
  return build.scope(name, () => {
    const { graph } = build;
    const channels = lastOf(x.shape);
    const weight = build.parameter("weight", [channels], { kind: "constant", value: 1 });
    const bias = build.parameter("bias", [channels], { kind: "constant", value: 0 });
    const mean = build.statistic("running_mean", channels, 0);
    const variance = build.statistic("running_var", channels, 1);
    if (build.mode === "eval") return graph.apply(batchNormEval, { x, weight, bias, mean, variance }, { eps });
    const [y, batch] = graph.applyAll(batchNormTrain, { x, weight, bias }, { eps });
    if (!batch) throw new Error("batchNormTrain must return its statistics");
    build.statistics.push({ mean, variance, batch, count: sizeOf(x.shape) / channels, momentum });
    return y;
  });
}

/** Layer norm over the last axis. */
export function layerNorm(build: Build, name: string, x: Value, eps: number): Value {
  return build.scope(name, () => {
    const features = lastOf(x.shape);
    const weight = build.parameter("weight", [features], { kind: "constant", value: 1 });
    const bias = build.parameter("bias", [features], { kind: "constant", value: 0 });
    return build.graph.apply(layerNormOp, { x, weight, bias }, { eps });
  });
}
