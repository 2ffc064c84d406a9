import { ShapeError, UsageError } from "../../errors.ts";
import { attention } from "../../kernels/ops/attention/attention.ts";
import { swapAxes } from "../../kernels/ops/frame.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { nhwc, sizeOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { type CommonConfig, classHead, type NetworkDefinition, requireCommon, requireWhole } from "../definition.ts";
import { encoderLevels, resnet } from "../encoders/resnet.ts";
import { activated } from "../layers/activation.ts";
import { joined, sum } from "../layers/combine.ts";
import { classifier, convolution } from "../layers/convolution.ts";
import { valueDropout } from "../layers/dropout.ts";
import { framed } from "../layers/frame.ts";
import { linear, linearParts } from "../layers/linear.ts";
import { layerNorm } from "../layers/norm.ts";
import { grow } from "../layers/resize.ts";

/** ResNet encoder, decoder of residual blocks with transformer layers. */
export interface TransnetrConfig extends CommonConfig {
  readonly kind: "transnetr";
  /** Planes of the first encoder stage, and blocks of each; the first three stages are read. */
  readonly base: number;
  readonly blocks: readonly number[];
  /** Channels of the decoder. */
  readonly channels: number;
  /** Widths of the transformers at 1/8 and 1/4. */
  readonly tokens: readonly [number, number];
  readonly hidden: number;
  readonly heads: number;
  readonly layers: number;
  readonly dropout: number;
  /** The axis that is attended over: rows of a batch at the same place, as the public code does, or of one image. */
  readonly over: "batch" | "rows";
  /**
   * Whether images of a batch mix in evaluation too, where `over` is "batch". The public code evaluates one image at a
   * time, so its results are those without.
   */
  readonly mixInEvaluation: boolean;
  /** Keep the fourth encoder stage, which the public model builds and nobody reads. */
  readonly unread: boolean;
}

export const TRANSNETR: TransnetrConfig = {
  kind: "transnetr",
  classes: 8,
  height: 512,
  width: 512,
  base: 64,
  blocks: [3, 4, 6, 3],
  channels: 64,
  tokens: [64, 256],
  hidden: 2048,
  heads: 4,
  layers: 2,
  dropout: 0.1,
  over: "batch",
  mixInEvaluation: false,
  unread: false,
};

const LEAKY = { leaky: 0.1 } as const;
const EPS = 1e-5;

const dropped = (build: Build, { dropout: drop }: TransnetrConfig, name: string, x: Value): Value =>
  valueDropout(build, name, x, drop);

function residualUnit(build: Build, name: string, x: Value, outer: number): Value {
  return build.scope(name, () => {
    const first = convolution(build, "a", x, { outer, kernel: 3, bias: true, activation: LEAKY });
    const second = convolution(build, "b", first, { outer, kernel: 3, bias: true });
    return activated(build, sum(build, second, convolution(build, "skip", x, { outer, bias: true })), LEAKY);
  });
}

interface Rows {
  readonly images: number;
  readonly rows: number;
  readonly width: number;
}

/** Attention of `x` `[images * rows, width]` over the images at each row, or over the rows of each image. */
function attended(build: Build, config: TransnetrConfig, x: Value, { images, rows, width }: Rows): Value {
  const { graph } = build;
  return build.layer("attn", "hidden", () => {
    const mixes = config.over === "batch" && (build.mode === "train" || config.mixInEvaluation);
    const lanes = (t: Value): Value => {
      if (config.over === "rows") return graph.view(t, [images, rows, width]);
      if (!mixes) return graph.view(t, [images * rows, 1, width]);
      return graph.view(graph.apply(swapAxes, { x: graph.view(t, [1, images, rows, width]) }, {}), [
        rows,
        images,
        width,
      ]);
    };
    const [q, k, v] = linearParts(build, "qkv", x, [width, width, width], "xavier").map(lanes);
    if (!q || !k || !v) throw new Error("the projection has three parts");
    const y = graph.apply(attention, { q, k, v }, { heads: config.heads });
    const back = mixes ? graph.apply(swapAxes, { x: graph.view(y, [1, rows, images, width]) }, {}) : y;
    return linear(build, "out", graph.view(back, [images * rows, width]), width);
  });
}

