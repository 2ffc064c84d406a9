import { UsageError } from "../../errors.ts";
import { scale } from "../../kernels/ops/arithmetic.ts";
import { attention } from "../../kernels/ops/attention/attention.ts";
import { swapAxes } from "../../kernels/ops/frame.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { lastOf, nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { type CommonConfig, classHead, type NetworkDefinition, requireCommon } from "../definition.ts";
import { type BackboneSettings, backbone } from "../encoders/res2net.ts";
import { encoderLevels } from "../encoders/resnet.ts";
import { activated } from "../layers/activation.ts";
import { joined, product, sum } from "../layers/combine.ts";
import { type ConvolutionOptions, convolution } from "../layers/convolution.ts";
import { framed } from "../layers/frame.ts";
import type { Head } from "../supervision.ts";
import { background, partialDecoder, requireBackbone, scaledBy } from "./pranet.ts";

/** Context axial reverse attention: PraNet's coarse map, refined where it is not sure by a feature pyramid. */
export interface CaranetConfig extends CommonConfig, BackboneSettings {
  readonly kind: "caranet";
  /** Channels behind the encoder: a multiple of 16, the shares of the pyramid. */
  readonly field: number;
  /** Reach of the pyramid: its channels see 1, reach/4 + 1, reach/2 + 1 and reach + 1 pixels far. */
  readonly reach: number;
}

/**
 * Built from the publication (Lou et al. 2022, "CaraNet: context axial reverse attention network for segmentation of
 * small medical objects") on the layers of our PraNet. The public code has other layers, so its tensors do not fit: a
 * Res2Net-101, 3x3 reductions, a decoder without norms, grouped 3x3 in the pyramid, two branches with one pyramid, and
 * sigmoid attention of narrower queries, whose two passes both go along the rows of a square map.
 */
export const CARANET: CaranetConfig = {
  kind: "caranet",
  classes: 8,
  height: 512,
  width: 512,
  encoder: "res2net",
  base: 64,
  blocks: [3, 4, 6, 3],
  field: 32,
  reach: 8,
};

/** Parts of a pyramid's width. */
const SHARE = 16;

const negative = (build: Build, x: Value): Value => build.graph.apply(scale, { x }, { factor: -1 });

/** `x` where it is positive, elsewhere `x` times the channel's learned slope, 1/4 at first. */
function prelu(build: Build, x: Value): Value {
  const { graph } = build;
  return build.scope("act", () => {
    const channels = lastOf(x.shape);
    const slope = build.parameter("weight", [channels], { kind: "constant", value: 0.25 });
    const below = activated(build, negative(build, x), "relu");
    const y = product(build, below, graph.view(slope, [1, 1, 1, channels]));
    return sum(build, activated(build, x, "relu"), negative(build, y));
  });
}

const prelued = (build: Build, name: string, x: Value, options: ConvolutionOptions): Value =>
  build.scope(name, () => prelu(build, convolution(build, "unit", x, options)));

/** A 3x3 convolution as a column, then a row. */
function factorised(build: Build, name: string, x: Value, outer: number, dilation: number): Value {
  return build.scope(name, () => {
    const column = prelued(build, "column", x, { outer, kernel: [3, 1], dilation });
    return prelued(build, "row", column, { outer, kernel: [1, 3], dilation });
  });
}

/**
 * Channel-wise feature pyramid. On a quarter of the channels four chains of three factorised convolutions, each chain's
 * results side by side; every chain is added to those of smaller reach before all are mixed and added to `x`.
 */
