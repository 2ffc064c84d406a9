import { ShapeError } from "../../../errors.ts";
import { elementwise, perInvocation, read, write } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { defineOp, NO_MACS } from "../../trace/op.ts";
import { krsc } from "../../trace/shape.ts";

interface FoldForwardAttrs {
  /** The first channel of the convolution's input that the norm made; behind other maps it is not 0. */
  readonly start: number;
}

/**
 * The weight `[k, 1, 1, c]` of a convolution of `x * scale + shift` as that of one of `x`, where `scale` and `shift` are
 * those of some channels from `start` on; and what the shift adds to each output, `[k]`. Exact in real numbers without
 * padding: zeros around the image would not have been shifted.
 */
export const foldForward = defineOp<FoldForwardAttrs>()({
  name: "foldForward",
  inputs: ["weight", "scale", "shift"],
  shape({ weight, scale, shift }, { start }) {
    const { r, s, c } = krsc("foldForward", weight);
    const [taken = 0] = scale;
    if (
      r !== 1 ||
      s !== 1 ||
      scale.length !== 1 ||
      shift.join() !== scale.join() ||
      !(start >= 0 && start + taken <= c)
    ) {
      throw new ShapeError(
        `foldForward: scale [${scale}] and shift [${shift}] are not of channels from ${start} on of a 1x1 weight [${weight}]`,
      );
    }
    return weight;
  },
  extra: ({ weight }) => [[weight[0] ?? 0]],
  lower({ inputs: { weight, scale, shift }, out, extra: [summand = out], attrs: { start }, target }) {
    const { k, c } = krsc("foldForward", weight.shape);
    const sizes = { c, start, taken: scale.shape[0] ?? 0 };
    return [
      elementwise({
        label: "foldForward weight",
        target,
        out,
        wide: false,
        tensors: { weight: read(weight), scale: read(scale) },
        sizes,
        body: `  let j = i % args.c - args.start;
  if (j >= args.taken) { return weight_at(i); }
  return weight_at(i) * scale_at(j);`,
      }),
      perInvocation({
        label: "foldForward shift",
        target,
        count: k,
        type: "f32",
        tensors: { weight: read(weight), shift: read(shift), summand: write(summand) },
        sizes,
        body: `  var total = 0.0;
  for (var j = 0u; j < args.taken; j++) { total += weight_at(i * args.c + args.start + j) * shift_at(j); }
  summand_set(i, total);`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  derivative: "it is made by a pass that runs after differentiation",
});
