import { ShapeError } from "../../errors.ts";
import { elementwiseThen } from "../shader/epilogue.ts";
import { allWide, byteSize, partCount, read, shader, spread, write } from "../shader/shader.ts";
import type { Target } from "../target.ts";
import { FREE } from "../trace/cost.ts";
import { type Dispatch, defineOp, FIRST_ORDER, NO_MACS, type Op, type Value } from "../trace/op.ts";
import { lastOf, type Shape, sizeOf } from "../trace/shape.ts";

const WORKGROUP = 64;
const INDEX = `  let i = id.x + id.y * groups.x * ${WORKGROUP}u;
  if (i >= args.count) { return; }`;

function rowsShape(op: string, x: Shape, order: Shape): Shape {
  if (x.length !== 3 || order.length !== 1 || order[0] !== x[1]) {
    throw new ShapeError(`${op}: order [${order}] must be [m] of x [n, m, c], which is [${x}]`);
  }
  return x;
}

/** Row j of `out` and row order[j] of `x` belong together; the direction decides which is read. */
function moveRows(label: string, target: Target, x: Value, order: Value, out: Value, scatters: boolean): Dispatch {
  const wide = allWide(x);
  const count = sizeOf(x.shape) / (wide ? 4 : 1);
  return shader({
    label,
    target,
    tensors: { x: read(x, wide), order: read(order), out: write(out, wide) },
    sizes: { count, m: x.shape[1] ?? 0, c: lastOf(x.shape) / (wide ? 4 : 1) },
    workgroupSize: [WORKGROUP],
    workgroups: spread(Math.ceil(count / WORKGROUP), target),
    main: `${INDEX}
  let row = i / args.c;
  let other = ((row / args.m) * args.m + u32(order_at(row % args.m))) * args.c + i % args.c;
  ${scatters ? "out_set(other, x_at(i));" : "out_set(i, x_at(other));"}`,
  });
}

const permuteRowsGrad = defineOp<unknown>()({
  name: "permuteRowsGrad",
  inputs: ["grad", "order"],
  shape: ({ grad, order }) => rowsShape("permuteRowsGrad", grad, order),
  lower: ({ inputs: { grad, order }, out, target }) => [moveRows("permuteRowsGrad", target, grad, order, out, true)],
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: FIRST_ORDER,
});

/** out[:, j] = x[:, order[j]]; `order` must hold each row once. */
export const permuteRows = defineOp<unknown>()({
  name: "permuteRows",
  inputs: ["x", "order"],
  shape: ({ x, order }) => rowsShape("permuteRows", x, order),
  lower: ({ inputs: { x, order }, out, target }) => [moveRows("permuteRows", target, x, order, out, false)],
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: {
    saves: ["order"],
    backward: (grad, { order }, { exec }) => ({
      x: () => exec.apply(permuteRowsGrad, { grad, order }, {}),
      order: null,
    }),
  },
});

function concatShape(shapes: { readonly [name: string]: Shape }): Shape {
  const all = Object.values(shapes);
  const lead = (all[0] ?? []).slice(0, -1);
  if (all.some((s) => s.length !== lead.length + 1 || s.slice(0, -1).join() !== lead.join())) {
    throw new ShapeError(`concat: ${all.map((s) => `[${s}]`).join(", ")} differ in more than the last axis`);
  }
  return [...lead, all.reduce((sum, s) => sum + lastOf(s), 0)];
}

/** Maps that lie behind each other in channels `start`.. of the result. */
interface Joined {
  readonly start: number;
  readonly parts: readonly Value[];
}

/** As few runs of maps as the bindings allow: long tensors are bound in parts. */
function runsOf(parts: readonly Value[], out: Value, target: Target): Joined[] {
  const bindings = (value: Value) => partCount(byteSize(value), target);
  const runs: { start: number; parts: Value[]; bound: number }[] = [];
  let start = 0;
  for (const part of parts) {
    const last = runs[runs.length - 1];
    const bound = (last?.bound ?? 0) + bindings(part);
    if (last && bound + bindings(out) <= target.storageBuffers) {
      last.parts.push(part);
      last.bound = bound;
    } else runs.push({ start, parts: [part], bound: bindings(part) });
    start += lastOf(part.shape);
  }
  return runs;
}

