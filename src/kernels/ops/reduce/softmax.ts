import { ShapeError } from "../../../errors.ts";
import { broadcastKernel } from "../../shader/broadcast.ts";
import { read, shader, spread, write } from "../../shader/shader.ts";
import type { Target } from "../../target.ts";
import { FREE } from "../../trace/cost.ts";
import { type Dispatch, defineOp, FIRST_ORDER, NO_MACS, type Value } from "../../trace/op.ts";
import { lastOf, type Shape, sizeOf } from "../../trace/shape.ts";
import { reduceProduct } from "./reduce.ts";

/** Items of a row as T (four at a time when wide); `peak` and `sum` fold a T into one number. */
const folds = (wide: boolean): string =>
  wide
    ? `alias V = vec4f;
fn peak(v: V) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn sum(v: V) -> f32 { return (v.x + v.y) + (v.z + v.w); }`
    : `alias V = f32;
fn peak(v: V) -> f32 { return v; }
fn sum(v: V) -> f32 { return v; }`;

/** Largest item and sum of exponentials of every `chunks`-th item of a row, from `begin` on. */
const STATISTICS = `  var top = V(-3.4028234e38);
  for (var at = begin; at < end; at += args.chunks) { top = max(top, x_at(at)); }
  let most = peak(top);
  var mass = V(0.0);
  for (var at = begin; at < end; at += args.chunks) { mass += exp(x_at(at) - most); }`;

interface Rows {
  readonly target: Target;
  readonly rows: number;
  /** Length of a row, in fours when wide. */
  readonly length: number;
  readonly wide: boolean;
}

const WORKGROUP = 64;
const INDEX = `  let i = id.x + id.y * groups.x * ${WORKGROUP}u;
  if (i >= args.count) { return; }`;

/** One invocation a row: for short rows, or when there are many. */
function rowKernel(x: Value, out: Value, { target, rows, length, wide }: Rows): Dispatch {
  return shader({
    label: "softmax",
    target,
    tensors: { x: read(x, wide), out: write(out, wide) },
    sizes: { count: rows, length, chunks: 1 },
    workgroupSize: [WORKGROUP],
    workgroups: spread(Math.ceil(rows / WORKGROUP), target),
    functions: folds(wide),
    main: `${INDEX}
  let begin = i * args.length;
  let end = begin + args.length;
${STATISTICS}
  let total = sum(mass);
  for (var at = begin; at < end; at++) { out_set(at, exp(x_at(at) - most) / total); }`,
  });
}

/** One invocation a chunk of a row. */
function chunkKernel(x: Value, parts: Parts, chunks: number, { target, rows, length, wide }: Rows): Dispatch {
  const count = rows * chunks;
  return shader({
    label: "softmaxChunks",
    target,
    tensors: { x: read(x, wide), tops: write(parts.tops), masses: write(parts.masses) },
    sizes: { count, length, chunks },
    workgroupSize: [WORKGROUP],
    workgroups: spread(Math.ceil(count / WORKGROUP), target),
    functions: folds(wide),
    main: `${INDEX}
  let start = (i / args.chunks) * args.length;
  let begin = start + i % args.chunks;
  let end = start + args.length;
${STATISTICS}
  tops_set(i, most);
  masses_set(i, sum(mass));`,
  });
}

interface Parts {
  readonly tops: Value;
  readonly masses: Value;
}

/** Largest item and sum of exponentials of each row, from those of its chunks. */
function combineKernel(parts: Parts, whole: Parts, chunks: number, { target, rows }: Rows): Dispatch {
  return shader({
    label: "softmaxCombine",
    target,
    tensors: {
      tops: read(parts.tops),
      masses: read(parts.masses),
      peak: write(whole.tops),
      total: write(whole.masses),
    },
    sizes: { count: rows, chunks },
    workgroupSize: [WORKGROUP],
    workgroups: spread(Math.ceil(rows / WORKGROUP), target),
    main: `${INDEX}
  let end = (i + 1u) * args.chunks;
  var most = tops_at(i * args.chunks);
  for (var at = i * args.chunks; at < end; at++) { most = max(most, tops_at(at)); }
  var mass = 0.0;
  for (var at = i * args.chunks; at < end; at++) { mass += masses_at(at) * exp(tops_at(at) - most); }
  peak_set(i, most);
  total_set(i, mass);`,
  });
}

const FILLED = 65536;

/** Depends on the shape alone, so that results do not depend on the adapter. */
function chunkCount({ rows, length }: Rows): number {
  return length <= 64 ? 1 : Math.min(Math.ceil(FILLED / rows), Math.ceil(Math.sqrt(length)));
}

const softmaxGrad = defineOp<unknown>()({
  name: "softmaxGrad",
  inputs: ["grad", "y", "dot"],
  shape: ({ y }) => y,
  lower: ({ inputs: { grad, y, dot }, out, target }) => [
    broadcastKernel({
      label: "softmaxGrad",
      target,
      out,
      same: { grad, y },
      small: { dot },
      expression: "y * (grad - dot)",
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  half: "reads",
  derivative: FIRST_ORDER,
});

/** Along the last axis. */
export const softmax = defineOp<unknown>()({
  name: "softmax",
  inputs: ["x"],
  shape({ x }) {
    if (x.length === 0) throw new ShapeError(`softmax: x [${x}] has no axis`);
    return x;
  },
  lower({ inputs: { x }, out, target, scratch }) {
    const length = lastOf(x.shape);
    const wide = length % 4 === 0;
    const call: Rows = { target, rows: sizeOf(x.shape) / length, length: wide ? length / 4 : length, wide };
    const chunks = chunkCount(call);
    if (chunks === 1) return [rowKernel(x, out, call)];
    const pair = (shape: Shape): Parts => ({ tops: scratch(shape), masses: scratch(shape) });
    const parts = pair([call.rows, chunks]);
    const whole = pair(x.shape.with(-1, 1));
    return [
      chunkKernel(x, parts, chunks, call),
      combineKernel(parts, whole, chunks, call),
      broadcastKernel({
        label: "softmax",
        target,
        out,
        same: { x },
        small: { peak: whole.tops, total: whole.masses },
        expression: "exp(x - peak) / total",
      }),
    ];
  },
  macs: NO_MACS,
  cost: {
    macs: "none",
    profiled: { when: "module", operations: (_, out) => (sizeOf(out) / lastOf(out)) * (3 * lastOf(out) - 1) },
  },
  half: "reads",
  derivative: {
    saves: ["out"],
    backward: (grad, { out }, { out: shape, exec }) => ({
      x() {
        const dot = exec.apply(reduceProduct, { x: grad, y: out }, { axes: [shape.length - 1] });
        return exec.apply(softmaxGrad, { grad, y: out, dot }, {});
      },
    }),
  },
});
