import { type AxisRun, axisRuns } from "../../shader/broadcast.ts";
import { reduceColumns } from "../../shader/columns.ts";
import { elementwiseThen, epilogueText } from "../../shader/epilogue.ts";
import { read, type TensorUse, write } from "../../shader/shader.ts";
import { fitsWorkgroupTiles, type Target, usefulInvocations } from "../../target.ts";
import type { Dispatch, Epilogue, LowerCall, Value } from "../../trace/op.ts";
import type { Shape } from "../../trace/shape.ts";

/** How two items combine: sums start from 0, maxima from the lowest finite number. */
type Combiner = "sum" | "max";

/** What is reduced: `value` gives item `item` of row `row`, element `i` of `tensors`, which have the reduced shape. */
interface Source {
  readonly tensors: { readonly [name: string]: Value };
  /** Further tensors that `value` reads as plain numbers at places of its own. */
  readonly scalars?: { readonly [name: string]: Value };
  readonly sizes?: { readonly [name: string]: number };
  readonly value: string;
}

/** The epilogue is without scale and bias. */
type Call = Pick<LowerCall<string, unknown>, "out" | "scratch" | "target"> & { readonly epilogue?: Epilogue };

/**
 * Reduces `axes` of tensors of shape `x` into `call.out`, one run of neighbouring axes after the other, the last one
 * first. A run longer than a few dozen items with few results is split in about sqrt(length) chunks whose results are
 * reduced in turn: enough invocations to fill a GPU, short chains of roundings, and one fixed order of summation.
 */
export function reduceDispatches(
  label: string,
  call: Call,
  source: Source,
  x: Shape,
  spec: { readonly axes: readonly number[]; readonly factor: number; readonly combiner: Combiner },
): Dispatch[] {
  let runs = axisRuns(x, (axis) => !spec.axes.includes(axis));
  if (runs.every((run) => run.kept)) runs = [{ extent: 1, kept: false }, ...runs];
  const dispatches: Dispatch[] = [];
  let from = source;
  for (;;) {
    const at = runs.findLastIndex((run) => !run.kept);
    const outer = extentOf(runs.slice(0, at));
    const inner = extentOf(runs.slice(at + 1));
    const length = runs[at]?.extent ?? 1;
    const remaining = runs.toSpliced(at, 1);
    const last = remaining.every((run) => run.kept);
    const result = last ? call.out : call.scratch([outer, inner]);
    const box = { outer, length, inner, factor: last ? spec.factor : 1, combiner: spec.combiner };
    dispatches.push(...reduceBox(label, last ? call : { ...call, epilogue: {} }, from, result, box));
    if (last) return dispatches;
    from = whole(result);
    runs = remaining;
  }
}

const extentOf = (runs: readonly AxisRun[]): number => runs.reduce((product, run) => product * run.extent, 1);
/** A tensor reduced as it is. */
export const whole = (x: Value): Source => ({ tensors: { x }, value: "x_at(i)" });

interface Box {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  readonly factor: number;
  readonly combiner: Combiner;
}

/** Reduces the middle axis of [outer, length, inner]. */
export function reduceBox(label: string, call: Call, source: Source, out: Value, box: Box): Dispatch[] {
  // With nothing behind the reduced axis, four neighbours along it are read together and folded at the very end.
  const folds = box.inner === 1 && box.length % 4 === 0 && !source.scalars;
  const wide = folds || box.inner % 4 === 0;
  if (!folds && box.length > SHORT && fitsWorkgroupTiles(call.target) && box.outer <= call.target.workgroupsPerAxis) {
    return boxByWorkgroups(label, call, source, out, box, wide);
  }
  const units = { ...box, ...(folds ? { length: box.length / 4 } : wide ? { inner: box.inner / 4 } : {}) };
  const chunks = chunkCount(units, call.target);
  const { target, epilogue = {} } = call;
  const kernel = { label, target, wide };
  if (chunks === 1) return [chunkKernel({ ...kernel, source, out, folds, box: units, chunks, epilogue })];
  const parts = call.scratch([box.outer, chunks, folds ? 4 : box.inner]);
  const combine = { ...units, length: chunks };
  return [
    chunkKernel({ ...kernel, source, out: parts, folds: false, box: { ...units, factor: 1 }, chunks, epilogue: {} }),
    chunkKernel({ ...kernel, source: whole(parts), out, folds, box: combine, chunks: 1, epilogue }),
  ];
}

