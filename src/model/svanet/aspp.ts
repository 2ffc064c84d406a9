import type { Value } from "../../kernels/trace/op.ts";
import { nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { joined } from "../layers/combine.ts";
import { convolution } from "../layers/convolution.ts";
import { channelDropout } from "../layers/dropout.ts";
import { globalMean } from "../layers/pool.ts";
import { spread } from "../layers/resize.ts";
import type { SvanetConfig } from "./config.ts";
import { normed } from "./style.ts";

/** Context at several dilations and of the whole image, joined; in training whole channels are dropped. */
export function aspp(build: Build, config: SvanetConfig, x: Value): Value {
  return build.scope("aspp", () => {
    const { h, w } = nhwc("aspp", "x", x.shape);
    const relu = { outer: config.asppChannels, ...normed(config, "relu") };
    const point = convolution(build, "point", x, relu);
    const atrous = config.asppRates.map((dilation, i) =>
      convolution(build, `atrous.${i}`, x, { kernel: 3, dilation, ...relu }),
    );
    const pooled = convolution(build, "image", globalMean(build, x), relu);
    const parts = joined(build, point, ...atrous, spread(build, pooled, h, w));
    const merged = convolution(build, "merge", parts, relu);
    return channelDropout(build, "keep", merged, config.asppDropout);
  });
}
