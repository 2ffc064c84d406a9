import {
  allWide,
  elementType,
  elementwise,
  perInvocation,
  read,
  type TensorUse,
  update,
  write,
} from "../../shader/shader.ts";
import { type Target, usefulInvocations } from "../../target.ts";
import { FREE } from "../../trace/cost.ts";
import { type Dispatch, defineOp, NO_MACS, type Value } from "../../trace/op.ts";
import { type Shape, sizeOf } from "../../trace/shape.ts";

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
const NO_GRADIENT = "an update takes no part in the loss";

function allAlike(op: string, shapes: { readonly [name: string]: Shape }): void {
  const [first = []] = Object.values(shapes);
  mustBe(op, shapes, Object.fromEntries(Object.keys(shapes).map((name) => [name, first])));
}

/**
 * Does `body` for every element of `tensors`' common shape, or four of them, at `i`. An invocation takes one on a GPU; on a
 * CPU driver, where a load costs more than all arithmetic, it takes many and reads what they share once, in `before`.
 */
function everyElement(spec: {
  readonly label: string;
  readonly target: Target;
  readonly like: Value;
  readonly tensors: (wide: boolean) => { readonly [name: string]: TensorUse };
  readonly sizes?: { readonly [name: string]: number };
  readonly floats?: { readonly [name: string]: number };
  readonly before?: string;
  readonly body: string;
}): Dispatch[] {
  const { like, tensors, before = "", body, sizes, ...rest } = spec;
  const wide = allWide(like);
  const elements = sizeOf(like.shape) / (wide ? 4 : 1);
  return [
    perInvocation({
      ...rest,
      count: rest.target.software ? Math.min(elements, usefulInvocations(rest.target)) : elements,
      type: elementType(wide, like.dtype),
      tensors: tensors(wide),
      sizes: { elements, ...sizes },
      body: `${before}
  for (var at = i; at < args.elements; at += args.count) {
    let i = at;
${body}
  }`,
    }),
  ];
}

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

