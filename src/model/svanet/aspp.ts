import { multiply } from "../../kernels/ops/arithmetic.ts";
import { concat } from "../../kernels/ops/layout.ts";
import { resizeNearest } from "../../kernels/ops/resize.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { convNorm } from "../layers/conv.ts";
import type { SvanetConfig } from "./config.ts";
import { globalMean } from "./gates.ts";

/** Context at several dilations and of the whole image, joined; in training whole channels are dropped. */
export function aspp(build: Build, config: SvanetConfig, x: Value): Value {
  return build.scope("aspp", () => {
    const { graph } = build;
    const { n, h, w } = nhwc("aspp", "x", x.shape);
    const outer = config.asppChannels;
    const point = convNorm(build, config, "point", x, { outer, act: "relu" });
    const atrous = config.asppRates.map((dilation, i) =>
      convNorm(build, config, `atrous.${i}`, x, { outer, kernel: 3, dilation, act: "relu" }),
    );
    const pooled = convNorm(build, config, "image", globalMean(build, x), { outer, act: "relu" });
    // One value a channel, so resizing only repeats it.
    const image = graph.apply(resizeNearest, { x: pooled }, { height: h, width: w });
    const parts = [point, ...atrous, image];
    const joined = graph.apply(concat(parts.length), Object.fromEntries(parts.map((part, i) => [`x${i}`, part])), {});
    const merged = convNorm(build, config, "merge", joined, { outer, act: "relu" });
    if (build.mode === "eval" || config.asppDropout === 0) return merged;
    const shape = [n, 1, 1, outer];
    const [keep] = build.draw({ kind: "keep", name: "aspp.keep", shape, drop: config.asppDropout });
    return keep ? graph.apply(multiply, { x: merged, y: keep }, {}) : merged;
  });
}
