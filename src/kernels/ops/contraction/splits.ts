import { ACTIVATIONS } from "../../shader/activation.ts";
import { elementType, elementwise, perInvocation, read, type TensorUse, write } from "../../shader/shader.ts";
import type { Target } from "../../target.ts";
import type { Dispatch, Epilogue, Value } from "../../trace/op.ts";
import { lastOf, sizeOf } from "../../trace/shape.ts";
import type { Contraction } from "./contraction.ts";

/** How a kernel's text names the sum, the scale and bias of its channel, and its place in the output. */
interface EpilogueNames {
  readonly sum: string;
  readonly scale: string;
  readonly bias: string;
  readonly at: string;
}

/** Tensors, functions and the finished value of an epilogue: activation(scale * sum + bias + residual). */
export function epilogueText(epilogue: Epilogue, wide: boolean, { sum, scale, bias, at }: EpilogueNames) {
  const tensors: Record<string, TensorUse> = {};
  if (epilogue.scale) tensors["scale"] = read(epilogue.scale, wide);
  if (epilogue.bias) tensors["bias"] = read(epilogue.bias, wide);
  if (epilogue.residual) tensors["residual"] = read(epilogue.residual, wide);
  const scaled = epilogue.scale ? `${sum} * ${scale}` : sum;
  const total = `${scaled}${epilogue.bias ? ` + ${bias}` : ""}${epilogue.residual ? ` + residual_at(${at})` : ""}`;
  const { activation } = epilogue;
  return {
    tensors,
    finish: activation ? `${activation}(${total})` : total,
    functions: activation ? ACTIVATIONS[activation].wgsl : "",
  };
}

/** Four reads are on their way at once; the order of the sum is that of the stretches. */
const TOTAL = `  var sum = parts_at(i);
  var s = 1u;
  for (; s + 3u < args.splits; s += 4u) {
    let a = parts_at(s * args.stretch + i); let b = parts_at((s + 1u) * args.stretch + i);
    let c = parts_at((s + 2u) * args.stretch + i); let d = parts_at((s + 3u) * args.stretch + i);
    sum += a; sum += b; sum += c; sum += d;
  }
  for (; s < args.splits; s++) { sum += parts_at(s * args.stretch + i); }`;

/** As {@link sumSplits}, of `parts [splits, out's numbers, then those of sums]`, all by fours and as they are. */
export function sumSplitsOfBoth(parts: Value, out: Value, sums: Value, splits: number, target: Target): Dispatch {
  const first = sizeOf(out.shape) / 4;
  const stretch = first + sizeOf(sums.shape) / 4;
  return perInvocation({
    label: "sum of splits",
    target,
    count: stretch,
    type: elementType(true),
    tensors: { parts: read(parts, true), out: write(out, true), sums: write(sums, true) },
    sizes: { splits, stretch, first },
    body: `${TOTAL}
  if (i < args.first) { out_set(i, sum); } else { sums_set(i - args.first, sum); }`,
  });
}

/**
 * Adds the sums of stretches, `parts [splits, ..out]`, in their order, and does with each total what the contraction's
 * kernel would have done.
 */
export function sumSplits(
  parts: Value,
  out: Value,
  splits: number,
  { target, epilogue }: Pick<Contraction, "target" | "epilogue">,
): Dispatch {
  const perChannel = epilogue.scale !== undefined || epilogue.bias !== undefined;
  const wide = (perChannel ? lastOf(out.shape) : sizeOf(out.shape)) % 4 === 0;
  const unit = wide ? 4 : 1;
  const { tensors, finish, functions } = epilogueText(epilogue, wide, {
    sum: "sum",
    scale: "scale_at(i % args.channels)",
    bias: "bias_at(i % args.channels)",
    at: "i",
  });
  return elementwise({
    label: "sum of splits",
    target,
    out,
    wide,
    tensors: { parts: read(parts, wide), ...tensors },
    sizes: { splits, stretch: sizeOf(out.shape) / unit, ...(perChannel ? { channels: lastOf(out.shape) / unit } : {}) },
    functions,
    body: `${TOTAL}
  return ${finish};`,
  });
}
