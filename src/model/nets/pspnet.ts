import { adaptiveAveragePool2d } from "../../kernels/ops/pool/pool.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { lastOf, nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { type NetworkDefinition, requireCommon, requireWhole } from "../definition.ts";
import { encoderLevels } from "../encoders/resnet.ts";
import { joined } from "../layers/combine.ts";
import { convolution } from "../layers/convolution.ts";
import { channelDropout } from "../layers/dropout.ts";
import { framed } from "../layers/frame.ts";
import { resizedToCorners } from "../layers/resize.ts";
import type { Head } from "../supervision.ts";
import { type DilatedConfig, dilatedHeads, segmentHead } from "./dilated.ts";

/** Pyramid scene parsing: the map at 1/8 beside its means over grids of growing fineness. */
export interface PspnetConfig extends DilatedConfig {
  readonly kind: "pspnet";
  /** Sides of the grids. */
  readonly bins: readonly number[];
  readonly dropout: number;
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

function pyramid(build: Build, { bins }: PspnetConfig, x: Value): Value {
  const { h, w, c } = nhwc("pspnet", "x", x.shape);
  const outer = Math.floor(c / bins.length);
  const parts = bins.map((side, i) => {
    const pooled = build.graph.apply(adaptiveAveragePool2d, { x }, { height: side, width: side });
    return resizedToCorners(build, convolution(build, `pyramid.${i}`, pooled, { outer, activation: "relu" }), h, w);
  });
  return joined(build, x, ...parts);
}

function run(build: Build, config: PspnetConfig, image: Value): Head[] {
  const { classes } = config;
  const dropped = (x: Value) => channelDropout(build, "drop", x, config.dropout);
  return dilatedHeads(build, config, image, {
    dilated: "whole stages",
    main: (last) =>
      segmentHead(build, "head", pyramid(build, config, last), { outer: lastOf(last.shape) / 4, classes, dropped }),
    raised: (x, height, width) => resizedToCorners(build, x, height, width),
    dropped,
  });
}

export const pspnet: NetworkDefinition<PspnetConfig> = {
  trace: (build, config, image) => framed(build, image, 8, (x) => run(build, config, x)),
  checked(config) {
    requireCommon(config);
    requireWhole({ base: config.base, bins: Math.min(...config.bins) });
    return config;
  },
  levels: ({ blocks }) => encoderLevels(blocks),
  scaled: (config, base) => ({ ...config, base }),
};
