import { ShapeError } from "../../errors.ts";
import { elementwiseThen } from "../shader/epilogue.ts";
import { allWide, elementwise, read } from "../shader/shader.ts";
import type { Target } from "../target.ts";
import { FREE, perOutput } from "../trace/cost.ts";
import {
  type Dispatch,
  defineOp,
  type Epilogue,
  FIRST_ORDER,
  type LowerCall,
  NO_MACS,
  type Value,
} from "../trace/op.ts";
import { nhwc, type Shape } from "../trace/shape.ts";
import {
  type BilinearAttrs,
  downColumns,
  eachOutput,
  fraction,
  fractionSizes,
  numerator,
  type ResizeAttrs,
} from "./bilinear.ts";

/** What the gradient of an enlarged map may take from the steps behind it. */
const BEHIND_GRADIENT = ["residual", "slope"] as const;

function resizedShape(op: string, x: Shape, { height, width }: ResizeAttrs): Shape {
  const { n, c } = nhwc(op, "x", x);
  if (!Number.isInteger(height) || !Number.isInteger(width) || height < 1 || width < 1) {
    throw new ShapeError(`${op}: x [${x}] cannot become ${height} x ${width}`);
  }
  return [n, height, width, c];
}

/** The weight of input item `item` in output `o`, and bounds of the outputs in which it can be other than zero. */
const BILINEAR_WEIGHT = `${numerator("")}
fn weight(o: u32, item: u32) -> f32 {
  let at = numerator(o);
  let low = at / args.unit;
  let upper = f32(at % args.unit) / f32(args.unit);
  return select(0.0, 1.0 - upper, low == item) + select(0.0, upper, min(low + 1u, args.length - 1u) == item);
}
fn first_of(item: u32) -> u32 {
  if (item == 0u) { return 0u; }
  return (max((item - 1u) * args.unit + args.clamp, args.start) - args.start) / args.rise;
}
fn stop_of(item: u32) -> u32 {
  if (item + 1u == args.length) { return args.outputs; }
  let at = max((item + 1u) * args.unit + args.clamp, args.start) - args.start;
  return min(at / args.rise + 1u, args.outputs);
}`;

/** PyTorch rounds in / out and its product with o to f32; so does this, hence the margins of one in the bounds. */
const NEAREST_WEIGHT = `fn weight(o: u32, item: u32) -> f32 {
  return select(0.0, 1.0, min(u32(f32(o) * args.scale), args.length - 1u) == item);
}
fn first_of(item: u32) -> u32 { return max(item * args.outputs / args.length, 1u) - 1u; }
fn stop_of(item: u32) -> u32 {
  return min(((item + 1u) * args.outputs + args.length - 1u) / args.length + 1u, args.outputs);
}`;

interface Axis {
  readonly length: number;
  readonly outputs: number;
  readonly inner: number;
}

type Weights = (axis: Axis) => {
  readonly text: string;
  readonly sizes: Record<string, number>;
  readonly floats?: Record<string, number>;
};

/** What the kernels of a resize's gradient share. */
interface GradientCall {
  readonly label: string;
  readonly target: Target;
  readonly weights: Weights;
}

/** The gradient of resizing one axis: each item gathers from the outputs that used it, by the forward weights. */
function gatherAlong(call: GradientCall, grad: Value, out: Value, axis: Axis, epilogue: Epilogue = {}): Dispatch {
  const { label, target, weights } = call;
  const wide = axis.inner % 4 === 0;
  const { text, sizes, floats } = weights(axis);
  return elementwiseThen(epilogue, {
    label,
    target,
    out,
    wide,
    tensors: { grad: read(grad, wide) },
    sizes: { inner: axis.inner / (wide ? 4 : 1), ...sizes },
    ...(floats ? { floats } : {}),
    functions: text,
    body: `  let row = i / args.inner;
  let item = row % args.length;
  let base = (row / args.length) * args.outputs * args.inner + i % args.inner;
  let stop = stop_of(item);
  var total = T(0.0);
  for (var o = first_of(item); o < stop; o++) { total += weight(o, item) * grad_at(base + o * args.inner); }
  return total;`,
  });
}

