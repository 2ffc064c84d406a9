import { ShapeError } from "../../../errors.ts";
import { perInvocation, read, update } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { defineOp, NO_MACS, type Shapes } from "../../trace/op.ts";
import { lastOf, sameShape } from "../../trace/shape.ts";

/**
 * Moves running statistics towards those of a batch, `running = (1 - momentum) running + momentum batch`, with the
 * variance made unbiased for `count` rows. Does nothing when `control` says that the step is skipped.
 */
export const updateRunning = defineOp<{ readonly momentum: number; readonly count: number }>()({
  name: "updateRunning",
  inputs: ["mean", "variance", "statistics", "control"],
  updates: ["mean", "variance"],
  shape({ mean, variance, statistics, control }: Shapes<"mean" | "variance" | "statistics" | "control">) {
    const channels = lastOf(mean);
    if (!sameShape(mean, variance) || !sameShape(statistics, [3, channels]) || !sameShape(control, [4])) {
      throw new ShapeError(
        `updateRunning: mean [${mean}], variance [${variance}], statistics [${statistics}] and control [${control}] must be [c], [c], [3, c] and [4]`,
      );
    }
    return null;
  },
  lower: ({ inputs: { mean, variance, statistics, control }, attrs: { momentum, count }, target }) => [
    perInvocation({
      label: "updateRunning",
      target,
      count: lastOf(mean.shape),
      type: "f32",
      tensors: { mean: update(mean), variance: update(variance), statistics: read(statistics), control: read(control) },
      floats: { keep: 1 - momentum, take: momentum, unbiased: (momentum * count) / Math.max(count - 1, 1) },
      body: `  if (control_at(0u) != 0u) { return; }
  mean_set(i, args.keep * mean_at(i) + args.take * statistics_at(i));
  variance_set(i, args.keep * variance_at(i) + args.unbiased * statistics_at(args.count + i));`,
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  derivative: "statistics take no part in the loss",
});
