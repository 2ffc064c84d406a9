import { add } from "../../kernels/ops/arithmetic.ts";
import { concat } from "../../kernels/ops/layout.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { lastOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { convNorm, stretchNorm } from "../layers/conv.ts";
import { assemFormer } from "./assemformer.ts";
import type { SvanetConfig } from "./config.ts";

export interface Linked {
  /** What goes to the classifier. */
  readonly branch: Value;
  /** What the next link starts from. */
  readonly deeper: Value;
}

/** One step of the decoder: raises `deeper` to the size of a branch, joins both, mixes with an AssemFormer. */
export function link(build: Build, config: SvanetConfig, index: number, deeper: Value, branch: Value): Linked {
  return build.scope(`links.${index}`, () => {
    const raised = build.scope("up", () => up(build, config, deeper, lastOf(branch.shape)));
    const joined = join(build, config, raised, branch);
    const out = config.formerAfter ? assemFormer(build, config, joined, config.formerGateAfter) : joined;
    return { branch: out, deeper: config.linkTap === "before" ? joined : out };
  });
}

function up(build: Build, config: SvanetConfig, x: Value, outer: number): Value {
  const quarter = Math.floor(lastOf(x.shape) / 4);
  const entered = convNorm(build, config, "enter", x, { outer: quarter, act: "relu" });
  const stretched = stretchNorm(build, config, "stretch", entered);
  return convNorm(build, config, "leave", stretched, { outer, act: "relu" });
}

function join(build: Build, config: SvanetConfig, raised: Value, branch: Value): Value {
  if (config.link !== "concat") return build.graph.apply(add, { x: raised, y: branch }, {});
  return build.scope("join", () => {
    const outer = lastOf(branch.shape);
    const both = build.graph.apply(concat(2), { x0: raised, x1: branch }, {});
    const spatial = convNorm(build, config, "spatial", both, { outer, kernel: 3, act: "relu" });
    return convNorm(build, config, "mix", spatial, { outer, act: "relu" });
  });
}
