import type { Value } from "../../kernels/trace/op.ts";
import { lastOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { joined, sum } from "../layers/combine.ts";
import { convolution, transposedConvolution } from "../layers/convolution.ts";
import { assemFormer } from "./assemformer.ts";
import type { SvanetConfig } from "./config.ts";
import { normed, type Tap } from "./style.ts";

interface Joined {
  /** What the link before gave, at half the size. */
  readonly deeper: Value;
  readonly branch: Value;
}

interface Linked {
  /** What goes to the classifier. */
  readonly branch: Value;
  /** What the next link starts from. */
  readonly deeper: Value;
}

/** One step of the decoder: raises `deeper` to the size of a branch, joins both, mixes with an AssemFormer. */
export function link(build: Build, config: SvanetConfig, index: number, from: Joined, tap: Tap): Linked {
  return build.scope(`links.${index}`, () => {
    const { deeper, branch } = from;
    const raised = build.scope("up", () => up(build, config, deeper, lastOf(branch.shape)));
    const met = tap(`link.${index}.joint`, join(build, config, raised, branch));
    const out = config.formerAfter ? assemFormer(build, config, met, config.formerGateAfter) : met;
    return { branch: out, deeper: config.linkTap === "before" ? met : out };
  });
}

function up(build: Build, config: SvanetConfig, x: Value, outer: number): Value {
  const quarter = Math.floor(lastOf(x.shape) / 4);
  const relu = normed(config, "relu");
  const entered = convolution(build, "enter", x, { outer: quarter, ...relu });
  const stretched = transposedConvolution(build, "stretch", entered, { outer: quarter, kernel: 3, stride: 2, ...relu });
  return convolution(build, "leave", stretched, { outer, ...relu });
}

function join(build: Build, config: SvanetConfig, raised: Value, branch: Value): Value {
  if (config.link !== "concat") return sum(build, raised, branch);
  return build.scope("join", () => {
    const outer = lastOf(branch.shape);
    const both = joined(build, raised, branch);
    const spatial = convolution(build, "spatial", both, { outer, kernel: 3, ...normed(config, "relu") });
    return convolution(build, "mix", spatial, { outer, ...normed(config, "relu") });
  });
}
