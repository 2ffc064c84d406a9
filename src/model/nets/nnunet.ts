import { ShapeError, UsageError } from "../../errors.ts";
import type { Value } from "../../kernels/op.ts";
import { addBias, convTranspose2d } from "../../kernels/ops/conv.ts";
import { lastOf } from "../../kernels/shape.ts";
import type { Build } from "../build.ts";
import { type CommonConfig, type Head, type NetworkDefinition, requireCommon, requireWhole } from "../definition.ts";
import { classifier, framed, joined, type UnitOptions, units } from "../layers/unit.ts";

/** nnU-Net's plain two-dimensional U-Net: instance norm, leaky ReLU, strided convolutions, deep supervision. */
export interface NnunetConfig extends CommonConfig {
  readonly kind: "nnunet";
  /** Channels of every stage, from full size down. */
  readonly features: readonly number[];
  /** Convolutions of a stage. */
  readonly convs: number;
}

/** The most channels of a stage in two dimensions. */
const MOST = 512;

/** nnU-Net's plan for a patch: an axis is halved as long as it keeps 4 pixels; channels double from `base` on. */
export function plannedFeatures(height: number, width: number, base = 32): number[] {
  const halvings = (side: number) => Math.max(0, Math.floor(Math.log2(side / 4)));
  const stages = 1 + Math.max(1, Math.min(halvings(height), halvings(width)));
  const most = Math.max(base, (MOST * base) / 32);
  return Array.from({ length: stages }, (_, i) => Math.min(base * 2 ** i, most));
}

export const NNUNET: NnunetConfig = {
  kind: "nnunet",
  classes: 8,
  height: 512,
  width: 512,
  features: plannedFeatures(512, 512),
  convs: 2,
};

function stack(build: Build, name: string, x: Value, outer: number, { convs }: NnunetConfig, stride = 1): Value {
  const option: UnitOptions = {
    outer,
    kernel: 3,
    bias: true,
    norm: "instance",
    act: { leaky: 0.01 },
    start: "he-in",
  };
  return units(build, name, x, [{ ...option, stride }, ...Array.from({ length: convs - 1 }, () => option)]);
}

/** Transposed 2x2 convolution of stride 2 with a bias. */
function raised(build: Build, name: string, x: Value, outer: number): Value {
  return build.scope(name, () => {
    const shape = [lastOf(x.shape), outer, 2, 2];
    const deviation = Math.sqrt(2 / (1 + 0.01 ** 2) / (outer * 4));
    const weight = build.parameter("weight", shape, { kind: "normal", deviation });
    const bias = build.parameter("bias", [outer], { kind: "constant", value: 0 });
    const y = build.graph.apply(convTranspose2d, { x, weight }, { stride: 2, padding: 0, outputPadding: 0 });
    return build.graph.apply(addBias, { x: y, bias }, {});
  });
}

/** Halved from one output to the next coarser one, nothing for the coarsest, one in all. */
function weights(count: number): number[] {
  const raw = Array.from({ length: count }, (_, i) => (i === count - 1 && count > 1 ? 0 : 0.5 ** i));
  const total = raw.reduce((sum, weight) => sum + weight, 0);
  return raw.map((weight) => weight / total);
}

function run(build: Build, config: NnunetConfig, image: Value): Head[] {
  const { features, classes } = config;
  const levels: Value[] = [];
  let x = image;
  for (const [i, outer] of features.entries()) {
    x = stack(build, `enc.${i}`, x, outer, config, i === 0 ? 1 : 2);
    levels.push(x);
  }
  const [, height = 1, width = 1] = x.shape;
  if (build.mode === "train" && height * width === 1) {
    throw new ShapeError(
      `nnunet: ${features.length} stages leave one pixel of the image, which an instance norm makes zero in training; ` +
        "use a larger image or fewer stages",
    );
  }
  const outputs: Value[] = [];
  for (const [i, skip] of levels.slice(0, -1).reverse().entries()) {
    const outer = lastOf(skip.shape);
    const both = joined(build, raised(build, `up.${i}`, x, outer), skip);
    x = stack(build, `dec.${i}`, both, outer, config);
    outputs.unshift(classifier(build, `head.${i}`, x, classes));
  }
  const shares = weights(outputs.length);
  return outputs.map((logits, i) => ({ kind: "classes", logits, weight: shares[i] ?? 0, shrink: 2 ** i }));
}

export const nnunet: NetworkDefinition<NnunetConfig> = {
  trace: (build, config, image) =>
    framed(build, image, 2 ** (config.features.length - 1), (x) => run(build, config, x)),
  checked(config) {
    requireCommon(config);
    requireWhole({ convs: config.convs, ...Object.fromEntries(config.features.map((f, i) => [`features[${i}]`, f])) });
    if (config.features.length < 2) throw new UsageError("features: an nnU-Net has at least two stages");
    return config;
  },
  loss: { diceSmooth: 1e-5, diceOver: "batch", diceBackground: false },
  planned: ({ features: [base = 32] }) => base,
  /** Planned anew for the size, from `base` channels on. */
  scaled: (config, base) => ({ ...config, features: plannedFeatures(config.height, config.width, base) }),
};
