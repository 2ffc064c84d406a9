import type { Value } from "../../kernels/trace/op.ts";
import { nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { type NetworkDefinition, requireCommon, requireWhole } from "../definition.ts";
import { encoderLevels } from "../encoders/resnet.ts";
import { joined } from "../layers/combine.ts";
import { convolution } from "../layers/convolution.ts";
import { valueDropout } from "../layers/dropout.ts";
import { framed } from "../layers/frame.ts";
import { globalMean } from "../layers/pool.ts";
import { resizedByCentres, spread } from "../layers/resize.ts";
import type { Head } from "../supervision.ts";
import { type DilatedConfig, dilatedHeads, segmentHead } from "./dilated.ts";

/** Atrous spatial pyramid pooling on a dilated ResNet: the head that SvANet's context branch extends. */
export interface Deeplabv3Config extends DilatedConfig {
  readonly kind: "deeplabv3";
  /** Channels of the pyramid. */
  readonly channels: number;
  readonly rates: readonly number[];
  readonly dropout: number;
  readonly auxiliaryDropout: number;
}

/** torchvision's deeplabv3_resnet50. */
export const DEEPLABV3: Deeplabv3Config = {
  kind: "deeplabv3",
  classes: 8,
  height: 512,
  width: 512,
  base: 64,
  blocks: [3, 4, 6, 3],
  channels: 256,
  rates: [12, 24, 36],
  dropout: 0.5,
  auxiliary: 0.5,
  auxiliaryDropout: 0.1,
};

function pyramid(build: Build, { channels: outer, rates, dropout }: Deeplabv3Config, x: Value): Value {
  return build.scope("aspp", () => {
    const { h, w } = nhwc("deeplabv3", "x", x.shape);
    const relu = { outer, activation: "relu" } as const;
    const pooled = convolution(build, "image", globalMean(build, x), relu);
    const parts = [
      convolution(build, "point", x, relu),
      ...rates.map((dilation, i) => convolution(build, `atrous.${i}`, x, { kernel: 3, dilation, ...relu })),
      spread(build, pooled, h, w),
    ];
    const merged = convolution(build, "merge", joined(build, ...parts), relu);
    return valueDropout(build, "drop", merged, dropout);
  });
}

function run(build: Build, config: Deeplabv3Config, image: Value): Head[] {
  const { classes, channels } = config;
  return dilatedHeads(build, config, image, {
    dilated: "behind the first block",
    main: (last) => segmentHead(build, "head", pyramid(build, config, last), { outer: channels, classes }),
    raised: (x, height, width) => resizedByCentres(build, x, height, width),
    dropped: (x) => valueDropout(build, "drop", x, config.auxiliaryDropout),
  });
}

export const deeplabv3: NetworkDefinition<Deeplabv3Config> = {
  trace: (build, config, image) => framed(build, image, 8, (x) => run(build, config, x)),
  checked(config) {
    requireCommon(config);
    requireWhole({ base: config.base, channels: config.channels });
    return config;
  },
  levels: ({ blocks }) => encoderLevels(blocks),
  scaled: (config, base) => ({
    ...config,
    base,
    channels: Math.max(1, Math.round((config.channels * base) / config.base)),
  }),
};
