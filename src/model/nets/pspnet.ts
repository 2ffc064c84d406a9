import { ShapeError } from "../../errors.ts";
import type { Value } from "../../kernels/op.ts";
import { adaptiveAveragePool2d } from "../../kernels/ops/pool.ts";
import { resizeBilinear } from "../../kernels/ops/resize.ts";
import { lastOf, nhwc } from "../../kernels/shape.ts";
import type { Build } from "../build.ts";
import {
  type CommonConfig,
  classHead,
  type Head,
  type NetworkDefinition,
  requireCommon,
  requireWhole,
} from "../definition.ts";
import { resnet } from "../encoders/resnet.ts";
import { channelDropout, classifier, framed, joined, unit } from "../layers/unit.ts";

/** Pyramid scene parsing: the map at 1/8 beside its means over grids of growing fineness. */
export interface PspnetConfig extends CommonConfig {
  readonly kind: "pspnet";
  /** Planes of the first encoder stage. */
  readonly base: number;
  readonly blocks: readonly number[];
  /** Sides of the grids. */
  readonly bins: readonly number[];
  readonly dropout: number;
  /** Weight of the loss on the classifier behind the third stage; 0 leaves the classifier out. */
  readonly auxiliary: number;
}

/** As published, with torchvision's stem. */
export const PSPNET: PspnetConfig = {
  kind: "pspnet",
  classes: 8,
  height: 512,
  width: 512,
  base: 64,
  blocks: [3, 4, 6, 3],
  bins: [1, 2, 3, 6],
  dropout: 0.1,
  auxiliary: 0.4,
};

/** 3x3 to `outer` channels, channels dropped, 1x1 to the classes. */
export function segmentHead(
  build: Build,
  name: string,
  x: Value,
  { outer, classes, drop }: { readonly outer: number; readonly classes: number; readonly drop: number },
): Value {
  return build.scope(name, () => {
    const y = unit(build, "mix", x, { outer, kernel: 3, act: "relu" });
    return classifier(build, "classify", channelDropout(build, "drop", y, drop), classes);
  });
}

function raised(build: Build, x: Value, height: number, width: number): Value {
  return build.graph.apply(resizeBilinear, { x }, { height, width, alignCorners: true });
}

function pyramid(build: Build, { bins }: PspnetConfig, x: Value): Value {
  const { h, w, c } = nhwc("pspnet", "x", x.shape);
  const outer = Math.floor(c / bins.length);
  const parts = bins.map((side, i) => {
    const pooled = build.graph.apply(adaptiveAveragePool2d, { x }, { height: side, width: side });
    return raised(build, unit(build, `pyramid.${i}`, pooled, { outer, act: "relu" }), h, w);
  });
  return joined(build, x, ...parts);
}

function run(build: Build, config: PspnetConfig, image: Value): Head[] {
  const { classes, dropout: drop, auxiliary } = config;
  const { n, h, w } = nhwc("pspnet", "image", image.shape);
  if (n === 1 && build.mode === "train") {
    throw new ShapeError(
      "pspnet: a training batch of one image has no statistics for the pooled maps; use two or more",
    );
  }
  const features = resnet(build, image, config.base, config.blocks, "whole stages");
  const [, , , , third = image, last = image] = features;
  const outer = lastOf(last.shape) / 4;
  const main = segmentHead(build, "head", pyramid(build, config, last), { outer, classes, drop });
  const heads = [classHead(raised(build, main, h, w))];
  if (auxiliary === 0) return heads;
  const aside = segmentHead(build, "aux", third, { outer: lastOf(third.shape) / 4, classes, drop });
  return [...heads, classHead(raised(build, aside, h, w), auxiliary)];
}

export const pspnet: NetworkDefinition<PspnetConfig> = {
  trace: (build, config, image) => framed(build, image, 8, (x) => run(build, config, x)),
  checked(config) {
    requireCommon(config);
    requireWhole({ base: config.base, bins: Math.min(...config.bins) });
    return config;
  },
  scaled: (config, base) => ({ ...config, base }),
};
