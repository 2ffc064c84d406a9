import { allWide, read, shader, spread, write } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { defineOp, NO_MACS } from "../../trace/op.ts";
import { lastOf } from "../../trace/shape.ts";

/**
 * Batch norm by running statistics as one factor and one summand a channel, `y = x * scale + shift`: what a
 * convolution before it applies while storing. Computed in the program that uses it, so it is never stale.
 */
export const foldNorm = defineOp<{ readonly eps: number }>()({
  name: "foldNorm",
  inputs: ["weight", "bias", "mean", "variance"],
  shape: ({ weight }) => weight,
  extra: ({ weight }) => [weight],
  lower: ({ inputs: { weight, bias, mean, variance }, out: scale, extra: [shift = scale], attrs: { eps }, target }) => {
    const wide = allWide(scale);
    const count = lastOf(scale.shape) / (wide ? 4 : 1);
    return [
      shader({
        label: "foldNorm",
        target,
        tensors: {
          weight: read(weight, wide),
          bias: read(bias, wide),
          mean: read(mean, wide),
          variance: read(variance, wide),
          scale: write(scale, wide),
          shift: write(shift, wide),
        },
        sizes: { count },
        floats: { eps },
        workgroupSize: [64],
        workgroups: spread(Math.ceil(count / 64), target),
        main: `  let i = id.x + id.y * groups.x * 64u;
  if (i >= args.count) { return; }
  let factor = weight_at(i) / sqrt(variance_at(i) + args.eps);
  scale_set(i, factor);
  shift_set(i, bias_at(i) - mean_at(i) * factor);`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  derivative: "it is made by a pass that runs after differentiation",
});
