import { add } from "../../kernels/ops/arithmetic.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { lastOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { convNorm } from "../layers/conv.ts";
import { assemFormer } from "./assemformer.ts";
import type { SvanetConfig } from "./config.ts";
import { gate } from "./gates.ts";
import { roundChannels } from "./rounding.ts";

/** What a branch passes before guidance: MCBottleneck and AssemFormer, each unless switched off. */
export function neck(build: Build, config: SvanetConfig, branch: number, x: Value): Value {
  return build.scope(`necks.${branch}`, () => {
    const y = config.neck ? monteCarloBottleneck(build, config, x) : x;
    return config.formerBefore ? assemFormer(build, config, y, config.formerGateBefore) : y;
  });
}

function monteCarloBottleneck(build: Build, config: SvanetConfig, x: Value): Value {
  const outer = lastOf(x.shape);
  const hidden = roundChannels(outer * config.neckRatio, 8);
  const entered = convNorm(build, config, "enter", x, { outer: hidden, act: "relu" });
  const spatial = convNorm(build, config, "spatial", entered, { outer: hidden, kernel: 3, act: "relu" });
  const gated = gate(build, config, config.neckAttention, spatial);
  return build.graph.apply(add, { x, y: convNorm(build, config, "leave", gated, { outer }) }, {});
}
