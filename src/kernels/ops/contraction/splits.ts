import { elementwiseThen } from "../../shader/epilogue.ts";
import { elementType, perInvocation, read, write } from "../../shader/shader.ts";
import type { Target } from "../../target.ts";
import type { Dispatch, Value } from "../../trace/op.ts";
import { lastOf, sizeOf } from "../../trace/shape.ts";
import type { Contraction } from "./contraction.ts";

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
  return elementwiseThen(epilogue, {
    label: "sum of splits",
    target,
    out,
    wide,
    tensors: { parts: read(parts, wide) },
    sizes: { splits, stretch: sizeOf(out.shape) / unit },
    body: `${TOTAL}
  return sum;`,
  });
}
