import { ShapeError } from "../../errors.ts";
import { type ConvTranspose2dAttrs, conv2d, convTranspose2d } from "../../kernels/ops/contraction/conv.ts";
import { addBias } from "../../kernels/ops/contraction/linear.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { bothAxes, lastOf, type PerAxis, type Shape } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { type Activation, activated } from "./activation.ts";
import { biasStart, type Start, weightStart } from "./initialiser.ts";
import { BATCH_NORM, type Norm, normalised } from "./norm.ts";

/** What a convolution's own tensors are called below the layer's name. */
export interface ConvolutionNames {
  readonly weight: string;
  readonly bias: string;
}

export interface ConvolutionOptions {
  /** Output channels. */
  readonly outer: number;
  /** Rows and columns; 1 by default. */
  readonly kernel?: PerAxis;
  readonly stride?: PerAxis;
  readonly dilation?: number;
  readonly groups?: number;
  /** Batch norm with PyTorch's defaults unless another one or none is asked for. */
  readonly norm?: Norm | "none";
  /** The convolution's own; by default where no norm follows, since a norm has one. */
  readonly bias?: boolean;
  /** None by default. */
  readonly activation?: Activation | undefined;
  /** PyTorch's by default. */
  readonly start?: Start;
  /** By default `weight` and `bias`, inside a scope `conv` where a norm follows. */
  readonly names?: ConvolutionNames;
}

const FLAT: ConvolutionNames = { weight: "weight", bias: "bias" };

/**
 * The layer that networks are made of: convolution, norm, activation. Keeps the size at stride 1 (odd kernels). Its
 * tensors are `<name>.conv.weight` and `<name>.norm.*`, or `<name>.weight` and `<name>.bias` where no norm follows.
 */
export function convolution(build: Build, name: string, x: Value, options: ConvolutionOptions): Value {
  const { outer, kernel = 1, stride = 1, dilation = 1, groups = 1 } = options;
  const [height, width] = bothAxes(kernel);
  const sides = [dilation * Math.floor(height / 2), dilation * Math.floor(width / 2)] as const;
  const attrs = { stride, padding: height === width ? sides[0] : sides, dilation, groups };
  const shape = [outer, lastOf(x.shape) / groups, height, width];
  return layer(build, name, options, shape, (weight) => build.graph.apply(conv2d, { x, weight }, attrs));
}

/** {@link convolution}s one after the other, named by their place below `name`. */
export function convolutions(build: Build, name: string, x: Value, options: readonly ConvolutionOptions[]): Value {
  return build.scope(name, () => options.reduce((y, option, i) => convolution(build, String(i), y, option), x));
}

/** A 1x1 convolution to `outer` scores: a bias, no norm. */
export const classifier = (build: Build, name: string, x: Value, outer: number): Value =>
  convolution(build, name, x, { outer, norm: "none" });

/** The layer with a transposed convolution, which multiplies the size by its stride. */
export function transposedConvolution(
  build: Build,
  name: string,
  x: Value,
  options: Omit<ConvolutionOptions, "dilation" | "groups">,
): Value {
  const { outer, kernel = 1, stride = 1 } = options;
  const shape = [lastOf(x.shape), outer, ...bothAxes(kernel)];
  const attrs = { stride, ...enlargingPadding(kernel, stride) };
  return layer(build, name, options, shape, (weight) => build.graph.apply(convTranspose2d, { x, weight }, attrs));
}

/**
 * A 1x1 convolution with a bias and no norm whose output channels are handed out as several tensors of `split` channels;
 * a state dict holds one.
 */
export function convolutionParts(
  build: Build,
  name: string,
  x: Value,
  split: readonly number[],
  names: ConvolutionNames = FLAT,
): readonly Value[] {
  return build.scope(name, () => {
    const outer = split.reduce((sum, part) => sum + part, 0);
    const shape = [outer, lastOf(x.shape), 1, 1];
    const weights = build.parameterParts(names.weight, shape, weightStart("framework", shape), split);
    const biases = build.parameterParts(names.bias, [outer], biasStart("framework", shape), split);
    const attrs = { stride: 1, padding: 0, dilation: 1, groups: 1 };
    return weights.flatMap((weight, i) => {
      const bias = biases[i];
      if (!bias) return [];
      return [build.graph.apply(addBias, { x: build.graph.apply(conv2d, { x, weight }, attrs), bias }, {})];
    });
  });
}

/** What surrounds a contraction with a weight of `shape` (PyTorch's): its tensors, bias, norm and activation. */
function layer(
  build: Build,
  name: string,
  options: ConvolutionOptions,
  shape: Shape,
  contract: (weight: Value) => Value,
): Value {
  const { outer, norm = BATCH_NORM, bias = norm === "none", activation, start = "framework", names } = options;
  const { weight, bias: biasName } = names ?? FLAT;
  const contracted = (): Value => {
    const y = contract(build.parameter(weight, shape, weightStart(start, shape)));
    if (!bias) return y;
    return build.graph.apply(addBias, { x: y, bias: build.parameter(biasName, [outer], biasStart(start, shape)) }, {});
  };
  return build.scope(name, () => {
    if (norm === "none") return activated(build, contracted(), activation);
    const y = names ? contracted() : build.scope("conv", contracted);
    return activated(build, normalised(build, "norm", y, norm), activation);
  });
}

/** The paddings by which a transposed convolution's result is exactly `stride` times as large as its input. */
function enlargingPadding(kernel: PerAxis, stride: PerAxis): Pick<ConvTranspose2dAttrs, "padding" | "outputPadding"> {
  const [[r, s], [down, right]] = [bothAxes(kernel), bothAxes(stride)];
  const along = (taps: number, step: number) => {
    const padding = Math.max(0, Math.floor((taps - step + 1) / 2));
    return { padding, outputPadding: step - taps + 2 * padding };
  };
  const [rows, columns] = [along(r, down), along(s, right)];
  if (rows.padding !== columns.padding || rows.outputPadding !== columns.outputPadding) {
    throw new ShapeError(
      `transposed convolution: a kernel of ${r}x${s} with stride ${down}x${right} needs other paddings for rows than ` +
        "for columns, and there is one of each; make both sides of the kernel alike, or each as long as its stride",
    );
  }
  return rows;
}
