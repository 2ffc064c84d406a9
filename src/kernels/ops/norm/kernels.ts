import { rowsOf } from "../../shader/chunks.ts";
import { epilogueText } from "../../shader/epilogue.ts";
import { elementType, perInvocation, read, type TensorUse, write } from "../../shader/shader.ts";
import type { Target } from "../../target.ts";
import type { Dispatch, Epilogue, Value } from "../../trace/op.ts";
import { lastOf } from "../../trace/shape.ts";

/** Where a kernel finds the mean and the spread of what it normalises. */
export type Moments =
  /** [3, c]: mean, variance and what rounding took from the mean, of each channel. */
  | { readonly kind: "joint"; readonly statistics: Value; readonly eps: number }
  /** [c] and [c]. */
  | { readonly kind: "split"; readonly mean: Value; readonly variance: Value; readonly eps: number }
  /** [rows, 2]: mean and reciprocal deviation of each row. */
  | { readonly kind: "rows"; readonly statistics: Value };

interface MomentText {
  readonly tensors: { readonly [name: string]: TensorUse };
  readonly floats: { readonly [name: string]: number };
  /** Declares `centre`, `low` (to be subtracted behind it) and `rate` for a channel or a row. */
  readonly perColumn: string;
  readonly perRow: string;
}

export function momentText(moments: Moments, wide: boolean): MomentText {
  if (moments.kind === "rows") {
    return {
      tensors: { statistics: read(moments.statistics) },
      floats: {},
      perColumn: "",
      perRow: "let centre = T(statistics_at(2u * row)); let low = T(0.0); let rate = T(statistics_at(2u * row + 1u));",
    };
  }
  const joint = moments.kind === "joint";
  const tensors: { readonly [name: string]: TensorUse } = joint
    ? { statistics: read(moments.statistics, wide) }
    : { mean: read(moments.mean, wide), variance: read(moments.variance, wide) };
  const centre = joint ? "statistics_at(column)" : "mean_at(column)";
  const low = joint ? "statistics_at(2u * args.columns + column)" : "T(0.0)";
  const spread = joint ? "statistics_at(args.columns + column)" : "variance_at(column)";
  return {
    tensors,
    floats: { eps: moments.eps },
    perColumn: `  let centre = ${centre};\n  let low = ${low};\n  let rate = T(1.0) / sqrt(${spread} + args.eps);`,
    perRow: "",
  };
}

/** What every kernel of a norm is given. */
export interface KernelCall {
  readonly label: string;
  readonly target: Target;
  readonly wide: boolean;
}

/** `out = activation((x - mean) / deviation * weight + bias + residual)`, several rows of one channel a turn. */
export function normaliseChannels(
  call: KernelCall & {
    readonly x: Value;
    readonly weight: Value;
    readonly bias: Value;
    readonly out: Value;
    readonly moments: Moments;
    readonly epilogue: Epilogue;
  },
): Dispatch {
  const { label, target, wide, x, moments, epilogue } = call;
  const text = momentText(moments, wide);
  const more = epilogueText(epilogue, wide, { sum: "(x_at(at) - centre - low) * factor + shift", at: "at" });
  const name = epilogue.activation ? `${label}+${epilogue.activation}` : label;
  return perInvocation({
    label: name,
    target,
    ...stripes(x, wide),
    type: elementType(wide),
    tensors: {
      x: read(x, wide),
      ...text.tensors,
      weight: read(call.weight, wide),
      bias: read(call.bias, wide),
      ...more.tensors,
      out: write(call.out, wide),
    },
    floats: text.floats,
    functions: more.functions,
    body: `  let column = i % args.columns;
${text.perColumn}
  let factor = rate * weight_at(column);
  let shift = bias_at(column);
  for (var turn = 0u; turn < args.turns; turn++) {
    let at = i + turn * args.count;
    if (at < args.total) { out_set(at, ${more.finish}); }
  }`,
  });
}

/** Elements that one invocation handles, a whole number of rows apart, so that all lie in one channel. */
const TURNS = 4;

export function stripes(x: Value, wide: boolean) {
  const channels = lastOf(x.shape);
  const columns = wide ? channels / 4 : channels;
  const rows = rowsOf(x, channels);
  return { count: Math.ceil(rows / TURNS) * columns, sizes: { columns, total: rows * columns, turns: TURNS } };
}
