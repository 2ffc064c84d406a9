import { ShapeError } from "../../errors.ts";
import { allWide, elementwise, read } from "../shader/shader.ts";
import { FREE } from "../trace/cost.ts";
import { defineOp, NO_MACS, type Op } from "../trace/op.ts";
import { bothAxes, nhwc, type PerAxis } from "../trace/shape.ts";

/** Rows and columns added at each side; below zero they are cut off. */
export interface FrameAttrs {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

const negated = ({ top, bottom, left, right }: FrameAttrs): FrameAttrs => ({
  top: -top,
  bottom: -bottom,
  left: -left,
  right: -right,
});

/** Pads `x [n, h, w, c]` with zeros, or crops it. */
export const pad2d: Op<"x", FrameAttrs> = defineOp<FrameAttrs>()({
  name: "pad2d",
  inputs: ["x"],
  shape({ x }, { top, bottom, left, right }) {
    const { n, h, w, c } = nhwc("pad2d", "x", x);
    const [height, width] = [h + top + bottom, w + left + right];
    if (height < 1 || width < 1) {
      throw new ShapeError(`pad2d: nothing of x [${x}] is left with ${top}, ${bottom}, ${left}, ${right}`);
    }
    return [n, height, width, c];
  },
  lower({ inputs: { x }, out, attrs: { top, left }, target }) {
    const from = nhwc("pad2d", "x", x.shape);
    const to = nhwc("pad2d", "out", out.shape);
    const wide = allWide(x, out);
    return [
      elementwise({
        label: "pad2d",
        target,
        out,
        wide,
        tensors: { x: read(x, wide) },
        // Offsets below zero wrap round, and so do the differences they make.
        sizes: { h: from.h, w: from.w, c: to.c / (wide ? 4 : 1), height: to.h, width: to.w, top, left },
        body: `  let x = (i / args.c) % args.width - args.left;
  let y = (i / args.c / args.width) % args.height - args.top;
  let n = i / args.c / args.width / args.height;
  if (y >= args.h || x >= args.w) { return T(0.0); }
  return x_at(((n * args.h + y) * args.w + x) * args.c + i % args.c);`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: {
    saves: [],
    backward: (grad, _saved, { attrs, exec }) => ({ x: () => exec.apply(pad2d, { x: grad }, negated(attrs)) }),
  },
});

/** Exchanges the two middle axes of `x [outer, a, b, inner]`. */
export const swapAxes: Op<"x", unknown> = defineOp<unknown>()({
  name: "swapAxes",
  inputs: ["x"],
  shape({ x }) {
    const { n, h, w, c } = nhwc("swapAxes", "x", x);
    return [n, w, h, c];
  },
  lower({ inputs: { x }, out, target }) {
    const { h: a, w: b, c } = nhwc("swapAxes", "x", x.shape);
    const wide = allWide(x, out);
    return [
      elementwise({
        label: "swapAxes",
        target,
        out,
        wide,
        tensors: { x: read(x, wide) },
        sizes: { a, b, c: c / (wide ? 4 : 1) },
        body: `  let inner = i % args.c;
  let first = (i / args.c) % args.a;
  let second = (i / args.c / args.a) % args.b;
  let outer = i / args.c / args.a / args.b;
  return x_at(((outer * args.a + first) * args.b + second) * args.c + inner);`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: {
    saves: [],
    backward: (grad, _saved, { exec }) => ({ x: () => exec.apply(swapAxes, { x: grad }, {}) }),
  },
});

interface ShrinkAttrs {
  readonly factor: PerAxis;
  readonly height: number;
  readonly width: number;
  /** Label of places whose source lies outside. */
  readonly outside: number;
}

/** Labels `[n, h, w]` at every `factor`-th pixel from `factor / 2` on: PyTorch's "nearest-exact". */
export const shrinkLabels = defineOp<ShrinkAttrs>()({
  name: "shrinkLabels",
  inputs: ["label"],
  shape({ label }, { factor, height, width }) {
    const [n, h, w] = label;
    if (
      label.length !== 3 ||
      n === undefined ||
      h === undefined ||
      w === undefined ||
      bothAxes(factor).some((by) => by < 1)
    ) {
      throw new ShapeError(`shrinkLabels: label [${label}] must be [n, h, w] and the factor ${factor} at least 1`);
    }
    return [n, height, width];
  },
  dtype: "i32",
  lower({ inputs: { label }, out, attrs, target }) {
    const [, h = 1, w = 1] = label.shape;
    const { height, width, outside } = attrs;
    const [down, across] = bothAxes(attrs.factor);
    return [
      elementwise({
        label: "shrinkLabels",
        target,
        out,
        wide: false,
        tensors: { label: read(label) },
        sizes: { h, w, height, width, down, across, outside },
        body: `  let x = (i % args.width) * args.across + args.across / 2u;
  let y = ((i / args.width) % args.height) * args.down + args.down / 2u;
  if (y >= args.h || x >= args.w) { return i32(args.outside); }
  return label_at((i / args.width / args.height * args.h + y) * args.w + x);`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  derivative: "labels do not change smoothly",
});
