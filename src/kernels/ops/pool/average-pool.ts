import { ShapeError } from "../../../errors.ts";
import { allWide, elementwise, read } from "../../shader/shader.ts";
import { FREE, perOutput } from "../../trace/cost.ts";
import { defineOp, FIRST_ORDER, NO_MACS } from "../../trace/op.ts";
import { nhwc, type Shape } from "../../trace/shape.ts";
import { fromWindows, type Windows, windowSizes } from "./kernels.ts";

export interface AveragePoolAttrs extends Windows {
  /** A last window that begins inside the image counts even where it ends outside. */
  readonly ceil: boolean;
  /** Whether padding counts in the divisor, as zeros; pixels past the padding never do. */
  readonly countPadding: boolean;
}

function pooledExtent(extent: number, { kernel, stride, padding, ceil }: AveragePoolAttrs): number {
  const windows = (extent + 2 * padding - kernel) / stride;
  if (!ceil) return Math.floor(windows) + 1;
  const count = Math.ceil(windows) + 1;
  // A window that begins in the padding behind the image is none.
  return (count - 1) * stride >= extent + padding ? count - 1 : count;
}

function pooledShape(x: Shape, attrs: AveragePoolAttrs): Shape {
  const { n, h, w, c } = nhwc("averagePool2d", "x", x);
  const [height, width] = [pooledExtent(h, attrs), pooledExtent(w, attrs)];
  if (!(height > 0 && width > 0 && 2 * attrs.padding <= attrs.kernel)) {
    throw new ShapeError(
      `averagePool2d: kernel ${attrs.kernel}, stride ${attrs.stride} and padding ${attrs.padding} do not fit x [${x}]`,
    );
  }
  return [n, height, width, c];
}

const sizesOf = (x: Shape, pooled: Shape, attrs: AveragePoolAttrs, wide: boolean) => ({
  ...windowSizes(x, pooled, attrs, wide),
  pad: attrs.countPadding ? 0 : attrs.padding,
});

/** Items of the window at `o` along an axis that count: all up to the padded end, or those of the image. */
const COUNTED = `fn counted(o: u32, extent: u32) -> f32 {
  let first = max(o * args.stride, args.pad);
  let stop = min(o * args.stride + args.kernel, extent + 2u * args.padding - args.pad);
  return f32(stop - first);
}`;

interface FromWindows extends AveragePoolAttrs {
  readonly x: Shape;
}

/** Each pixel collects its share of every window it lies in. */
const averagePoolGrad = defineOp<FromWindows>()({
  name: "averagePool2dGrad",
  inputs: ["grad"],
  shape: (_shapes, { x }) => x,
  epilogue: ["residual", "slope"],
  lower({ inputs: { grad }, out, attrs, target, epilogue }) {
    const wide = allWide(out);
    return [
      fromWindows({
        epilogue,
        label: "averagePool2dGrad",
        target,
        out,
        wide,
        tensors: { grad: read(grad, wide) },
        sizes: sizesOf(attrs.x, grad.shape, attrs, wide),
        functions: COUNTED,
        share: "grad_at(at) / (counted(y, args.h) * counted(x, args.w))",
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "computes",
  derivative: FIRST_ORDER,
});

/** Means of square windows of `x [n, h, w, c]`. */
export const averagePool2d = defineOp<AveragePoolAttrs>()({
  name: "averagePool2d",
  inputs: ["x"],
  shape: ({ x }, attrs) => pooledShape(x, attrs),
  lower({ inputs: { x }, out, attrs, target }) {
    const wide = allWide(x);
    return [
      elementwise({
        label: "averagePool2d",
        target,
        out,
        wide,
        tensors: { x: read(x, wide) },
        sizes: sizesOf(x.shape, out.shape, attrs, wide),
        functions: COUNTED,
        body: `  let left = (i / args.c) % args.width;
  let top = (i / args.c / args.width) % args.height;
  let base = (i / args.c / args.width / args.height) * args.h;
  var total = T(0.0);
  for (var r = 0u; r < args.kernel; r++) {
    for (var s = 0u; s < args.kernel; s++) {
      // Above or left of the image the difference wraps round to something large.
      let y = top * args.stride + r - args.padding;
      let x = left * args.stride + s - args.padding;
      if (y < args.h && x < args.w) { total += x_at(((base + y) * args.w + x) * args.c + i % args.c); }
    }
  }
  return total / (counted(top, args.h) * counted(left, args.w));`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: { macs: "none", profiled: perOutput(1, "always") },
  half: "moves",
  derivative: {
    saves: [],
    backward: (grad, _saved, { shapes, attrs, exec }) => ({
      x: () => exec.apply(averagePoolGrad, { grad }, { ...attrs, x: shapes.x }),
    }),
  },
});
