import type { Value } from "../../kernels/trace/op.ts";
import { lastOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { sum } from "../layers/combine.ts";
import { convolution } from "../layers/convolution.ts";
import { assemFormer } from "./assemformer.ts";
import type { SvanetConfig } from "./config.ts";
import { gate } from "./gates.ts";
import { roundChannels } from "./rounding.ts";
import { normed, type Tap } from "./style.ts";

/** What a branch passes before guidance: MCBottleneck, whose output `tap` is shown, and AssemFormer, each unless switched off. */
export function neck(build: Build, config: SvanetConfig, branch: number, x: Value, tap: Tap): Value {
  return build.scope(`necks.${branch}`, () => {
    const y = config.neck ? tap(`neck.${branch}.bottleneck`, monteCarloBottleneck(build, config, x)) : x;
    return config.formerBefore ? assemFormer(build, config, y, config.formerGateBefore) : y;
  });
}

function monteCarloBottleneck(build: Build, config: SvanetConfig, x: Value): Value {
  const outer = lastOf(x.shape);
  const hidden = roundChannels(outer * config.neckRatio, 8);
  const entered = convolution(build, "enter", x, { outer: hidden, ...normed(config, "relu") });
  const spatial = convolution(build, "spatial", entered, { outer: hidden, kernel: 3, ...normed(config, "relu") });
  const gated = gate(build, config, config.neckAttention, spatial);
  return sum(build, x, convolution(build, "leave", gated, { outer, ...normed(config) }));
}