function pyramid(build: Build, name: string, x: Value, reach: number): Value {
  return build.scope(name, () => {
    const width = lastOf(x.shape);
    const reduced = prelued(build, "reduce", x, { outer: width / 4 });
    const chains: Value[] = [];
    for (const [i, dilation] of [1, reach / 4 + 1, reach / 2 + 1, reach + 1].entries()) {
      const own = build.scope(`chain.${i}`, () => {
        const first = factorised(build, "0", reduced, width / SHARE, dilation);
        const second = factorised(build, "1", first, width / SHARE, dilation);
        return joined(build, first, second, factorised(build, "2", second, (2 * width) / SHARE, dilation));
      });
      const before = chains[i - 1];
      chains.push(before ? sum(build, before, own) : own);
    }
    return build.scope("merge", () =>
      prelu(build, sum(build, convolution(build, "unit", joined(build, ...chains), { outer: width }), x)),
    );
  });
}

/** Attention of each pixel to those of its column or row, times a learned factor, 0 at first, on top of `x`. */
function along(build: Build, axis: "column" | "row", x: Value): Value {
  const { graph } = build;
  return build.scope(axis, () => {
    const { n, h, w, c } = nhwc("axial attention", "x", x.shape);
    const turned = (value: Value) => (axis === "column" ? graph.apply(swapAxes, { x: value }, {}) : value);
    const [lanes, tokens] = axis === "column" ? [w, h] : [h, w];
    const part = (name: string) =>
      graph.view(turned(convolution(build, name, x, { outer: c, norm: "none" })), [n * lanes, tokens, c]);
    const [q, k, v] = [part("query"), part("key"), part("value")];
    const mixed = build.scope("attention", () => graph.apply(attention, { q, k, v }, { heads: 1 }));
    const gain = graph.view(build.parameter("gain", [1], { kind: "constant", value: 0 }), [1, 1, 1, 1]);
    const y = turned(graph.view(mixed, [n, lanes, tokens, c]));
    return sum(build, x, product(build, y, gain));
  });
}

/** What is added to the guide, from features attended where the guide sees background. */
function reverse(build: Build, name: string, x: Value, guide: Value): Value {
  return build.scope(name, () => {
    const outer = lastOf(x.shape);
    const attended = along(build, "row", along(build, "column", x));
    let y = product(build, attended, background(build, guide));
    for (const i of [0, 1]) y = prelued(build, `mid.${i}`, y, { outer, kernel: 3 });
    return sum(build, convolution(build, "head", y, { outer: lastOf(guide.shape), kernel: 3 }), guide);
  });
}

function run(build: Build, config: CaranetConfig, image: Value): Head[] {
  const { field, classes, reach } = config;
  const features = backbone(build, config, image).slice(3);
  const [c, b, a] = features.map((x, i) => prelued(build, `reduce.${i}`, x, { outer: field }));
  if (!a || !b || !c) throw new Error("the encoder has three outputs");
  let guide = partialDecoder(build, a, b, c, classes);
  const maps = [classHead("decoder", scaledBy(build, guide, 8))];
  const branches = [
    { x: a, from: 1 / 4, to: 32 },
    { x: b, from: 2, to: 16 },
    { x: c, from: 2, to: 8 },
  ];
  for (const [i, { x, from, to }] of branches.entries()) {
    const name = `reverse.${i}`;
    guide = reverse(build, name, pyramid(build, `pyramid.${i}`, x, reach), scaledBy(build, guide, from));
    maps.unshift(classHead(name, scaledBy(build, guide, to)));
  }
  return maps;
}

export const caranet: NetworkDefinition<CaranetConfig> = {
  trace: (build, config, image) => framed(build, image, 32, (x) => run(build, config, x)),
  checked(config) {
    requireCommon(config);
    requireBackbone(config);
    const { field, reach } = config;
    for (const [name, value, step] of [
      ["field", field, SHARE],
      ["reach", reach, 4],
    ] as const) {
      if (Number.isInteger(value) && value > 0 && value % step === 0) continue;
      throw new UsageError(`${name} is ${value}; the pyramid needs a multiple of ${step}`);
    }
    return config;
  },
  levels: ({ blocks }) => encoderLevels(blocks),
  loss: { kind: "structure" },
  scaled: (config, base) => ({ ...config, base, field: SHARE * Math.max(1, Math.round((2 * base) / 64)) }),
};
