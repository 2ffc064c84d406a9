import { UsageError } from "../../errors.ts";
import { scale } from "../../kernels/ops/arithmetic.ts";
import { sliceLast } from "../../kernels/ops/layout.ts";
import { softmax } from "../../kernels/ops/reduce/softmax.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { lastOf, nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { type CommonConfig, classHead, type NetworkDefinition, requireCommon, requireWhole } from "../definition.ts";
import { type BackboneSettings, backbone, MIN_BASE } from "../encoders/res2net.ts";
import { encoderLevels } from "../encoders/resnet.ts";
import { activated } from "../layers/activation.ts";
import { joined, product, sum } from "../layers/combine.ts";
import { classifier, convolution, convolutions } from "../layers/convolution.ts";
import { framed } from "../layers/frame.ts";
import { grow, resizedByCentres } from "../layers/resize.ts";
import type { Head } from "../supervision.ts";

/** A coarse map from a parallel partial decoder, refined by three branches that look where it is not sure. */
export interface PranetConfig extends CommonConfig, BackboneSettings {
  readonly kind: "pranet";
  /** Channels of the receptive field blocks. */
  readonly field: number;
  /** Channels of the reverse-attention branch at 1/32, and of those at 1/16 and 1/8. */
  readonly deep: number;
  readonly fine: number;
  /**
   * `maps`: all four maps have a channel a class. `feature`: they stay foreground maps, and a classifier reads the last
   * branch's features.
   */
  readonly head: "maps" | "feature";
}

export const PRANET: PranetConfig = {
  kind: "pranet",
  classes: 8,
  height: 512,
  width: 512,
  encoder: "res2net",
  base: 64,
  blocks: [3, 4, 6, 3],
  field: 32,
  deep: 256,
  fine: 64,
  head: "maps",
};

/** Receptive field block: four branches of growing dilation, no activation but the last. */
function receptive(build: Build, name: string, x: Value, outer: number): Value {
  return build.scope(name, () => {
    const wide = ([3, 5, 7] as const).map((k, i) =>
      convolutions(build, `branch.${i + 1}`, x, [
        { outer },
        { outer, kernel: [1, k] },
        { outer, kernel: [k, 1] },
        { outer, kernel: 3, dilation: k },
      ]),
    );
    const branches = [convolutions(build, "branch.0", x, [{ outer }]), ...wide];
    const merged = convolution(build, "merge", joined(build, ...branches), { outer, kernel: 3 });
    return activated(build, sum(build, merged, convolution(build, "skip", x, { outer })), "relu");
  });
}

/** The coarse map, at 1/8, from the maps `a` (1/32), `b` (1/16) and `c` (1/8). */
export function partialDecoder(build: Build, a: Value, b: Value, c: Value, outer: number): Value {
  return build.scope("decoder", () => {
    const same = (name: string, x: Value) => convolution(build, name, x, { outer: lastOf(x.shape), kernel: 3 });
    const raised = grow(build, a, 2);
    const b1 = product(build, same("lift.0", raised), b);
    const twice = same("lift.1", grow(build, raised, 2));
    const c1 = product(build, product(build, twice, same("lift.2", grow(build, b, 2))), c);
    const b2 = same("join.0", joined(build, b1, same("lift.3", raised)));
    const c2 = same("join.1", joined(build, c1, same("lift.4", grow(build, b2, 2))));
    return classifier(build, "head", same("last", c2), outer);
  });
}

interface Branch {
  readonly name: string;
  readonly width: number;
  readonly mids: number;
  /** Kernels of the middle layers and of the head. */
  readonly kernels: readonly [mid: number, head: number];
}

/** Features where the guide sees background, to what is added to the guide. */
function reverse(build: Build, { name, width, mids, kernels }: Branch, feature: Value, guide: Value) {
  return build.scope(name, () => {
    const outer = lastOf(guide.shape);
    let x = convolution(build, "squeeze", product(build, feature, background(build, guide)), { outer: width });
    for (let i = 0; i < mids; i++) {
      x = convolution(build, `mid.${i}`, x, { outer: width, kernel: kernels[0], activation: "relu" });
    }
    return { map: sum(build, convolution(build, "head", x, { outer, kernel: kernels[1] }), guide), hidden: x };
  });
}