/** Rows and columns one after the other; an axis that keeps its length needs no pass unless both do. */
function gather(
  label: string,
  { inputs: { grad }, out, target, scratch, epilogue }: LowerCall<"grad", unknown>,
  weights: Weights,
): Dispatch[] {
  const { n, h, w, c } = nhwc(label, "x", out.shape);
  const { h: height, w: width } = nhwc(label, "grad", grad.shape);
  const columns: Axis = { length: h, outputs: height, inner: width * c };
  const rows: Axis = { length: w, outputs: width, inner: c };
  const call = { label, target, weights };
  if (h === height) return [gatherAlong(call, grad, out, rows, epilogue)];
  if (w === width) return [gatherAlong(call, grad, out, columns, epilogue)];
  const between = scratch([n, h, width, c]);
  return [gatherAlong(call, grad, between, columns), gatherAlong(call, between, out, rows, epilogue)];
}

const bilinearWeights =
  (alignCorners: boolean): Weights =>
  ({ length, outputs }) => ({
    text: BILINEAR_WEIGHT,
    sizes: fractionSizes("", fraction(length, outputs, alignCorners)),
  });

const nearestWeights: Weights = ({ length, outputs }) => ({
  text: NEAREST_WEIGHT,
  sizes: { length, outputs },
  floats: { scale: Math.fround(length / outputs) },
});

const bilinearGrad = defineOp<{ readonly x: Shape; readonly alignCorners: boolean }>()({
  name: "resizeBilinearGrad",
  inputs: ["grad"],
  shape: (_shapes, { x }) => x,
  epilogue: BEHIND_GRADIENT,
  lower: (call) => gather("resizeBilinearGrad", call, bilinearWeights(call.attrs.alignCorners)),
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: FIRST_ORDER,
});

/** Bilinear interpolation as PyTorch's, its positions computed in exact fractions. */
export const resizeBilinear = defineOp<BilinearAttrs>()({
  name: "resizeBilinear",
  inputs: ["x"],
  shape: ({ x }, attrs) => resizedShape("resizeBilinear", x, attrs),
  lower: (call) => [call.target.software ? downColumns(call) : eachOutput(call)],
  macs: NO_MACS,
  cost: { macs: "none", profiled: perOutput(11, "module") },
  half: "moves",
  derivative: {
    saves: [],
    backward: (grad, _saved, { shapes, attrs, exec }) => ({
      x: () => exec.apply(bilinearGrad, { grad }, { x: shapes.x, alignCorners: attrs.alignCorners }),
    }),
  },
});

const nearestGrad = defineOp<{ readonly x: Shape }>()({
  name: "resizeNearestGrad",
  inputs: ["grad"],
  shape: (_shapes, { x }) => x,
  epilogue: BEHIND_GRADIENT,
  lower: (call) => gather("resizeNearestGrad", call, nearestWeights),
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: FIRST_ORDER,
});

/** Item floor(o * in / out) of each axis, rounded as PyTorch rounds it. */
export const resizeNearest = defineOp<ResizeAttrs>()({
  name: "resizeNearest",
  inputs: ["x"],
  shape: ({ x }, attrs) => resizedShape("resizeNearest", x, attrs),
  lower({ inputs: { x }, out, attrs: { height, width }, target }) {
    const { h, w, c } = nhwc("resizeNearest", "x", x.shape);
    const wide = allWide(x);
    return [
      elementwise({
        label: "resizeNearest",
        target,
        out,
        wide,
        tensors: { x: read(x, wide) },
        sizes: { h, w, height, width, c: c / (wide ? 4 : 1) },
        floats: { down: Math.fround(h / height), across: Math.fround(w / width) },
        body: `  let pixel = i / args.c;
  let column = min(u32(f32(pixel % args.width) * args.across), args.w - 1u);
  let row = min(u32(f32((pixel / args.width) % args.height) * args.down), args.h - 1u);
  return x_at((((pixel / args.width / args.height) * args.h + row) * args.w + column) * args.c + i % args.c);`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: { macs: "none", profiled: perOutput(1, "module") },
  half: "moves",
  derivative: {
    saves: [],
    backward: (grad, _saved, { shapes, exec }) => ({
      x: () => exec.apply(nearestGrad, { grad }, { x: shapes.x }),
    }),
  },
});