/** Transformer encoder layer, norms behind the sums. */
function encoderLayer(build: Build, config: TransnetrConfig, x: Value, rows: Rows): Value {
  const mixed = dropped(build, config, "drop.attn", attended(build, config, x, rows));
  const first = layerNorm(build, "ln1", sum(build, x, mixed), EPS);
  const wide = activated(build, linear(build, "ff1", first, config.hidden), "relu");
  const narrow = linear(build, "ff2", dropped(build, config, "drop.hidden", wide), rows.width);
  return layerNorm(build, "ln2", sum(build, first, dropped(build, config, "drop.out", narrow)), EPS);
}

/** The map's memory, channels first, cut into rows of `width` numbers; no patch is gathered. */
function transformed(build: Build, config: TransnetrConfig, x: Value, width: number): Value {
  const { graph } = build;
  const { n, h, w, c } = nhwc("transformer", "x", x.shape);
  if ((h * w * c) % width !== 0) {
    throw new ShapeError(
      `transnetr: a map of ${c} channels and ${h}x${w} pixels cannot be cut into rows of ${width}; use a larger image`,
    );
  }
  const rows = { images: n, rows: (h * w * c) / width, width };
  const flat = graph.apply(swapAxes, { x: graph.view(x, [n, h * w, c, 1]) }, {});
  let tokens = graph.view(flat, [sizeOf(x.shape) / width, width]);
  for (let i = 0; i < config.layers; i++) {
    tokens = build.scope(`layer.${i}`, () => encoderLayer(build, config, tokens, rows));
  }
  return graph.view(graph.apply(swapAxes, { x: graph.view(tokens, [n, c, h * w, 1]) }, {}), x.shape);
}

function transformerUnit(build: Build, config: TransnetrConfig, name: string, x: Value, width: number): Value {
  return build.scope(name, () => {
    const outer = config.channels;
    const entered = convolution(build, "inp", x, { outer, kernel: 3, bias: true, activation: LEAKY });
    const mixed = transformed(build, config, entered, width);
    const left = convolution(build, "out", mixed, { outer, bias: true });
    const kept = convolution(build, "skip", x, { outer, bias: true });
    return residualUnit(build, "res", activated(build, sum(build, left, kept), LEAKY), outer);
  });
}

function run(build: Build, config: TransnetrConfig, image: Value): Value {
  const { channels, tokens, classes, blocks, unread } = config;
  const features = resnet(build, image, config.base, unread ? blocks : blocks.slice(0, 3));
  const [stem = image, , f1 = image, f2 = image, f3 = image] = features;
  const [half = image, quarter = image, eighth = image, deepest = image] = [stem, f1, f2, f3].map((x, i) =>
    convolution(build, `lateral.${i}`, x, { outer: channels, bias: true, activation: LEAKY }),
  );
  const raised = (x: Value, skip: Value) => joined(build, grow(build, x, 2), skip);
  let y = transformerUnit(build, config, "dec.0", raised(deepest, eighth), tokens[0]);
  y = transformerUnit(build, config, "dec.1", raised(y, quarter), tokens[1]);
  y = residualUnit(build, "dec.2", raised(y, half), channels);
  return classifier(build, "head", grow(build, y, 2), classes);
}

export const transnetr: NetworkDefinition<TransnetrConfig> = {
  trace: (build, config, image) => framed(build, image, 16, (x) => [classHead("head", run(build, config, x))]),
  checked(config) {
    requireCommon(config);
    const { base, channels, hidden, heads, layers, tokens } = config;
    requireWhole({ base, channels, hidden, heads, layers });
    const odd = tokens.find((width) => !(width >= heads && width % heads === 0));
    if (odd !== undefined) throw new UsageError(`tokens is ${tokens.join(", ")}; ${heads} heads must divide both`);
    if (!(config.dropout >= 0 && config.dropout < 1)) {
      throw new UsageError(`dropout is ${config.dropout}; it must be at least 0 and below 1`);
    }
    return config;
  },
  levels: ({ blocks, unread }) => encoderLevels(unread ? blocks : blocks.slice(0, 3)),
  loss: { kind: "bce-dice" },
  scaled: (config, base) => {
    const share = (width: number, step = 1) => Math.max(step, step * Math.round((width * base) / config.base / step));
    const { channels, tokens, hidden, heads } = config;
    return {
      ...config,
      base,
      channels: share(channels),
      tokens: [share(tokens[0], heads), share(tokens[1], heads)],
      hidden: share(hidden),
    };
  },
};
