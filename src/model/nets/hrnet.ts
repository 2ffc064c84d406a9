import type { Value } from "../../kernels/trace/op.ts";
import { lastOf, nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { type CommonConfig, classHead, type NetworkDefinition, requireCommon, requireWhole } from "../definition.ts";
import { bottleneck } from "../encoders/resnet.ts";
import { activated } from "../layers/activation.ts";
import { joined, sum } from "../layers/combine.ts";
import { type ConvolutionOptions, classifier, convolution, convolutions } from "../layers/convolution.ts";
import { framed } from "../layers/frame.ts";
import { BATCH_NORM } from "../layers/norm.ts";
import { resizedByCentres } from "../layers/resize.ts";

/** Parallel streams of different resolution that keep exchanging what they found. */
export interface HrnetConfig extends CommonConfig {
  readonly kind: "hrnet";
  /** Channels of the finest stream; each coarser one has twice as many. */
  readonly base: number;
  readonly stem: number;
  readonly planes: number;
  /** Bottlenecks before the streams part. */
  readonly stage1: number;
  /** Exchange modules of the stages with two, three and four streams. */
  readonly modules: readonly number[];
  /** Basic blocks of a stream in a module. */
  readonly blocks: number;
  /** Predict from the finest stream alone, as the pose network does, instead of from all four. */
  readonly single: boolean;
  readonly momentum: number;
}

export const HRNET: HrnetConfig = {
  kind: "hrnet",
  classes: 8,
  height: 512,
  width: 512,
  base: 48,
  stem: 64,
  planes: 64,
  stage1: 4,
  modules: [1, 4, 3],
  blocks: 4,
  single: false,
  momentum: 0.1,
};

/** What its layers have in common: the momentum asked for, and the public code's start from random weights. */
const common = ({ momentum }: HrnetConfig) => ({ norm: { ...BATCH_NORM, momentum }, start: { deviation: 0.001 } });

function layer(build: Build, config: HrnetConfig, name: string, x: Value, options: ConvolutionOptions): Value {
  return convolution(build, name, x, { ...options, ...common(config) });
}

function basic(build: Build, config: HrnetConfig, x: Value): Value {
  const outer = lastOf(x.shape);
  const first = layer(build, config, "a", x, { outer, kernel: 3, activation: "relu" });
  const second = layer(build, config, "b", first, { outer, kernel: 3 });
  return activated(build, sum(build, second, x), "relu");
}

/** What stream `to` gets from stream `from`: itself, a raised 1x1, or a chain of strided 3x3. */
function route(build: Build, config: HrnetConfig, streams: readonly Value[], to: number, from: number): Value {
  const [target, source] = [streams[to], streams[from]];
  if (!target || !source) throw new Error(`there is no route from stream ${from} to ${to}`);
  if (to === from) return source;
  const outer = lastOf(target.shape);
  const name = `fuse.${to}_${from}`;
  const { h, w } = nhwc("exchange", "stream", target.shape);
  if (from > to) return resizedByCentres(build, layer(build, config, `${name}.0`, source, { outer }), h, w);
  const steps = Array.from({ length: to - from }, (_, t): ConvolutionOptions => {
    const last = t === to - from - 1;
    const strided = { kernel: 3, stride: 2, ...common(config) };
    return last ? { outer, ...strided } : { outer: lastOf(source.shape), activation: "relu", ...strided };
  });
  return convolutions(build, name, source, steps);
}

/** Basic blocks on every stream, then each of the first `outputs` streams becomes the sum of what all send it. */
function exchange(build: Build, config: HrnetConfig, given: readonly Value[], outputs: number): Value[] {
  const streams = given.map((stream, b) => {
    let x = stream;
    for (let n = 0; n < config.blocks; n++) x = build.scope(`branch.${b}.${n}`, () => basic(build, config, x));
    return x;
  });
  return streams.slice(0, outputs).map((_, to) => {
    const sent = streams.map((__, from) => route(build, config, streams, to, from));
    return activated(build, sum(build, ...sent), "relu");
  });
}

function entered(build: Build, config: HrnetConfig, image: Value): Value {
  const stem = { outer: config.stem, kernel: 3, stride: 2, activation: "relu", ...common(config) } as const;
  let x = convolutions(build, "stem", image, [stem, stem]);
  for (let b = 0; b < config.stage1; b++) {
    x = build.scope(`stage1.${b}`, () => bottleneck(build, x, { planes: config.planes, ...common(config) }));
  }
  return x;
}

function streamsOf(build: Build, config: HrnetConfig, x: Value): Value[] {
  const relu = { kernel: 3, activation: "relu" } as const;
  const widen = (index: number, from: Value, stride: number) =>
    layer(build, config, `widen.${index}`, from, { ...relu, outer: config.base * 2 ** index, stride });
  let streams = [widen(0, x, 1), widen(1, x, 2)];
  for (const [stage, modules] of config.modules.entries()) {
    const lowest = streams[streams.length - 1] ?? x;
    if (stage > 0) streams = [...streams, widen(stage + 1, lowest, 2)];
    for (let m = 0; m < modules; m++) {
      const last = stage === config.modules.length - 1 && m === modules - 1;
      const outputs = config.single && last ? 1 : streams.length;
      streams = build.scope(`stage.${stage}.${m}`, () => exchange(build, config, streams, outputs));
    }
  }
  return streams;
}

function run(build: Build, config: HrnetConfig, image: Value): Value {
  const { h: height, w: width } = nhwc("hrnet", "image", image.shape);
  const streams = streamsOf(build, config, entered(build, config, image));
  const [finest = image] = streams;
  const { h, w } = nhwc("hrnet", "stream", finest.shape);
  const mixed = () => {
    const all = joined(build, ...streams.map((stream) => resizedByCentres(build, stream, h, w)));
    return layer(build, config, "mix", all, { outer: lastOf(all.shape), bias: true, activation: "relu" });
  };
  const scores = classifier(build, "head", config.single ? finest : mixed(), config.classes);
  return resizedByCentres(build, scores, height, width);
}

export const hrnet: NetworkDefinition<HrnetConfig> = {
  trace: (build, config, image) => framed(build, image, 32, (x) => [classHead("head", run(build, config, x))]),
  checked(config) {
    requireCommon(config);
    const { base, stem, planes, stage1, blocks } = config;
    requireWhole({ base, stem, planes, stage1, blocks });
    return config;
  },
  /** All but the classifier and what mixes the streams for it. */
  levels: ({ modules }) => [
    ["stem"],
    ["stage1"],
    ...modules.map((_, stage) => [...(stage === 0 ? ["widen.0"] : []), `widen.${stage + 1}`, `stage.${stage}`]),
  ],
  scaled: (config, base) => {
    const share = (width: number) => Math.max(1, Math.round((width * base) / 48));
    return { ...config, base, stem: share(64), planes: share(64) };
  },
};
