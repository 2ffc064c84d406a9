import { attention } from "../../kernels/ops/attention/attention.ts";
import { pack2x2, unpack2x2 } from "../../kernels/ops/packing.ts";
import { weightedSum } from "../../kernels/ops/reduce/reduce.ts";
import { softmax } from "../../kernels/ops/reduce/softmax.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { activated } from "../layers/activation.ts";
import { joined, product, sum } from "../layers/combine.ts";
import { convolution, convolutionParts } from "../layers/convolution.ts";
import { linear, linearParts } from "../layers/linear.ts";
import { batchNorm, layerNorm } from "../layers/norm.ts";
import { type GateKind, type GateSettings, gate } from "./gates.ts";
import { roundChannels } from "./rounding.ts";
import { bare, NAMES, normed } from "./style.ts";

/** Parts of the AssemFormer that are chosen by name. */
export const FORMER_CHOICES = {
  formerAttention: ["separable", "mhsa"],
  formerLocal: ["dense", "depthwise"],
  formerActivation: ["silu", "gelu"],
} as const;

type FormerChoice<Field extends keyof typeof FORMER_CHOICES> = (typeof FORMER_CHOICES)[Field][number];

export interface AssemFormerSettings extends GateSettings {
  readonly formerAttention: FormerChoice<"formerAttention">;
  readonly formerLocal: FormerChoice<"formerLocal">;
  readonly formerProjection: boolean;
  readonly formerDepth: number;
  readonly formerFfn: number;
  readonly formerHeads: number;
  readonly formerActivation: FormerChoice<"formerActivation">;
  readonly formerNormEps: number;
}

/** Convolutions for what is near, a transformer over 2x2 packed pixels for what is far, joined and added to `x`. */
export function assemFormer(build: Build, config: AssemFormerSettings, x: Value, gateKind: GateKind): Value {
  return build.scope("former", () => {
    const { graph } = build;
    const { h, w, c } = nhwc("assemFormer", "x", x.shape);
    const groups = config.formerLocal === "depthwise" ? c : 1;
    const mixed = convolution(build, "local", x, { outer: c, kernel: 3, groups, ...normed(config, "silu") });
    const gated = gate(build, config, gateKind, mixed);
    const local = convolution(build, "embed", gated, { outer: Math.floor(c / 2), bias: false, ...bare() });
    const packed = graph.apply(pack2x2, { x: local }, {});
    const tokens =
      config.formerAttention === "mhsa" ? softmaxBlocks(build, config, packed) : separableBlocks(build, config, packed);
    const far = graph.apply(unpack2x2, { x: tokens }, { height: h, width: w });
    const shaped = config.formerProjection
      ? convolution(build, "projection", far, { outer: Math.floor(c / 2), ...normed(config) })
      : far;
    const fused = convolution(build, "fuse", joined(build, shaped, local), { outer: c, ...normed(config) });
    return sum(build, x, fused);
  });
}

function inBlocks(build: Build, { formerDepth }: AssemFormerSettings, x: Value, block: (x: Value) => Value): Value {
  let tokens = x;
  for (let i = 0; i < formerDepth; i++) tokens = build.scope(`blocks.${i}`, () => block(tokens));
  return tokens;
}

/** Of tokens: as {@link normed}'s, with an epsilon of their own. */
const tokenNorm = (config: AssemFormerSettings) => ({ ...normed(config).norm, eps: config.formerNormEps });

/** Tokens `[n, 4, patches, d]`, batch norm over all but d. */
function separableBlocks(build: Build, config: AssemFormerSettings, x: Value): Value {
  const tokens = inBlocks(build, config, x, (t) => separableBlock(build, config, t));
  return batchNorm(build, "norm", tokens, tokenNorm(config));
}

/** Attention linear in the number of patches: one context vector a position, weighted by a softmax over patches. */
function separableBlock(build: Build, config: AssemFormerSettings, x: Value): Value {
  const { c: d } = nhwc("separable attention", "x", x.shape);
  const norm = (name: string, t: Value) => batchNorm(build, name, t, tokenNorm(config));
  const [query, key, value] = convolutionParts(build, "project", norm("norm_attention", x), [1, d, d], NAMES);
  if (!query || !key || !value) throw new Error("the projection has three parts");
  const mixed = build.layer("attention", "attention", () => separableCore(build, query, key, value));
  const attended = sum(build, x, convolution(build, "merge", mixed, { outer: d, ...bare() }));
  const outer = roundChannels(config.formerFfn * d, 16);
  const wide = convolution(build, "widen", norm("norm_mlp", attended), { outer, ...bare(config.formerActivation) });
  return sum(build, attended, convolution(build, "narrow", wide, { outer: d, ...bare() }));
}

function separableCore(build: Build, query: Value, key: Value, value: Value): Value {
  const { graph } = build;
  const { n, h: positions, w: patches, c: d } = nhwc("separable attention", "key", key.shape);
  const weights = graph.apply(softmax, { x: graph.view(query, [n * positions, patches]) }, {});
  const context = graph.apply(weightedSum, { weights, x: graph.view(key, [n * positions, patches, d]) }, {});
  const spread = graph.view(context, [n, positions, 1, d]);
  return product(build, activated(build, value, "relu"), spread);
}

/** Tokens as `[n * 4, patches, d]` lanes, layer norm over d. */
function softmaxBlocks(build: Build, config: AssemFormerSettings, x: Value): Value {
  const { n, h: positions, w: patches, c: d } = nhwc("attention", "x", x.shape);
  const flat = build.graph.view(x, [n * positions * patches, d]);
  const tokens = inBlocks(build, config, flat, (t) => softmaxBlock(build, config, t, [n * positions, patches, d]));
  return build.graph.view(layerNorm(build, "norm", tokens, config.formerNormEps), x.shape);
}

/** Softmax attention between the patches of a lane, then a pointwise MLP; norm first. `x` is `[tokens, d]`. */
function softmaxBlock(
  build: Build,
  config: AssemFormerSettings,
  x: Value,
  lanes: readonly [number, number, number],
): Value {
  const { graph } = build;
  const d = lanes[2];
  const parts = linearParts(build, "project", layerNorm(build, "norm_attention", x, config.formerNormEps), [d, d, d]);
  const [q, k, v] = parts.map((part) => graph.view(part, lanes));
  if (!q || !k || !v) throw new Error("the projection has three parts");
  const mixed = graph.scope("attention", () => graph.apply(attention, { q, k, v }, { heads: config.formerHeads }));
  const merged = linear(build, "merge", graph.view(mixed, x.shape), d);
  const attended = sum(build, x, merged);
  const entered = layerNorm(build, "norm_mlp", attended, config.formerNormEps);
  const wide = linear(build, "widen", entered, roundChannels(config.formerFfn * d, 16));
  const narrow = linear(build, "narrow", activated(build, wide, config.formerActivation), d);
  return sum(build, attended, narrow);
}
