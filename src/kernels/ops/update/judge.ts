import { elementwise, read } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { defineOp, NO_MACS } from "../../trace/op.ts";
import { judgement, mustBe, squares } from "./kernels.ts";

/**
 * The end of a training step, on whole segments of arenas. The ops are meant to run in this order:
 *
 * 1. `squaredNorm` of every gradient segment; `accumulate` adds them up in place, first segment first.
 * 2. `judgeStep` (`judgeScaledStep` where half precision is trained in) decides from that, and from the loss, whether the step counts, and writes `control`, u32 [4]:
 *    [0] 1 when loss or gradients are not finite, else 0; [1] steps skipped so far; [2] the bits of the f32 by which
 *    gradients are multiplied (averaging over accumulated batches and clipping together); [3] the bits of the f32 norm of
 *    the averaged gradients before clipping, infinite in a skipped step.
 * 3. `tick` and `prepareAdamW` for every group, then `adamW` for every segment of it; or `sgd` for every segment.
 *
 * Everything after `judgeStep` leaves its tensors unchanged, bit for bit, when `control[0]` is set.
 */
export const NO_GRADIENT = "an update takes no part in the loss";

/** Sum of squares of the finite elements, and the number of others: [1, 2]. */
export const squaredNorm = defineOp<unknown>()({
  name: "squaredNorm",
  inputs: ["x"],
  shape: () => [1, 2],
  lower: squares,
  macs: NO_MACS,
  cost: FREE,
  derivative: NO_GRADIENT,
});

/**
 * Writes `control` (see the top of this file) from the totals of `squaredNorm`, the loss and `rate` [2] (learning rate;
 * factor of the gradients, 1 / accumulated batches). `clipNorm` bounds the norm as PyTorch does; null is no bound.
 */
export const judgeStep = defineOp<{ readonly clipNorm: number | null }>()({
  name: "judgeStep",
  inputs: ["control", "totals", "loss", "rate"],
  updates: ["control"],
  shape(shapes) {
    mustBe("judgeStep", shapes, { control: [4], totals: [1, 2], loss: [1], rate: [2] });
    return null;
  },
  lower: ({ inputs, attrs, target }) => judgement({ label: "judgeStep", target, ...inputs, ...attrs }),
  macs: NO_MACS,
  cost: FREE,
  derivative: NO_GRADIENT,
});

/**
 * As {@link judgeStep}, of gradients that were multiplied by a loss scale so that half precision can hold them. `scale` [2] is
 * the factor and the good steps since it last changed; `control[2]` and `control[3]` are freed of it. A step that does not
 * count halves the scale, 2000 in a row that do double it, between 1 and 2^24.
 */
export const judgeScaledStep = defineOp<{ readonly clipNorm: number | null }>()({
  name: "judgeScaledStep",
  inputs: ["control", "scale", "totals", "loss", "rate"],
  updates: ["control", "scale"],
  shape(shapes) {
    mustBe("judgeScaledStep", shapes, { control: [4], scale: [2], totals: [1, 2], loss: [1], rate: [2] });
    return null;
  },
  lower: ({ inputs, attrs, target }) => judgement({ label: "judgeScaledStep", target, ...inputs, ...attrs }),
  macs: NO_MACS,
  cost: FREE,
  derivative: NO_GRADIENT,
});

/** [1]: the gradient of a scaled loss by the loss, which is the first word of `scale` [2]. */
export const scaledSeed = defineOp<unknown>()({
  name: "scaledSeed",
  inputs: ["scale"],
  shape(shapes) {
    mustBe("scaledSeed", shapes, { scale: [2] });
    return [1];
  },
  lower: ({ inputs: { scale }, out, target }) => [
    elementwise({
      label: "scaledSeed",
      target,
      out,
      wide: false,
      tensors: { scale: read(scale) },
      body: "  return scale_at(i);",
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  derivative: NO_GRADIENT,
});
