import { elementwiseThen } from "../../shader/epilogue.ts";
import { elementwise, type KernelSpec, read, shader, spread, type TensorUse, write } from "../../shader/shader.ts";
import type { Target } from "../../target.ts";
import type { Dispatch, Epilogue, Value } from "../../trace/op.ts";
import { type Nhwc, nhwc, type Shape, sizeOf } from "../../trace/shape.ts";

export interface PoolSize {
  readonly height: number;
  readonly width: number;
}

/** Square windows over an image. */
export interface Windows {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

/** Sizes of a kernel over an image `x` and its windows, with channels counted in fours where `wide`. */
export function windowSizes(x: Shape, pooled: Shape, { kernel, stride, padding }: Windows, wide: boolean) {
  const { h, w, c } = nhwc("pool", "x", x);
  const { h: height, w: width } = nhwc("pool", "out", pooled);
  return { h, w, c: c / (wide ? 4 : 1), height, width, kernel, stride, padding };
}

/**
 * The gradient of windows: each pixel of `out` adds up `share` of every window it lies in. There the pixel is at `row` and
 * `column` of the padded image, the window at `y` and `x` of the pooled one, at index `at`.
 */
export function fromWindows(
  spec: Omit<KernelSpec, "body"> & {
    readonly out: Value;
    readonly wide: boolean;
    /** Those of {@link windowSizes} at least. */
    readonly sizes: { readonly [name: string]: number };
    readonly share: string;
    readonly epilogue?: Epilogue;
  },
): Dispatch {
  const { share, functions = "", epilogue = {}, ...rest } = spec;
  return elementwiseThen(epilogue, {
    ...rest,
    functions: `${functions}
fn first_of(at: u32) -> u32 {
  if (at < args.kernel) { return 0u; }
  return (at - args.kernel) / args.stride + 1u;
}`,
    body: `  let column = (i / args.c) % args.w + args.padding;
  let row = (i / args.c / args.w) % args.h + args.padding;
  let base = (i / args.c / args.w / args.h) * args.height;
  let bottom = min(row / args.stride + 1u, args.height);
  let right = min(column / args.stride + 1u, args.width);
  var total = T(0.0);
  for (var y = first_of(row); y < bottom; y++) {
    for (var x = first_of(column); x < right; x++) {
      let at = ((base + y) * args.width + x) * args.c + i % args.c;
      total += ${share};
    }
  }
  return total;`,
  });
}

/** The middle axis of [outer, length, inner] becomes `bins` long. */
interface PooledAxis {
  readonly outer: number;
  readonly length: number;
  readonly bins: number;
  readonly inner: number;
}

/** Pooling over rectangles is pooling along the rows, then along the columns of the result. */
export function pooledAxes({ n, h, w, c }: Nhwc, { height, width }: PoolSize): readonly [PooledAxis, PooledAxis] {
  return [
    { outer: n * h, length: w, bins: width, inner: c },
    { outer: n, length: h, bins: height, inner: width * c },
  ];
}

const axisSizes = (axis: PooledAxis, wide: boolean): Record<string, number> => ({
  length: axis.length,
  bins: axis.bins,
  inner: axis.inner / (wide ? 4 : 1),
});

/** Bin b covers the items floor(b * length / bins) up to ceil((b + 1) * length / bins), so bins may share items. */
const BINS = `fn first_of(bin: u32) -> u32 { return bin * args.length / args.bins; }
fn stop_of(bin: u32) -> u32 { return ((bin + 1u) * args.length + args.bins - 1u) / args.bins; }`;

export function meanAlong(label: string, target: Target, x: Value, out: Value, axis: PooledAxis): Dispatch {
  const wide = axis.inner % 4 === 0;
  return elementwise({
    label,
    target,
    out,
    wide,
    tensors: { x: read(x, wide) },
    sizes: axisSizes(axis, wide),
    functions: BINS,
    body: `  let row = i / args.inner;
  let base = (row / args.bins) * args.length * args.inner + i % args.inner;
  let first = first_of(row % args.bins);
  let stop = stop_of(row % args.bins);
  var total = T(0.0);
  var item = first;
  for (; item + 3u < stop; item += 4u) {
    let at = base + item * args.inner;
    total += (x_at(at) + x_at(at + args.inner)) + (x_at(at + 2u * args.inner) + x_at(at + 3u * args.inner));
  }
  for (; item < stop; item++) { total += x_at(base + item * args.inner); }
  return total / f32(stop - first);`,
  });
}

/** Each item collects its share of the gradient of every bin it lies in. The epilogue is without scale and bias. */
export function meanAlongGrad(
  { label, target, epilogue }: { readonly label: string; readonly target: Target; readonly epilogue: Epilogue },
  grad: Value,
  out: Value,
  axis: PooledAxis,
): Dispatch {
  const wide = axis.inner % 4 === 0;
  return elementwiseThen(epilogue, {
    label,
    target,
    out,
    wide,
    tensors: { grad: read(grad, wide) },
    sizes: axisSizes(axis, wide),
    functions: BINS,
    body: `  let row = i / args.inner;
  let item = row % args.length;
  let base = (row / args.length) * args.bins * args.inner + i % args.inner;
  let last = ((item + 1u) * args.bins + args.length - 1u) / args.length;
  var total = T(0.0);
  for (var bin = item * args.bins / args.length; bin < last; bin++) {
    total += grad_at(base + bin * args.inner) / f32(stop_of(bin) - first_of(bin));
  }
  return total;`,
  });
}

const WORKGROUP = 64;

/** A kernel over the elements of `out` that makes a maximum and its place: `body` declares `best` and `place`. */
export function maximumKernel(spec: {
  readonly label: string;
  readonly target: Target;
  readonly out: Value;
  readonly place: Value;
  readonly wide: boolean;
  readonly tensors: { readonly [name: string]: TensorUse };
  readonly sizes: { readonly [name: string]: number };
  readonly functions: string;
  readonly body: string;
}): Dispatch {
  const { out, place, wide } = spec;
  const count = sizeOf(out.shape) / (wide ? 4 : 1);
  return shader({
    label: spec.label,
    target: spec.target,
    tensors: { ...spec.tensors, out: write(out, wide), place: write(place, wide) },
    sizes: { count, ...spec.sizes },
    workgroupSize: [WORKGROUP],
    workgroups: spread(Math.ceil(count / WORKGROUP), spec.target),
    functions: `alias T = ${wide ? "vec4f" : "f32"};\n${spec.functions}`,
    main: `  let i = id.x + id.y * groups.x * ${WORKGROUP}u;
  if (i >= args.count) { return; }
${spec.body}
  out_set(i, best);
  place_set(i, place);`,
  });
}

/** The first maximum along an axis. Its place is the item, or item * width + the place found along the rows before. */
export function maximumAlong(
  target: Target,
  x: Value,
  before: { readonly column: Value; readonly width: number } | null,
  to: { readonly out: Value; readonly place: Value },
  axis: PooledAxis,
): Dispatch {
  const wide = axis.inner % 4 === 0;
  const placeOf = before ? "T(f32(item * args.width)) + column_at(at)" : "T(f32(item))";
  return maximumKernel({
    label: "adaptiveMaxPool2d",
    target,
    ...to,
    wide,
    tensors: { x: read(x, wide), ...(before ? { column: read(before.column, wide) } : {}) },
    sizes: { ...axisSizes(axis, wide), ...(before ? { width: before.width } : {}) },
    functions: BINS,
    body: `  let row = i / args.inner;
  let base = (row / args.bins) * args.length * args.inner + i % args.inner;
  let stop = stop_of(row % args.bins);
  var best = T(-3.4028234e38);
  var place = T(0.0);
  for (var item = first_of(row % args.bins); item < stop; item++) {
    let at = base + item * args.inner;
    let v = x_at(at);
    place = select(place, ${placeOf}, v > best);
    best = max(best, v);
  }`,
  });
}
