import { ShapeError } from "../../errors.ts";
import { allWide, elementwise, read } from "../shader/shader.ts";
import { FREE } from "../trace/cost.ts";
import { defineOp, NO_MACS, type Op } from "../trace/op.ts";
import { lastOf, nhwc } from "../trace/shape.ts";

/** Pixel (row, column) goes to position 2 * (row % 2) + column % 2 of patch (row / 2) * (w / 2) + column / 2. */
export const pack2x2: Op<"x", unknown> = defineOp<unknown>()({
  name: "pack2x2",
  inputs: ["x"],
  shape({ x }) {
    const { n, h, w, c } = nhwc("pack2x2", "x", x);
    if (h % 2 !== 0 || w % 2 !== 0) throw new ShapeError(`pack2x2: x [${x}] must have even sides`);
    return [n, 4, (h * w) / 4, c];
  },
  lower({ inputs: { x }, out, target }) {
    const { h, w, c } = nhwc("pack2x2", "x", x.shape);
    const wide = allWide(x);
    return [
      elementwise({
        label: "pack2x2",
        target,
        out,
        wide,
        tensors: { x: read(x, wide) },
        sizes: { c: c / (wide ? 4 : 1), h, w, patches: (h * w) / 4 },
        body: `  let cell = (i / args.c) % args.patches;
  let position = (i / args.c / args.patches) % 4u;
  let row = 2u * (cell / (args.w / 2u)) + position / 2u;
  let column = 2u * (cell % (args.w / 2u)) + position % 2u;
  return x_at((((i / args.c / args.patches / 4u) * args.h + row) * args.w + column) * args.c + i % args.c);`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: {
    saves: [],
    backward: (grad, _saved, { shapes, exec }) => ({
      x: () => exec.apply(unpack2x2, { x: grad }, { height: shapes.x[1] ?? 0, width: shapes.x[2] ?? 0 }),
    }),
  },
});

export interface UnpackAttrs {
  readonly height: number;
  readonly width: number;
}

/** The inverse of {@link pack2x2}. */
export const unpack2x2: Op<"x", UnpackAttrs> = defineOp<UnpackAttrs>()({
  name: "unpack2x2",
  inputs: ["x"],
  shape({ x }, { height, width }) {
    const { n, h, w, c } = nhwc("unpack2x2", "x", x);
    if (h !== 4 || height % 2 !== 0 || width % 2 !== 0 || 4 * w !== height * width) {
      throw new ShapeError(`unpack2x2: x [${x}] does not hold ${height} x ${width} pixels`);
    }
    return [n, height, width, c];
  },
  lower({ inputs: { x }, out, attrs: { height, width }, target }) {
    const wide = allWide(x);
    return [
      elementwise({
        label: "unpack2x2",
        target,
        out,
        wide,
        tensors: { x: read(x, wide) },
        sizes: { c: lastOf(x.shape) / (wide ? 4 : 1), h: height, w: width, patches: (height * width) / 4 },
        body: `  let column = (i / args.c) % args.w;
  let row = (i / args.c / args.w) % args.h;
  let position = 2u * (row % 2u) + column % 2u;
  let cell = (row / 2u) * (args.w / 2u) + column / 2u;
  return x_at((((i / args.c / args.w / args.h) * 4u + position) * args.patches + cell) * args.c + i % args.c);`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: {
    saves: [],
    backward: (grad, _saved, { exec }) => ({ x: () => exec.apply(pack2x2, { x: grad }, {}) }),
  },
});
