import { ACTIVATIONS, declaredOnce } from "../../shader/activation.ts";
import { rowsOf } from "../../shader/chunks.ts";
import { type KernelText, reduceColumns } from "../../shader/columns.ts";
import { epilogueText } from "../../shader/epilogue.ts";
import { elementType, perInvocation, read, type TensorUse, write } from "../../shader/shader.ts";
import type { Activation, Dispatch, Epilogue, LowerCall, Value } from "../../trace/op.ts";
import { lastOf } from "../../trace/shape.ts";
import { type KernelCall, type Moments, momentText, stripes } from "./kernels.ts";

type Scratch = LowerCall<string, unknown>["scratch"];

/** What followed the norm and whose slope the kernels take into the gradient: made anew from `x`, not read. */
interface Following {
  readonly activation?: Activation | undefined;
  readonly weight: Value;
  readonly bias: Value;
}

/**
 * Rows of the coefficients [6, c] that the gradient of a batch norm's input needs of each channel: centre, what rounding
 * took from it, weight / deviation, bias, mean gradient, and slope by the distance from the centre.
 */
export const COEFFICIENTS = 6;

/** WGSL of `slope_at(pre)`, the slope of an activation by what it was given. */
function slopeText(activation: Activation | undefined): string {
  if (!activation) return "";
  const { wgsl, slope, from } = ACTIVATIONS[activation];
  return from === "x"
    ? `${slope}\nfn slope_at(pre: T) -> T { return ${activation}Slope(pre); }`
    : `${wgsl}\n${slope}\nfn slope_at(pre: T) -> T { return ${activation}Slope(${activation}(pre)); }`;
}

interface SumsCall extends KernelCall {
  readonly scratch: Scratch;
  readonly grad: Value;
  readonly x: Value;
  readonly moments: Moments;
  /** Sums of `grad` and of `grad` times normalised `x`, each [c]. */
  readonly outs: readonly [bias: Value, weight: Value];
}

/** Sums over the rows of `grad` and of `grad` times normalised `x`. */
export function gradientSums(call: SumsCall): Dispatch[] {
  return sumsOf(call, {}, { tensors: {}, body: "" });
}

/** As {@link gradientSums} behind what `following` says, with the coefficients for {@link channelGradient}. */
export function gradientSumsBehind(
  call: SumsCall & { readonly following: Following; readonly coefficients: Value },
): Dispatch[] {
  const { wide, moments, following, coefficients, x } = call;
  const { weight, bias } = following;
  const text = momentText(moments, wide);
  return sumsOf(call, following, {
    tensors: {
      ...text.tensors,
      weight: read(weight, wide),
      bias: read(bias, wide),
      coefficients: write(coefficients, wide),
    },
    floats: { ...text.floats, divisor: rowsOf(x, lastOf(x.shape)) },
    body: `${text.perColumn}
  coefficients_set(column, centre);
  coefficients_set(args.columns + column, low);
  coefficients_set(2u * args.columns + column, rate * weight_at(column));
  coefficients_set(3u * args.columns + column, bias_at(column));
  coefficients_set(4u * args.columns + column, total.plain / args.divisor);
  coefficients_set(5u * args.columns + column, rate * total.scaled / args.divisor);`,
  });
}