/** Counts a group's steps: `clock` u32 [1] goes up by one unless the step is skipped. */
export const tick = defineOp<unknown>()({
  name: "tick",
  inputs: ["clock", "control"],
  updates: ["clock"],
  shape(shapes) {
    mustBe("tick", shapes, { clock: [1], control: [4] });
    return null;
  },
  lower: ({ inputs: { clock, control }, target }) => [
    perInvocation({
      label: "tick",
      target,
      count: 1,
      type: "u32",
      tensors: { clock: update(clock), control: read(control) },
      body: "  if (control_at(0u) == 0u) { clock_set(0u, clock_at(0u) + 1u); }",
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  derivative: NO_GRADIENT,
});

/** The learning rate of the tensors at hand over that of the step; 1 when left out. */
interface RateAttrs {
  readonly rateFactor?: number;
}

interface AdamAttrs extends RateAttrs {
  readonly beta1: number;
  readonly beta2: number;
  readonly weightDecay: number;
}

/**
 * What `adamW` needs of a step, after `tick`: [rate / (1 - beta1^t), 1 / sqrt(1 - beta2^t), scale of the gradients,
 * 1 - rate * decay, 1 when skipped, 0, 0, 0].
 */
export const prepareAdamW = defineOp<AdamAttrs>()({
  name: "prepareAdamW",
  inputs: ["clock", "control", "rate"],
  shape(shapes) {
    mustBe("prepareAdamW", shapes, { clock: [1], control: [4], rate: [2] });
    return [8];
  },
  lower: ({ inputs: { clock, control, rate }, out, attrs: { beta1, beta2, weightDecay, rateFactor = 1 }, target }) => [
    perInvocation({
      label: "prepareAdamW",
      target,
      count: 1,
      type: "f32",
      tensors: { clock: read(clock), control: read(control), rate: read(rate), out: write(out) },
      floats: { log1: logOf(beta1), log2: logOf(beta2), decay: weightDecay, factor: rateFactor },
      functions: COMPLEMENT,
      body: `  let steps = f32(clock_at(0u));
  let rate = rate_at(0u) * args.factor;
  out_set(0u, rate / complement(steps * args.log1));
  out_set(1u, 1.0 / sqrt(complement(steps * args.log2)));
  out_set(2u, bitcast<f32>(control_at(2u)));
  out_set(3u, 1.0 - rate * args.decay);
  out_set(4u, select(0.0, 1.0, control_at(0u) != 0u));
  for (var n = 5u; n < 8u; n++) { out_set(n, 0.0); }`,
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  derivative: NO_GRADIENT,
});

/** A float's logarithm; that of zero is replaced by one that is as good as it. */
const logOf = (beta: number): number => Math.max(Math.log(beta), -200);

/** `1 - exp(u)` for u <= 0 by its series near zero, where the difference would lose most of its digits. */
const COMPLEMENT = `fn complement(u: f32) -> f32 {
  var series = 1.0;
  for (var n = 10u; n > 1u; n--) { series = 1.0 + u / f32(n) * series; }
  return select(1.0 - exp(u), -u * series, u > -0.5);
}`;

/** One AdamW step as PyTorch takes it: decay first, then the step by the corrected moments. */
export const adamW = defineOp<AdamAttrs & { readonly eps: number }>()({
  name: "adamW",
  inputs: ["parameter", "first", "second", "gradient", "hyper"],
  updates: ["parameter", "first", "second"],
  shape({ hyper, ...rest }) {
    allAlike("adamW", rest);
    mustBe("adamW", { ...rest, hyper }, { hyper: [8] });
    return null;
  },
  lower: ({ inputs: { parameter, first, second, gradient, hyper }, attrs: { beta1, beta2, eps }, target }) =>
    everyElement({
      label: "adamW",
      target,
      like: parameter,
      tensors: (wide) => ({
        parameter: update(parameter, wide),
        first: update(first, wide),
        second: update(second, wide),
        gradient: read(gradient, wide),
        hyper: read(hyper, true),
      }),
      floats: { take1: 1 - beta1, keep2: beta2, take2: 1 - beta2, eps },
      before: `  if (hyper_at(1u).x != 0.0) { return; }
  let step = hyper_at(0u);`,
      body: `  let g = gradient_at(i) * step.z;
  let before = first_at(i);
  let m = before + (g - before) * args.take1;
  let v = args.keep2 * second_at(i) + args.take2 * g * g;
  first_set(i, m);
  second_set(i, v);
  parameter_set(i, parameter_at(i) * step.w - step.x * m / (sqrt(v) * step.y + args.eps));`,
    }),
  macs: NO_MACS,
  cost: FREE,
  derivative: NO_GRADIENT,
});

/** One step of gradient descent with momentum and L2 decay as PyTorch takes it; `velocity` starts at zero. */
export const sgd = defineOp<
  RateAttrs & { readonly momentum: number; readonly nesterov: boolean; readonly weightDecay: number }
>()({
  name: "sgd",
  inputs: ["parameter", "velocity", "gradient", "control", "rate"],
  updates: ["parameter", "velocity"],
  shape({ control, rate, ...rest }) {
    allAlike("sgd", rest);
    mustBe("sgd", { ...rest, control, rate }, { control: [4], rate: [2] });
    return null;
  },
  lower: ({ inputs: { parameter, velocity, gradient, control, rate }, attrs, target }) =>
    everyElement({
      label: "sgd",
      target,
      like: parameter,
      tensors: (wide) => ({
        parameter: update(parameter, wide),
        velocity: update(velocity, wide),
        gradient: read(gradient, wide),
        control: read(control),
        rate: read(rate),
      }),
      // Nesterov steps by g + momentum * velocity, plain momentum by the velocity itself.
      floats: {
        momentum: attrs.momentum,
        decay: attrs.weightDecay,
        own: attrs.nesterov ? 1 : 0,
        kept: attrs.nesterov ? attrs.momentum : 1,
        factor: attrs.rateFactor ?? 1,
      },
      before: `  if (control_at(0u) != 0u) { return; }
  let taken = bitcast<f32>(control_at(2u));
  let rate = rate_at(0u) * args.factor;`,
      body: `  let p = parameter_at(i);
  let g = gradient_at(i) * taken + args.decay * p;
  let v = args.momentum * velocity_at(i) + g;
  velocity_set(i, v);
  parameter_set(i, p - rate * (args.own * g + args.kept * v));`,
    }),
  macs: NO_MACS,
  cost: FREE,
  derivative: NO_GRADIENT,
});

/** `total += part`, in every step: for gradients of several batches and for totals of several segments. */
export const accumulate = defineOp<unknown>()({
  name: "accumulate",
  inputs: ["total", "part"],
  updates: ["total"],
  shape(shapes) {
    allAlike("accumulate", shapes);
    return null;
  },
  lower: ({ inputs: { total, part }, target }) =>
    everyElement({
      label: "accumulate",
      target,
      like: total,
      tensors: (wide) => ({ total: update(total, wide), part: read(part, wide) }),
      body: "  total_set(i, total_at(i) + part_at(i));",
    }),
  macs: NO_MACS,
  cost: FREE,
  derivative: NO_GRADIENT,
});
