import { allWide, elementType, elementwise, perInvocation, read, write } from "../shader/shader.ts";
import { usefulInvocations } from "../target.ts";
import type { Dispatch, LowerCall } from "../trace/op.ts";
import { nhwc, type Shape } from "../trace/shape.ts";

export interface ResizeAttrs {
  readonly height: number;
  readonly width: number;
}

export interface BilinearAttrs extends ResizeAttrs {
  /** True: the corner pixels' centres stay in place. False: the image's edges do. */
  readonly alignCorners: boolean;
}

/**
 * Where output o of an axis lies in the input, as the exact fraction (max(o * rise + start, clamp) - clamp) / unit:
 * o * (in - 1) / (out - 1), or (o + 1/2) * in / out - 1/2 but not below 0.
 */
export function fraction(length: number, outputs: number, alignCorners: boolean): readonly number[] {
  return alignCorners
    ? [length, outputs, length - 1, 0, 0, Math.max(outputs - 1, 1)]
    : [length, outputs, 2 * length, length, outputs, 2 * outputs];
}

const FRACTION_NAMES = ["length", "outputs", "rise", "start", "clamp", "unit"] as const;

export function fractionSizes(suffix: string, values: readonly number[]): Record<string, number> {
  return Object.fromEntries(FRACTION_NAMES.map((name, i) => [`${name}${suffix}`, values[i] ?? 0]));
}

/** `at`: numerator of the fraction. The lower neighbour is at / unit, the upper one's weight (at % unit) / unit. */
export const numerator = (suffix: string): string => `fn numerator${suffix}(o: u32) -> u32 {
  return max(o * args.rise${suffix} + args.start${suffix}, args.clamp${suffix}) - args.clamp${suffix};
}`;

/** The positions of a resize on both axes as {@link numerator} reads them; `c` counts channels in fours where `wide`. */
function bilinearSizes(x: Shape, { height, width, alignCorners }: BilinearAttrs, wide: boolean) {
  const { h, w, c } = nhwc("resizeBilinear", "x", x);
  return {
    c: c / (wide ? 4 : 1),
    ...fractionSizes("_y", fraction(h, height, alignCorners)),
    ...fractionSizes("_x", fraction(w, width, alignCorners)),
  };
}

/** Bilinear interpolation, an invocation for each output. */
export function eachOutput({ inputs: { x }, out, attrs, target }: LowerCall<"x", BilinearAttrs>): Dispatch {
  const wide = allWide(x);
  return elementwise({
    label: "resizeBilinear",
    target,
    out,
    wide,
    tensors: { x: read(x, wide) },
    sizes: bilinearSizes(x.shape, attrs, wide),
    functions: `${numerator("_y")}\n${numerator("_x")}`,
    body: `  let pixel = i / args.c;
  let across = numerator_x(pixel % args.outputs_x);
  let down = numerator_y((pixel / args.outputs_x) % args.outputs_y);
  let base = (pixel / args.outputs_x / args.outputs_y) * args.length_y;
  let top = (base + down / args.unit_y) * args.length_x;
  let bottom = (base + min(down / args.unit_y + 1u, args.length_y - 1u)) * args.length_x;
  let left = across / args.unit_x;
  let right = min(left + 1u, args.length_x - 1u);
  let lower = f32(down % args.unit_y) / f32(args.unit_y);
  let side = f32(across % args.unit_x) / f32(args.unit_x);
  let j = i % args.c;
  let above = (1.0 - side) * x_at((top + left) * args.c + j) + side * x_at((top + right) * args.c + j);
  let below = (1.0 - side) * x_at((bottom + left) * args.c + j) + side * x_at((bottom + right) * args.c + j);
  return (1.0 - lower) * above + lower * below;`,
  });
}

/**
 * The same for a CPU driver, where loads and divisions cost most: an invocation walks down a stretch of one output column and
 * keeps the two rows between which it is, so that enlarging reads each of them once. The same sums in the same order.
 */
export function downColumns({ inputs: { x }, out, attrs, target }: LowerCall<"x", BilinearAttrs>): Dispatch {
  const wide = allWide(x);
  const { n } = nhwc("resizeBilinear", "x", x.shape);
  const sizes = bilinearSizes(x.shape, attrs, wide);
  const columns = n * attrs.width * sizes.c;
  const rows = Math.ceil(attrs.height / Math.ceil(usefulInvocations(target) / columns));
  const stretches = Math.ceil(attrs.height / rows);
  return perInvocation({
    label: "resizeBilinear columns",
    target,
    count: columns * stretches,
    type: elementType(wide),
    tensors: { x: read(x, wide), out: write(out, wide) },
    sizes: { ...sizes, rows, stretches },
    functions: `${numerator("_y")}\n${numerator("_x")}
fn between(row: u32, left: u32, right: u32, side: f32) -> T {
  let base = row * args.length_x * args.c;
  return (1.0 - side) * x_at(base + left) + side * x_at(base + right);
}`,
    body: `  let line = args.outputs_x * args.c;
  let place = i % line;
  let image = i / line / args.stretches;
  let from_row = (i / line) % args.stretches * args.rows;
  let across = numerator_x(place / args.c);
  let column = across / args.unit_x;
  let left = column * args.c + place % args.c;
  let right = min(column + 1u, args.length_x - 1u) * args.c + place % args.c;
  let side = f32(across % args.unit_x) / f32(args.unit_x);
  let base = image * args.length_y;
  let stop = min(from_row + args.rows, args.outputs_y);
  var row = numerator_y(from_row) / args.unit_y;
  var above = between(base + row, left, right, side);
  var below = between(base + min(row + 1u, args.length_y - 1u), left, right, side);
  for (var y = from_row; y < stop; y++) {
    let down = numerator_y(y);
    let top = down / args.unit_y;
    if (top != row) {
      if (top == row + 1u) { above = below; } else { above = between(base + top, left, right, side); }
      below = between(base + min(top + 1u, args.length_y - 1u), left, right, side);
      row = top;
    }
    let lower = f32(down - top * args.unit_y) / f32(args.unit_y);
    out_set((image * args.outputs_y + y) * line + place, (1.0 - lower) * above + lower * below);
  }`,
  });
}