/** Copies maps into the channels of `out` that are theirs. */
function placeChannels(target: Target, { start, parts }: Joined, out: Value): Dispatch {
  const wide = allWide(...parts, out) && start % 4 === 0;
  const unit = wide ? 4 : 1;
  const widths = parts.map(({ shape }) => lastOf(shape) / unit);
  const c = widths.reduce((sum, width) => sum + width, 0);
  const count = (sizeOf(out.shape) / lastOf(out.shape)) * c;
  return shader({
    label: "concat",
    target,
    tensors: {
      ...Object.fromEntries(parts.map((part, n) => [`x${n}`, read(part, wide)])),
      out: write(out, wide),
    },
    sizes: {
      ...{ count, c, channels: lastOf(out.shape) / unit, start: start / unit },
      ...Object.fromEntries(widths.map((width, n) => [`c${n}`, width])),
    },
    workgroupSize: [WORKGROUP],
    workgroups: spread(Math.ceil(count / WORKGROUP), target),
    main: `${INDEX}
  let row = i / args.c;
  let to = row * args.channels + args.start + i % args.c;
  var j = i % args.c;
${parts.map((_, n) => `  if (j < args.c${n}) { out_set(to, x${n}_at(row * args.c${n} + j)); return; }\n  j -= args.c${n};`).join("\n")}`,
  });
}

const concats = new Map<number, Op<string, unknown>>();

/** Joins inputs x0, x1, .. along the last axis. */
export function concat(count: number): Op<string, unknown> {
  const known = concats.get(count);
  if (known) return known;
  const names = Array.from({ length: count }, (_, i) => `x${i}`);
  const op: Op<string, unknown> = {
    name: `concat${count}`,
    inputs: names,
    shape: concatShape,
    lower({ inputs, out, target }) {
      const parts = names.flatMap((name) => inputs[name] ?? []);
      return runsOf(parts, out, target).map((run) => placeChannels(target, run, out));
    },
    macs: NO_MACS,
    cost: FREE,
    half: "moves",
    derivative: {
      saves: [],
      backward(grad, _saved, { shapes, exec }) {
        let start = 0;
        const parts = names.map((name) => {
          const attrs: SliceAttrs = { start, count: lastOf(shapes[name] ?? []) };
          start += attrs.count;
          return [name, () => exec.apply(sliceLast, { x: grad }, attrs)] as const;
        });
        return Object.fromEntries(parts);
      },
    },
  };
  concats.set(count, op);
  return op;
}

export interface SliceAttrs {
  readonly start: number;
  readonly count: number;
}

const sliceLastGrad = defineOp<SliceAttrs & { readonly x: Shape }>()({
  name: "sliceLastGrad",
  inputs: ["grad"],
  shape: (_shapes, { x }) => x,
  epilogue: ["residual"],
  lower({ inputs: { grad }, out, attrs, target, epilogue }) {
    const wide = allWide(grad, out) && attrs.start % 4 === 0;
    const unit = wide ? 4 : 1;
    return [
      elementwiseThen(epilogue, {
        label: "sliceLastGrad",
        target,
        out,
        wide,
        tensors: { grad: read(grad, wide) },
        sizes: { c: lastOf(out.shape) / unit, start: attrs.start / unit, taken: attrs.count / unit },
        body: `  let j = i % args.c - args.start;
  if (j >= args.taken) { return T(0.0); }
  return grad_at((i / args.c) * args.taken + j);`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: FIRST_ORDER,
});

/** Channels start .. start + count - 1. */
export const sliceLast = defineOp<SliceAttrs>()({
  name: "sliceLast",
  inputs: ["x"],
  shape({ x }, { start, count }) {
    if (!(start >= 0 && count > 0 && start + count <= lastOf(x))) {
      throw new ShapeError(`sliceLast: x [${x}] has no ${count} channels from ${start} on`);
    }
    return x.with(-1, count);
  },
  epilogue: ["residual", "slope"],
  lower({ inputs: { x }, out, attrs: { start }, target, epilogue }) {
    const wide = allWide(x, out) && start % 4 === 0;
    const unit = wide ? 4 : 1;
    return [
      elementwiseThen(epilogue, {
        label: "sliceLast",
        target,
        out,
        wide,
        tensors: { x: read(x, wide) },
        sizes: { c: lastOf(x.shape) / unit, start: start / unit, taken: lastOf(out.shape) / unit },
        body: "  return x_at((i / args.taken) * args.c + args.start + i % args.taken);",
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  settles: "always",
  half: "moves",
  derivative: {
    saves: [],
    backward: (grad, _saved, { shapes, attrs, exec }) => ({
      x: () => exec.apply(sliceLastGrad, { grad }, { ...attrs, x: shapes.x }),
    }),
  },
});
