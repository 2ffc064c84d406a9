import { ShapeError, UsageError } from "../../errors.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { lastOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { type CommonConfig, type NetworkDefinition, requireCommon, requireWhole } from "../definition.ts";
import { joined } from "../layers/combine.ts";
import { type ConvolutionOptions, classifier, convolutions, transposedConvolution } from "../layers/convolution.ts";
import { framed } from "../layers/frame.ts";
import { INSTANCE_NORM } from "../layers/norm.ts";
import type { Head } from "../supervision.ts";
import { planFor, plannedFeatures, product, type StageStride, topologyOf } from "./nnunet-plan.ts";

/** nnU-Net's plain two-dimensional U-Net: instance norm, leaky ReLU, strided convolutions, deep supervision. */
export interface NnunetConfig extends CommonConfig {
  readonly kind: "nnunet";
  /** Channels of every stage, from full size down. */
  readonly features: readonly number[];
  /** Rows and columns each stage steps over: [1, 1], then 2 where a side is halved; all are when it is left out. */
  readonly strides?: readonly StageStride[];
  /** Convolutions of a stage. */
  readonly convs: number;
}

/** The stages nnU-Net plans for a patch of this size, two at least, from `base` channels on. */
function stages(height: number, width: number, base?: number): Pick<NnunetConfig, "features" | "strides"> {
  const halved = topologyOf(height, width).strides;
  const strides: readonly StageStride[] =
    halved.length > 1
      ? halved
      : [
          [1, 1],
          [2, 2],
        ];
  return { features: plannedFeatures(strides.length, base), strides };
}

function stridesOf({ features, strides }: NnunetConfig): readonly StageStride[] {
  return strides ?? features.map((_, i) => (i === 0 ? [1, 1] : [2, 2]));
}

export const NNUNET: NnunetConfig = {
  kind: "nnunet",
  classes: 8,
  height: 512,
  width: 512,
  features: plannedFeatures(8),
  convs: 2,
};

function stack(
  build: Build,
  name: string,
  x: Value,
  outer: number,
  { convs }: NnunetConfig,
  stride: StageStride = [1, 1],
): Value {
  const option: ConvolutionOptions = {
    outer,
    kernel: 3,
    bias: true,
    norm: INSTANCE_NORM,
    activation: { leaky: 0.01 },
    start: "he-in",
  };
  return convolutions(build, name, x, [{ ...option, stride }, ...Array.from({ length: convs - 1 }, () => option)]);
}

/** Halved from one output to the next coarser one, nothing for the coarsest, one in all. */
function weights(count: number): number[] {
  const raw = Array.from({ length: count }, (_, i) => (i === count - 1 && count > 1 ? 0 : 0.5 ** i));
  const total = raw.reduce((sum, weight) => sum + weight, 0);
  return raw.map((weight) => weight / total);
}

function run(build: Build, config: NnunetConfig, image: Value): Head[] {
  const { features, classes } = config;
  const strides = stridesOf(config);
  const levels: Value[] = [];
  let x = image;
  for (const [i, outer] of features.entries()) {
    x = stack(build, `enc.${i}`, x, outer, config, strides[i]);
    levels.push(x);
  }
  const [, height = 1, width = 1] = x.shape;
  if (build.mode === "train" && height * width === 1) {
    throw new ShapeError(
      `nnunet: ${features.length} stages leave one pixel of the image, which an instance norm makes zero in training; ` +
        "use a larger image or fewer stages",
    );
  }
  const outputs: { readonly name: string; readonly logits: Value }[] = [];
  for (const [i, skip] of levels.slice(0, -1).reverse().entries()) {
    const outer = lastOf(skip.shape);
    const stride = strides[strides.length - 1 - i] ?? [2, 2];
    const raising = { outer, kernel: stride, stride, norm: "none", start: "he-in" } as const;
    const both = joined(build, transposedConvolution(build, `up.${i}`, x, raising), skip);
    x = stack(build, `dec.${i}`, both, outer, config);
    const name = `head.${i}`;
    outputs.unshift({ name, logits: classifier(build, name, x, classes) });
  }
  const shares = weights(outputs.length);
  return outputs.map((output, i) => ({
    kind: "classes",
    ...output,
    weight: shares[i] ?? 0,
    shrink: product(strides.slice(0, i + 1)),
  }));
}

export const nnunet: NetworkDefinition<NnunetConfig> = {
  trace: (build, config, image) => framed(build, image, product(stridesOf(config)), (x) => run(build, config, x)),
  checked(config) {
    requireCommon(config);
    requireWhole({ convs: config.convs, ...Object.fromEntries(config.features.map((f, i) => [`features[${i}]`, f])) });
    if (config.features.length < 2) throw new UsageError("features: an nnU-Net has at least two stages");
    const strides = stridesOf(config);
    const wrong = strides.some((step, i) => step.length !== 2 || step.some((by) => by !== 1 && (by !== 2 || i === 0)));
    if (wrong || strides.length !== config.features.length) {
      throw new UsageError(
        `strides is ${JSON.stringify(strides)}; it must be [1, 1] for the first of ${config.features.length} stages and ` +
          "1 or 2 rows and columns for each further one",
      );
    }
    return config;
  },
  levels: ({ features }) => features.map((_, i) => [`enc.${i}`]),
  loss: { diceSmooth: 1e-5, diceOver: "batch", diceBackground: false },
  planWidth: ({ features: [base = 32] }) => base,
  /** Planned anew for the size, from `base` channels on. */
  scaled: (config, base) => ({ ...config, ...stages(config.height, config.width, base) }),
  patchPlan: planFor,
};
