import { declaredOnce } from "../../shader/activation.ts";
import { rowsOf } from "../../shader/chunks.ts";
import { epilogueText } from "../../shader/epilogue.ts";
import { elementType, perInvocation, read, write } from "../../shader/shader.ts";
import type { Target } from "../../target.ts";
import type { Dispatch, Epilogue, Value } from "../../trace/op.ts";
import { lastOf } from "../../trace/shape.ts";

/** `total` of a register's components. */
const TOTAL = (wide: boolean): string =>
  wide ? "fn total(v: T) -> f32 { return (v.x + v.y) + (v.z + v.w); }" : "fn total(v: T) -> f32 { return v; }";

/** One row an invocation: mean and squared deviations in one reading, the result in a second. */
export function layerNormalise(call: {
  readonly target: Target;
  readonly wide: boolean;
  readonly x: Value;
  readonly weight: Value;
  readonly bias: Value;
  readonly statistics: Value;
  readonly out: Value;
  readonly eps: number;
}): Dispatch {
  const { target, wide, x } = call;
  const dim = lastOf(x.shape);
  return perInvocation({
    label: "layerNorm",
    target,
    count: rowsOf(x, dim),
    type: elementType(wide),
    tensors: {
      x: read(x, wide),
      weight: read(call.weight, wide),
      bias: read(call.bias, wide),
      statistics: write(call.statistics),
      out: write(call.out, wide),
    },
    sizes: { columns: wide ? dim / 4 : dim },
    floats: { dim, eps: call.eps },
    functions: TOTAL(wide),
    body: `  let base = i * args.columns;
  var means = x_at(base);
  var squares = T(0.0);
  for (var column = 1u; column < args.columns; column++) {
    let apart = x_at(base + column) - means;
    let share = 1.0 / f32(column + 1u);
    means += apart * share;
    squares += apart * apart * (f32(column) * share);
  }
  let mean = total(means) * f32(args.columns) / args.dim;
  let apart = means - T(mean);
  let rate = 1.0 / sqrt(total(squares + apart * apart * f32(args.columns)) / args.dim + args.eps);
  statistics_set(2u * i, mean);
  statistics_set(2u * i + 1u, rate);
  for (var column = 0u; column < args.columns; column++) {
    out_set(base + column, (x_at(base + column) - T(mean)) * rate * weight_at(column) + bias_at(column));
  }`,
  });
}

/** `rate * (gw - mean(gw) - xhat * mean(gw * xhat))` with `gw = grad * weight`, one row an invocation. */
export function layerGradient(call: {
  readonly target: Target;
  readonly wide: boolean;
  readonly grad: Value;
  readonly x: Value;
  readonly statistics: Value;
  readonly weight: Value;
  readonly out: Value;
  readonly epilogue: Epilogue;
}): Dispatch {
  const { target, wide, x, epilogue } = call;
  const dim = lastOf(x.shape);
  const sum = "rate * (g - middle - (x_at(at) - mean) * (rate * slope))";
  const tail = epilogueText(epilogue, wide, { sum, at: "at" });
  return perInvocation({
    label: "layerNormGrad",
    target,
    count: rowsOf(x, dim),
    type: elementType(wide),
    tensors: {
      grad: read(call.grad, wide),
      x: read(x, wide),
      statistics: read(call.statistics),
      weight: read(call.weight, wide),
      ...tail.tensors,
      out: write(call.out, wide),
    },
    sizes: { columns: wide ? dim / 4 : dim },
    floats: { dim },
    functions: declaredOnce([TOTAL(wide), tail.functions]),
    body: `  let base = i * args.columns;
  let mean = T(statistics_at(2u * i));
  let rate = statistics_at(2u * i + 1u);
  var plain = T(0.0);
  var scaled = T(0.0);
  for (var column = 0u; column < args.columns; column++) {
    let g = grad_at(base + column) * weight_at(column);
    plain += g;
    scaled += g * ((x_at(base + column) - mean) * rate);
  }
  let middle = T(total(plain) / args.dim);
  let slope = total(scaled) / args.dim;
  for (var column = 0u; column < args.columns; column++) {
    let at = base + column;
    let g = grad_at(at) * weight_at(column);
    out_set(at, ${tail.finish});
  }`,
  });
}
