import { type Target, usefulInvocations, usefulParts } from "../target.ts";
import type { Dispatch, LowerCall, Value } from "../trace/op.ts";
import { sizeOf } from "../trace/shape.ts";
import { elementType, perInvocation, read, write } from "./shader.ts";

/**
 * How `rows` rows are dealt to chunks that are summed side by side: chunk j takes rows j, j + chunks, j + 2 chunks, ..,
 * so neighbouring invocations read neighbouring memory. Fixed by shape and adapter, so sums repeat bit for bit.
 */
export interface Chunks {
  readonly chunks: number;
  /** Rows of every chunk, and how many of the first chunks have one more. */
  readonly base: number;
  readonly rest: number;
}

/** Chunks of at least 16 rows, as many as keep an adapter busy where `columns` are summed side by side. */
export function chunksOf(rows: number, columns: number, target: Target, most = usefulParts(target)): Chunks {
  const wanted = Math.min(most, Math.max(1, Math.floor(usefulInvocations(target) / columns)));
  const chunks = Math.max(1, Math.min(wanted, Math.ceil(rows / 16)));
  return { chunks, base: Math.floor(rows / chunks), rest: rows % chunks };
}

/** More partial results than this are folded in several rounds. */
const LONGEST_FOLD = 64;
const FAN = 32;

type Scratch = LowerCall<string, unknown>["scratch"];

/** The rounds of a fold over `parts` partial results: how many each result of a round takes in. */
export function foldRounds(parts: number): readonly number[] {
  return parts > LONGEST_FOLD ? [FAN, ...foldRounds(Math.ceil(parts / FAN))] : [parts];
}

/**
 * Sums `partials` [outer, parts, outs, columns] over its second axis, in order, into `outs` of outer * columns numbers.
 */
export function foldSums(spec: {
  readonly label: string;
  readonly target: Target;
  readonly scratch: Scratch;
  readonly partials: Value;
  readonly parts: number;
  readonly outer: number;
  readonly columns: number;
  readonly outs: readonly Value[];
}): Dispatch[] {
  const { label, target, outer } = spec;
  const dispatches: Dispatch[] = [];
  let { partials, parts } = spec;
  for (const fan of foldRounds(parts)) {
    const results = Math.ceil(parts / fan);
    const last = results === 1;
    const columns = last ? spec.columns : spec.columns * spec.outs.length;
    const outs = last ? spec.outs : [spec.scratch([outer * results, columns], partials.dtype)];
    dispatches.push(fold({ label, target, partials, parts, fan, results, outer, columns, outs }));
    partials = outs[0] ?? partials;
    parts = results;
  }
  return dispatches;
}

function fold(spec: {
  readonly label: string;
  readonly target: Target;
  readonly partials: Value;
  readonly parts: number;
  readonly fan: number;
  readonly results: number;
  readonly outer: number;
  readonly columns: number;
  readonly outs: readonly Value[];
}): Dispatch {
  const { partials, outs } = spec;
  const wide = partials.dtype === "f32" && spec.columns % 4 === 0;
  const columns = wide ? spec.columns / 4 : spec.columns;
  const tensors = Object.fromEntries(outs.map((out, n) => [`out${n}`, write(out, wide)]));
  const each = (text: (n: number) => string) => outs.map((_, n) => text(n)).join("\n");
  return perInvocation({
    label: `${spec.label} fold`,
    target: spec.target,
    count: spec.outer * spec.results * columns,
    type: elementType(wide, partials.dtype),
    tensors: { partials: read(partials, wide), ...tensors },
    sizes: { columns, parts: spec.parts, fan: spec.fan, results: spec.results },
    body: `  let column = i % args.columns;
  let result = (i / args.columns) % args.results;
  let outer = i / args.columns / args.results;
  let end = min((result + 1u) * args.fan, args.parts);
${each((n) => `  var sum${n} = T(0);`)}
  for (var part = result * args.fan; part < end; part++) {
    let at = (outer * args.parts + part) * ${outs.length}u * args.columns + column;
${each((n) => `    sum${n} += partials_at(at + ${n}u * args.columns);`)}
  }
${each((n) => `  out${n}_set(i, sum${n});`)}`,
  });
}

/** Number of rows when the last axis is the columns. */
export function rowsOf(value: Value, columns: number): number {
  return sizeOf(value.shape) / columns;
}