/** Probability of the background, `[n, h, w, 1]`: of a foreground map, or of class 0. */
export function background(build: Build, guide: Value): Value {
  const { graph } = build;
  if (lastOf(guide.shape) === 1) {
    return activated(build, graph.apply(scale, { x: guide }, { factor: -1 }), "sigmoid");
  }
  return graph.apply(sliceLast, { x: graph.apply(softmax, { x: guide }, {}) }, { start: 0, count: 1 });
}

/** Bilinear resizing of both sides by `factor`. */
export function scaledBy(build: Build, x: Value, factor: number): Value {
  const { h, w } = nhwc("guide", "x", x.shape);
  return resizedByCentres(build, x, h * factor, w * factor);
}

function run(build: Build, config: PranetConfig, image: Value): Head[] {
  const { classes, deep, fine } = config;
  const channels = config.head === "maps" ? classes : 1;
  const [c = image, b = image, a = image] = backbone(build, config, image).slice(3);
  const [fc, fb, fa] = [c, b, a].map((x, i) => receptive(build, `rfb.${i}`, x, config.field));
  if (!fa || !fb || !fc) throw new Error("the encoder has three outputs");
  let guide = partialDecoder(build, fa, fb, fc, channels);
  const supervised = (name: string, logits: Value): Head =>
    config.head === "maps" ? classHead(name, logits) : { kind: "foreground", name, logits, weight: 1 };
  const maps = [supervised("decoder", scaledBy(build, guide, 8))];
  const branches = [
    { feature: a, width: deep, mids: 3, kernels: [5, 1], from: 1 / 4, to: 32 },
    { feature: b, width: fine, mids: 2, kernels: [3, 3], from: 2, to: 16 },
    { feature: c, width: fine, mids: 2, kernels: [3, 3], from: 2, to: 8 },
  ] as const;
  let last = guide;
  for (const [i, { feature, from, to, ...branch }] of branches.entries()) {
    const name = `reverse.${i}`;
    const { map, hidden } = reverse(build, { name, ...branch }, feature, scaledBy(build, guide, from));
    maps.unshift(supervised(name, scaledBy(build, map, to)));
    [guide, last] = [map, hidden];
  }
  if (config.head === "maps") return maps;
  return [classHead("classify", scaledBy(build, classifier(build, "classify", last, classes), 8)), ...maps];
}

/** What the polyp networks ask of their encoder. */
export function requireBackbone({ encoder, base, blocks }: BackboneSettings): void {
  if (encoder !== "res2net" && encoder !== "resnet") {
    throw new UsageError(`encoder is ${JSON.stringify(encoder)}; it must be res2net or resnet`);
  }
  if (!Number.isInteger(base) || base < MIN_BASE || base % 2 !== 0) {
    throw new UsageError(`base is ${base}; the encoder needs an even width of at least ${MIN_BASE}`);
  }
  if (blocks.length !== 4) throw new UsageError(`blocks is ${blocks.join(", ")}; the encoder has four stages`);
  requireWhole(Object.fromEntries(blocks.map((count, i) => [`blocks[${i}]`, count])));
}

export const pranet: NetworkDefinition<PranetConfig> = {
  trace: (build, config, image) => framed(build, image, 32, (x) => run(build, config, x)),
  checked(config) {
    requireCommon(config);
    requireBackbone(config);
    const { field, deep, fine } = config;
    requireWhole({ field, deep, fine });
    return config;
  },
  levels: ({ blocks }) => encoderLevels(blocks),
  loss: { kind: "structure" },
  scaled: (config, base) => {
    const share = (width: number) => Math.max(1, Math.round((width * base) / 64));
    return { ...config, base, field: share(32), deep: share(256), fine: share(64) };
  },
};
