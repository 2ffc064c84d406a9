import { sliceLast } from "../../kernels/ops/layout.ts";
import { reduceMax } from "../../kernels/ops/reduce/reduce.ts";
import { softmax } from "../../kernels/ops/reduce/softmax.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { lastOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { type CommonConfig, classHead, type NetworkDefinition, requireCommon, requireWhole } from "../definition.ts";
import { type BackboneSettings, backbone } from "../encoders/res2net.ts";
import { encoderLevels } from "../encoders/resnet.ts";
import { activated } from "../layers/activation.ts";
import { joined, product, sum } from "../layers/combine.ts";
import { classifier, convolution } from "../layers/convolution.ts";
import { framed } from "../layers/frame.ts";
import { globalMean, halved } from "../layers/pool.ts";
import { grow } from "../layers/resize.ts";
import type { Head } from "../supervision.ts";
import { requireBackbone } from "./pranet.ts";

/** A boundary stream and two streams that fuse neighbouring levels, merged where boundaries are. */
export interface CfanetConfig extends CommonConfig, BackboneSettings {
  readonly kind: "cfanet";
  /** Channels of every stream. */
  readonly channels: number;
}

export const CFANET: CfanetConfig = {
  kind: "cfanet",
  classes: 8,
  height: 512,
  width: 512,
  encoder: "res2net",
  base: 64,
  blocks: [3, 4, 6, 3],
  channels: 64,
};

/** Convolution with bias, norm, ReLU. */
const full = (build: Build, name: string, x: Value, outer: number, kernel = 3, stride = 1): Value =>
  convolution(build, name, x, { outer, kernel, stride, bias: true, activation: "relu" });

/** Two neighbouring levels through kernels of 3 and 5 that exchange what they found. */
function crossFusion(build: Build, name: string, p: Value, q: Value, outer: number): Value {
  return build.scope(name, () => {
    const half = Math.floor(outer / 2);
    const left = convolution(build, "left", p, { outer: half });
    const right = convolution(build, "right", q, { outer: half });
    const three = full(build, "three.0", joined(build, left, right), half);
    const five = full(build, "five.0", joined(build, right, left), half, 5);
    const deeper = full(build, "three.1", joined(build, three, five), half);
    const wider = full(build, "five.1", joined(build, five, three), half, 5);
    return full(build, "last", sum(build, sum(build, left, right), product(build, deeper, wider)), outer);
  });
}

/** Adds what the stream and the boundary have in common, weighted by channel. */
function boundaryMerge(build: Build, name: string, x: Value, boundary: Value): Value {
  return build.scope(name, () => {
    const c = lastOf(x.shape);
    const mixed = convolution(build, "mix", joined(build, x, boundary), { outer: c, kernel: 3 });
    const mean = build.layer("pool", "module", () => globalMean(build, mixed));
    const down = full(build, "down", mean, Math.max(1, Math.floor(c / 4)), 1);
    const rise = convolution(build, "rise", down, { outer: c, bias: true });
    return sum(build, x, product(build, mixed, activated(build, rise, "sigmoid")));
  });
}

/** Weighs channels by their maxima. */
function maxGate(build: Build, name: string, x: Value): Value {
  return build.scope(name, () => {
    const outer = lastOf(x.shape);
    const peak = build.graph.apply(reduceMax, { x }, { axes: [1, 2] });
    const bare = { norm: "none", bias: false } as const;
    const down = convolution(build, "down", peak, { outer: Math.max(1, Math.floor(outer / 16)), ...bare });
    const rise = convolution(build, "rise", activated(build, down, "relu"), { outer, ...bare });
    return product(build, x, activated(build, rise, "sigmoid"));
  });
}

/** The boundary stream at 1/8, 1/4, 1/2 and full size. */
function boundaries(build: Build, pooled: Value, first: Value, outer: number): Value[] {
  const a = full(build, "low.0", pooled, outer, 3, 2);
  const b = full(build, "low.1", first, outer, 3, 2);
  const both = joined(build, a, b);
  const scores = joined(build, classifier(build, "gate.0", both, 1), classifier(build, "gate.1", both, 1));
  const shares = build.layer("soft", "module", () => build.graph.apply(softmax, { x: scores }, {}));
  const share = (start: number) => build.graph.apply(sliceLast, { x: shares }, { start, count: 1 });
  const found = [sum(build, product(build, a, share(0)), product(build, b, share(1)))];
  for (let i = 0; i < 3; i++) {
    found.push(full(build, `edge.${i}`, grow(build, found[i] ?? both, 2), outer));
  }
  return found;
}

function run(build: Build, { classes, channels, ...config }: CfanetConfig, image: Value): Head[] {
  const [, pooled = image, f1 = image, f2 = image, f3 = image, f4 = image] = backbone(build, config, image);
  const found = boundaries(build, pooled, f1, channels);
  const gated = found.map((x, i) => maxGate(build, `attend.${i}`, x));
  const starts = [
    crossFusion(build, "fuse.0", halved(build, f1), f2, channels),
    crossFusion(build, "fuse.1", grow(build, f3, 2), grow(build, f4, 4), channels),
  ];
  const [low = image, high = image] = starts.map((start, s) =>
    gated.reduce((x, boundary, i) => {
      const merged = boundaryMerge(build, `merge.${s}.${i}`, x, boundary);
      return i === gated.length - 1 ? merged : full(build, `refine.${s}.${i}`, grow(build, merged, 2), channels);
    }, start),
  );
  const classified = (name: string, x: Value) => classHead(name, classifier(build, name, x, classes));
  const sides = [low, high].map((x, s) => classified(`side.${s}`, x));
  const main = classified("head", sum(build, low, high));
  const edge = classifier(build, "edge_head", found[found.length - 1] ?? image, 1);
  return [main, ...sides, { kind: "edges", name: "edge_head", logits: edge, weight: 1 }];
}

export const cfanet: NetworkDefinition<CfanetConfig> = {
  trace: (build, config, image) => framed(build, image, 32, (x) => run(build, config, x)),
  checked(config) {
    requireCommon(config);
    requireBackbone(config);
    requireWhole({ channels: Math.floor(config.channels / 2) });
    return config;
  },
  levels: ({ blocks }) => encoderLevels(blocks),
  loss: { kind: "structure" },
  scaled: (config, base) => ({
    ...config,
    base,
    channels: Math.max(2, 2 * Math.round((config.channels * base) / config.base / 2)),
  }),
};