function sumsOf(
  call: SumsCall,
  { activation, ...given }: Partial<Following>,
  more: KernelText & { readonly body: string },
): Dispatch[] {
  const { label, target, scratch, wide, grad, x, moments, outs } = call;
  const channels = lastOf(x.shape);
  const text = momentText(moments, wide);
  const masked: { readonly [name: string]: TensorUse } =
    activation && given.weight && given.bias ? { weight: read(given.weight, wide), bias: read(given.bias, wide) } : {};
  return reduceColumns({
    ...{ label: activation ? `${label}+${activation}` : label, target, scratch, wide },
    ...{ outer: 1, rows: rowsOf(x, channels), columns: channels },
    members: ["plain", "scaled"],
    join: "  return Part(a.plain + b.plain, a.scaled + b.scaled);",
    gather: {
      tensors: { grad: read(grad, wide), x: read(x, wide), ...text.tensors, ...masked },
      floats: text.floats,
      functions: slopeText(activation),
      body: `${text.perColumn}
${activation ? "  let factor = rate * weight_at(column);\n  let shift = bias_at(column);" : ""}
  var total = Part(T(0.0), T(0.0));
  // Blocks of 32 rows, so that rounding does not grow with the number of rows.
  for (var begin = 0u; begin < count; begin += 32u) {
    var block = Part(T(0.0), T(0.0));
    for (var turn = begin; turn < min(begin + 32u, count); turn++) {
      let row = first + turn * step;
      let at = row * args.columns + column;
      ${text.perRow}
      let apart = x_at(at) - centre - low;
      let g = grad_at(at)${activation ? " * slope_at(apart * factor + shift)" : ""};
      block.plain += g;
      block.scaled += g * (apart * rate);
    }
    total = join(total, block);
  }
  return total;`,
    },
    finish: {
      ...more,
      tensors: { ...more.tensors, plain: write(outs[0], wide), scaled: write(outs[1], wide) },
      body: `  plain_set(column, total.plain);
  scaled_set(column, total.scaled);
${more.body}`,
    },
  });
}

/**
 * The gradient of a batch norm's input, by the coefficients of {@link gradientSumsBehind}: `weight / deviation * (grad -
 * (sum + xhat * product) / rows)`, behind the activation that followed; and what another reader of the input gives, `residual`.
 */
export function channelGradient(
  call: KernelCall & {
    readonly grad: Value;
    readonly x: Value;
    readonly coefficients: Value;
    readonly activation?: Activation | undefined;
    readonly epilogue: Epilogue;
    readonly out: Value;
  },
): Dispatch {
  const { label, target, wide, grad, x, coefficients, activation, epilogue } = call;
  const tail = epilogueText(epilogue, wide, { sum: "factor * (g - middle - apart * tilt)", at: "at" });
  return perInvocation({
    label: activation ? `${label}+${activation}` : label,
    target,
    ...stripes(x, wide),
    type: elementType(wide),
    tensors: {
      grad: read(grad, wide),
      x: read(x, wide),
      coefficients: read(coefficients, wide),
      ...tail.tensors,
      out: write(call.out, wide),
    },
    functions: declaredOnce([slopeText(activation), tail.functions]),
    body: `  let column = i % args.columns;
  let centre = coefficients_at(column);
  let low = coefficients_at(args.columns + column);
  let factor = coefficients_at(2u * args.columns + column);
  let shift = coefficients_at(3u * args.columns + column);
  let middle = coefficients_at(4u * args.columns + column);
  let tilt = coefficients_at(5u * args.columns + column);
  for (var turn = 0u; turn < args.turns; turn++) {
    let at = i + turn * args.count;
    if (at < args.total) {
      let apart = x_at(at) - centre - low;
      let g = grad_at(at)${activation ? " * slope_at(apart * factor + shift)" : ""};
      out_set(at, ${tail.finish});
    }
  }`,
  });
}

/** The gradient of the input of a norm by statistics that did not come from it: `weight / deviation * grad`. */
export function scaledGradient(
  call: KernelCall & {
    readonly grad: Value;
    readonly weight: Value;
    readonly moments: Moments & { readonly kind: "split" };
    readonly out: Value;
  },
): Dispatch {
  const { label, target, wide, grad, weight, moments } = call;
  const text = momentText(moments, wide);
  return perInvocation({
    label,
    target,
    ...stripes(grad, wide),
    type: elementType(wide),
    tensors: { grad: read(grad, wide), ...text.tensors, weight: read(weight, wide), out: write(call.out, wide) },
    floats: text.floats,
    body: `  let column = i % args.columns;
${text.perColumn}
  let factor = rate * weight_at(column);
  for (var turn = 0u; turn < args.turns; turn++) {
    let at = i + turn * args.count;
    if (at < args.total) { out_set(at, factor * grad_at(at)); }
  }`,
  });
}