/** The same by workgroups whose lanes join what each of them reduced. */
function boxByWorkgroups(
  label: string,
  { target, scratch, epilogue = {} }: Call,
  source: Source,
  out: Value,
  { outer, length, inner, factor, combiner }: Box,
  wide: boolean,
): Dispatch[] {
  const all = Object.entries(source.tensors).map(([name, value]) => [name, read(value, wide)] as const);
  const scalars = Object.entries(source.scalars ?? {}).map(([name, value]) => [name, read(value)] as const);
  const tail = epilogueText(epilogue, wide, { sum: "total.total * args.factor", at: "at" });
  return reduceColumns({
    ...{ label, target, scratch, wide, outer, rows: length, columns: inner },
    members: ["total"],
    join: `  return Part(${JOINED[combiner]("a.total", "b.total")});`,
    gather: {
      tensors: Object.fromEntries([...all, ...scalars]),
      ...(source.sizes ? { sizes: source.sizes } : {}),
      functions: `fn value(column: u32, place: u32) -> T {
  let i = place * args.columns + column;
  let row = place / args.rows;
  let item = place % args.rows;
  return ${source.value};
}`,
      // Four at a time, so that a lane waits once for four loads.
      body: `  var total = value(column, first);
  var turn = 1u;
  for (; turn + 4u <= count; turn += 4u) {
    let place = first + turn * step;
    let near = joined(value(column, place), value(column, place + step));
    let far = joined(value(column, place + 2u * step), value(column, place + 3u * step));
    total = joined(total, joined(near, far));
  }
  for (; turn < count; turn++) { total = joined(total, value(column, first + turn * step)); }
  return Part(total);
}
fn joined(a: T, b: T) -> T {
  return ${JOINED[combiner]("a", "b")};`,
    },
    finish: {
      tensors: { ...tail.tensors, out: write(out, wide) },
      floats: { factor },
      functions: tail.functions,
      body: `  let at = row * args.columns + column;\n  out_set(at, ${tail.finish});`,
    },
  });
}

/** Depends on shape and adapter alone, so that sums repeat bit for bit. */
function chunkCount({ outer, length, inner }: Box, target: Target): number {
  const wanted = Math.ceil(usefulInvocations(target) / (outer * inner));
  return length <= SHORT ? 1 : Math.min(wanted, Math.ceil(Math.sqrt(length)));
}

/** So many items one invocation reduces by itself. */
const SHORT = 64;

const START: { readonly [C in Combiner]: string } = { sum: "V(0.0)", max: "V(-3.4028234e38)" };
const JOIN: { readonly [C in Combiner]: string } = {
  sum: "fn join(a: V, b: V) -> V { return a + b; }",
  max: "fn join(a: V, b: V) -> V { return max(a, b); }",
};
const JOINED: { readonly [C in Combiner]: (a: string, b: string) => string } = {
  sum: (a, b) => `${a} + ${b}`,
  max: (a, b) => `max(${a}, ${b})`,
};
const FOLD: { readonly [C in Combiner]: string } = {
  sum: "(total.x + total.y) + (total.z + total.w)",
  max: "max(max(total.x, total.y), max(total.z, total.w))",
};

/**
 * One invocation reduces one chunk in blocks of 64 items. Chunks are stretches of neighbours where the inner axis
 * alone keeps lanes busy side by side, otherwise every `chunks`-th item.
 */
function chunkKernel(spec: {
  readonly label: string;
  readonly target: Target;
  readonly source: Source;
  readonly out: Value;
  readonly wide: boolean;
  readonly folds: boolean;
  readonly box: Box;
  readonly chunks: number;
  readonly epilogue: Epilogue;
}): Dispatch {
  const { source, wide, folds, box, chunks } = spec;
  const tensors: Record<string, TensorUse> = {};
  for (const [name, value] of Object.entries(source.tensors)) tensors[name] = read(value, wide);
  for (const [name, value] of Object.entries(source.scalars ?? {})) tensors[name] = read(value);
  const span = Math.ceil(box.length / chunks);
  const apart = box.inner < 4;
  return elementwiseThen(spec.epilogue, {
    label: spec.label,
    target: spec.target,
    out: spec.out,
    wide: wide && !folds,
    tensors,
    sizes: {
      chunks,
      length: box.length,
      inner: box.inner,
      first: apart ? 1 : span,
      span: apart ? box.length : span,
      step: apart ? chunks : 1,
      block: 64 * (apart ? chunks : 1),
      ...source.sizes,
    },
    floats: { factor: box.factor },
    functions: `alias V = ${wide ? "vec4f" : "f32"};
${JOIN[box.combiner]}
fn value(base: u32, row: u32, item: u32) -> V { let i = base + item * args.inner; return ${source.value}; }`,
    body: `  let part = i / args.inner;
  let chunk = part % args.chunks;
  let row = part / args.chunks;
  let base = row * args.length * args.inner + i % args.inner;
  var item = chunk * args.first;
  let end = min(item + args.span, args.length);
  let step = args.step;
  var total = ${START[box.combiner]};
  while (item < end) {
    let stop = min(item + args.block, end);
    var block = ${START[box.combiner]};
    for (; item + 3u * step < stop; item += 4u * step) {
      let near = join(value(base, row, item), value(base, row, item + step));
      let far = join(value(base, row, item + 2u * step), value(base, row, item + 3u * step));
      block = join(block, join(near, far));
    }
    for (; item < stop; item += step) { block = join(block, value(base, row, item)); }
    total = join(total, block);
  }
  return (${folds ? FOLD[box.combiner] : "total"}) * args.factor;`,
  });
}

/** The shape with the given axes at extent 1. */
export function keepAxes(x: Shape, axes: readonly number[]): Shape {
  return x.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
}
