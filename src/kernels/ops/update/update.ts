import { allWide, elementType, perInvocation, read, type TensorUse, update, write } from "../../shader/shader.ts";
import { type Target, usefulInvocations } from "../../target.ts";
import { FREE } from "../../trace/cost.ts";
import { type Dispatch, defineOp, NO_MACS, type Value } from "../../trace/op.ts";
import { type Shape, sizeOf } from "../../trace/shape.ts";

import { NO_GRADIENT } from "./judge.ts";
import { mustBe } from "./kernels.ts";

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
