import { ShapeError } from "../../errors.ts";
import { broadcastKernel, broadcasts, spreadAxes } from "../shader/broadcast.ts";
import { FREE } from "../trace/cost.ts";
import { defineOp, type Exec, NO_MACS, type Op, type Value } from "../trace/op.ts";
import { type Shape, sameShape } from "../trace/shape.ts";
import { reduceProduct, reduceSum } from "./reduce/reduce.ts";

function binaryShape(op: string, { x, y }: { readonly x: Shape; readonly y: Shape }): Shape {
  if (!broadcasts(y, x)) throw new ShapeError(`${op}: y [${y}] must have the shape of x [${x}] or 1 in its axes`);
  return x;
}

/** The sum of a gradient over the axes along which an operand of shape `to` was spread. */
function sumTo(exec: Exec, grad: Value, to: Shape): Value {
  if (sameShape(grad.shape, to)) return grad;
  return exec.apply(reduceSum, { x: grad }, { axes: spreadAxes(to, grad.shape), factor: 1 });
}

/** What sums and products may take from the steps behind them. */
const FOLLOWING = ["residual", "activation", "slope"] as const;

/** x + y, with y spread along axes where its extent is 1. */
export const add = defineOp<unknown>()({
  name: "add",
  fusedAs: "residual",
  inputs: ["x", "y"],
  shape: (shapes) => binaryShape("add", shapes),
  lower: ({ inputs: { x, y }, out, target, epilogue }) => [
    broadcastKernel({ label: "add", target, out, same: { x }, small: { y }, expression: "x + y", epilogue }),
  ],
  epilogue: FOLLOWING,
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: {
    saves: [],
    backward: (grad, _saved, { shapes, exec }) => ({ x: () => grad, y: () => sumTo(exec, grad, shapes.y) }),
  },
});

/** x * y, with y spread along axes where its extent is 1: gates, masks, dropout. What is gated is often added to something: the sum needs no step of its own. */
export const multiply: Op<"x" | "y", unknown> = defineOp<unknown>()({
  name: "multiply",
  inputs: ["x", "y"],
  shape: (shapes) => binaryShape("multiply", shapes),
  lower: ({ inputs: { x, y }, out, target, epilogue }) => [
    broadcastKernel({ label: "multiply", target, out, same: { x }, small: { y }, expression: "x * y", epilogue }),
  ],
  epilogue: FOLLOWING,
  macs: NO_MACS,
  cost: { macs: "product" },
  half: "computes",
  derivative: {
    saves: ["x", "y"],
    backward: (grad, { x, y }, { shapes, exec }) => ({
      x: () => exec.apply(multiply, { x: grad, y }, {}),
      y: () =>
        sameShape(shapes.x, shapes.y)
          ? exec.apply(multiply, { x: grad, y: x }, {})
          : exec.apply(reduceProduct, { x: grad, y: x }, { axes: spreadAxes(shapes.y, shapes.x) }),
    }),
  },
});

interface ScaleAttrs {
  readonly factor: number;
}

/** x times a number known when the trace is made. */
export const scale: Op<"x", ScaleAttrs> = defineOp<ScaleAttrs>()({
  name: "scale",
  inputs: ["x"],
  shape: ({ x }) => x,
  lower: ({ inputs: { x }, out, attrs, target, epilogue }) => [
    broadcastKernel({
      label: "scale",
      target,
      out,
      same: { x },
      small: {},
      floats: { factor: attrs.factor },
      expression: "x * args.factor",
      epilogue,
    }),
  ],
  epilogue: FOLLOWING,
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: {
    saves: [],
    backward: (grad, _saved, { attrs, exec }) => ({ x: () => exec.apply(scale, { x: grad }, attrs) }),
  },
});
