import { batchNormEval, batchNormTrain } from "../../kernels/ops/norm/batch-norm.ts";
import { instanceNorm as instanceNormOp } from "../../kernels/ops/norm/instance-norm.ts";
import { layerNorm as layerNormOp } from "../../kernels/ops/norm/layer-norm.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { lastOf, sizeOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";

export interface BatchNorm {
  readonly kind: "batch";
  /** Added to the variance. */
  readonly eps: number;
  /** Share of a batch's statistics in the running ones. */
  readonly momentum: number;
}

/** What a convolution's result is normalised by. */
export type Norm = BatchNorm | { readonly kind: "instance"; readonly eps: number };

/** With PyTorch's defaults. */
export const BATCH_NORM: BatchNorm = { kind: "batch", eps: 1e-5, momentum: 0.1 };
export const INSTANCE_NORM: Norm = { kind: "instance", eps: 1e-5 };

export function normalised(build: Build, name: string, x: Value, norm: Norm): Value {
  return norm.kind === "batch" ? batchNorm(build, name, x, norm) : instanceNorm(build, name, x, norm.eps);
}

/**
 * Batch norm over all axes but the last. In training it uses the batch's statistics and notes them in the build, so
 * that the step moves the running ones; otherwise it uses the running ones.
 */
export function batchNorm(build: Build, name: string, x: Value, { eps, momentum }: BatchNorm): Value {
  return build.scope(name, () => {
    const { graph } = build;
    const channels = lastOf(x.shape);
    const { weight, bias } = affine(build, channels);
    const mean = build.statistic("running_mean", channels, 0);
    const variance = build.statistic("running_var", channels, 1);
    if (build.mode === "eval") return graph.apply(batchNormEval, { x, weight, bias, mean, variance }, { eps });
    const [y, batch] = graph.applyAll(batchNormTrain, { x, weight, bias }, { eps });
    if (!batch) throw new Error("batchNormTrain must return its statistics");
    build.statistics.push({ name: graph.path, batch, count: sizeOf(x.shape) / channels, momentum });
    return y;
  });
}

/** Instance norm: over the pixels of each image and channel. */
function instanceNorm(build: Build, name: string, x: Value, eps: number): Value {
  return build.scope(name, () => build.graph.apply(instanceNormOp, { x, ...affine(build, lastOf(x.shape)) }, { eps }));
}

/** Layer norm over the last axis. */
export function layerNorm(build: Build, name: string, x: Value, eps: number): Value {
  return build.scope(name, () => build.graph.apply(layerNormOp, { x, ...affine(build, lastOf(x.shape)) }, { eps }));
}

/** The scale and shift every norm ends with; they change nothing at first. */
function affine(build: Build, channels: number): { readonly weight: Value; readonly bias: Value } {
  const weight = build.parameter("weight", [channels], { kind: "constant", value: 1 });
  return { weight, bias: build.parameter("bias", [channels], { kind: "constant", value: 0 }) };
}
