import { addBias, conv2d, convTranspose2d, linear as linearOp } from "../../kernels/ops/contraction/conv.ts";
import { gelu, hardswish, relu, sigmoid, silu } from "../../kernels/ops/pointwise.ts";
import type { Activation, Value } from "../../kernels/trace/op.ts";
import { lastOf, type Shape } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { uniformByFan } from "../parameters.ts";
import { batchNorm, type NormSettings } from "./norm.ts";

const ACTIVATIONS = { relu, silu, gelu, sigmoid, hardswish };

export function activate(build: Build, kind: Activation | undefined, x: Value): Value {
  return kind ? build.graph.apply(ACTIVATIONS[kind], { x }, {}) : x;
}

export interface ConvOptions {
  readonly outer: number;
  readonly kernel?: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly groups?: number;
  readonly act?: Activation;
}

/** Convolution without bias, batch norm, activation. Keeps the size at stride 1. */
export function convNorm(build: Build, config: NormSettings, name: string, x: Value, options: ConvOptions): Value {
  return build.scope(name, () => {
    const y = batchNorm(build, "norm", convolve(build, x, options), config.normEps, config.normMomentum);
    return activate(build, options.act, y);
  });
}

/** Convolution with a bias (or none) and no norm, activation. */
export function convBare(
  build: Build,
  name: string,
  x: Value,
  options: ConvOptions & { readonly bias?: boolean },
): Value {
  return build.scope(name, () => {
    const y = convolve(build, x, options);
    const { outer, bias = true, act } = options;
    if (!bias) return activate(build, act, y);
    const b = build.parameter("conv.bias", [outer], uniformByFan(weightShape(x, options)));
    return activate(build, act, build.graph.apply(addBias, { x: y, bias: b }, {}));
  });
}

/** A bare 1x1 convolution whose output channels are handed out as several tensors of `split` channels. */
export function convSplit(build: Build, name: string, x: Value, split: readonly number[]): readonly Value[] {
  return build.scope(name, () => {
    const outer = split.reduce((sum, part) => sum + part, 0);
    const shape = [outer, lastOf(x.shape), 1, 1];
    const init = uniformByFan(shape);
    const weights = build.parameterParts("conv.weight", shape, init, split);
    const biases = build.parameterParts("conv.bias", [outer], init, split);
    return weights.flatMap((weight, i) => {
      const bias = biases[i];
      if (!bias) return [];
      const y = build.graph.apply(conv2d, { x, weight }, { stride: 1, padding: 0, dilation: 1, groups: 1 });
      return [build.graph.apply(addBias, { x: y, bias }, {})];
    });
  });
}

/** Transposed 3x3 convolution of stride 2 that doubles the size and keeps the channels, batch norm, ReLU. */
export function stretchNorm(build: Build, config: NormSettings, name: string, x: Value): Value {
  return build.scope(name, () => {
    const channels = lastOf(x.shape);
    const shape = [channels, channels, 3, 3];
    const weight = build.parameter("conv.weight", shape, uniformByFan(shape));
    const y = build.graph.apply(convTranspose2d, { x, weight }, { stride: 2, padding: 1, outputPadding: 1 });
    return activate(build, "relu", batchNorm(build, "norm", y, config.normEps, config.normMomentum));
  });
}

/** `x w^T + b` over the last axis of `[m, c]`. */
export function linear(build: Build, name: string, x: Value, outer: number): Value {
  return build.scope(name, () => {
    const shape = [outer, lastOf(x.shape)];
    const init = uniformByFan(shape);
    const y = build.graph.apply(linearOp, { x, weight: build.parameter("weight", shape, init) }, {});
    return build.graph.apply(addBias, { x: y, bias: build.parameter("bias", [outer], init) }, {});
  });
}

/**
 * One linear layer whose outputs are handed out as several tensors of `split` features. `projection` starts it as
 * PyTorch's multi-head attention does: Xavier's uniform weights and no bias.
 */
export function linearSplit(
  build: Build,
  name: string,
  x: Value,
  split: readonly number[],
  start: "linear" | "projection" = "linear",
): readonly Value[] {
  return build.scope(name, () => {
    const inner = lastOf(x.shape);
    const outer = split.reduce((sum, part) => sum + part, 0);
    const shape = [outer, inner];
    const xavier = { kind: "uniform", bound: Math.sqrt(6 / (inner + outer)) } as const;
    const init = start === "linear" ? uniformByFan(shape) : xavier;
    const weights = build.parameterParts("weight", shape, init, split);
    const none = { kind: "constant", value: 0 } as const;
    const biases = build.parameterParts("bias", [outer], start === "linear" ? init : none, split);
    return weights.flatMap((weight, i) => {
      const bias = biases[i];
      return bias ? [build.graph.apply(addBias, { x: build.graph.apply(linearOp, { x, weight }, {}), bias }, {})] : [];
    });
  });
}

function weightShape(x: Value, { outer, kernel = 1, groups = 1 }: ConvOptions): Shape {
  return [outer, lastOf(x.shape) / groups, kernel, kernel];
}

function convolve(build: Build, x: Value, options: ConvOptions): Value {
  const { kernel = 1, stride = 1, dilation = 1, groups = 1 } = options;
  const shape = weightShape(x, options);
  const weight = build.parameter("conv.weight", shape, uniformByFan(shape));
  const padding = ((kernel - 1) / 2) * dilation;
  return build.graph.apply(conv2d, { x, weight }, { stride, padding, dilation, groups });
}
