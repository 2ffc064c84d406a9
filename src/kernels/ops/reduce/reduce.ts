import { ShapeError } from "../../../errors.ts";
import { broadcastKernel, broadcasts } from "../../shader/broadcast.ts";
import { allWide, elementwise, read } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { defineOp, FIRST_ORDER, NO_MACS } from "../../trace/op.ts";
import { lastOf, type Shape, sameShape, sizeOf } from "../../trace/shape.ts";
import { keepAxes, reduceBox, reduceDispatches, whole } from "./reduction.ts";

export interface ReduceSumAttrs {
  readonly axes: readonly number[];
  /** Multiplies every sum: 1 / count makes a mean. */
  readonly factor: number;
}

function reducedShape(op: string, x: Shape, axes: readonly number[]): Shape {
  if (axes.some((axis) => !Number.isInteger(axis) || axis < 0 || axis >= x.length)) {
    throw new ShapeError(`${op}: axes [${axes}] are not all axes of x [${x}]`);
  }
  return keepAxes(x, axes);
}

/** Spreads reduced numbers back over the axes: the gradient of a sum. */
const expand = defineOp<{ readonly shape: Shape; readonly factor: number }>()({
  name: "expand",
  inputs: ["x"],
  shape({ x }, { shape }) {
    if (!broadcasts(x, shape)) throw new ShapeError(`expand: x [${x}] does not spread over [${shape}]`);
    return shape;
  },
  lower: ({ inputs: { x }, out, attrs, target, epilogue }) => [
    broadcastKernel({
      label: "expand",
      target,
      out,
      same: {},
      small: { x },
      floats: { factor: attrs.factor },
      expression: "x * args.factor",
      epilogue,
    }),
  ],
  epilogue: ["residual", "slope"],
  macs: NO_MACS,
  cost: FREE,
  half: "computes",
  derivative: FIRST_ORDER,
});

export const reduceSum = defineOp<ReduceSumAttrs>()({
  name: "reduceSum",
  inputs: ["x"],
  shape: ({ x }, { axes }) => reducedShape("reduceSum", x, axes),
  lower: (call) =>
    reduceDispatches("reduceSum", call, whole(call.inputs.x), call.inputs.x.shape, { ...call.attrs, combiner: "sum" }),
  macs: NO_MACS,
  cost: { macs: "none", profiled: { when: "module", operations: ({ x = [0] }, out) => sizeOf(x) + sizeOf(out) } },
  half: "reads",
  derivative: {
    saves: [],
    backward: (grad, _saved, { shapes, attrs, exec }) => ({
      x: () => exec.apply(expand, { x: grad }, { shape: shapes.x, factor: attrs.factor }),
    }),
  },
});

/** The sum of x * y over axes, without the product in between: gradients of broadcast factors. */
export const reduceProduct = defineOp<{ readonly axes: readonly number[] }>()({
  name: "reduceProduct",
  inputs: ["x", "y"],
  shape({ x, y }, { axes }) {
    if (!sameShape(x, y)) throw new ShapeError(`reduceProduct: x [${x}] and y [${y}] differ`);
    return reducedShape("reduceProduct", x, axes);
  },
  epilogue: ["slope"],
  lower: (call) =>
    reduceDispatches("reduceProduct", call, { tensors: call.inputs, value: "x_at(i) * y_at(i)" }, call.inputs.x.shape, {
      ...call.attrs,
      factor: 1,
      combiner: "sum",
    }),
  macs: NO_MACS,
  cost: FREE,
  half: "reads",
  derivative: FIRST_ORDER,
});

/** 1 where x equals the maximum of its group, else 0. */
const ties = defineOp<unknown>()({
  name: "reduceMaxTies",
  inputs: ["x", "max"],
  shape: ({ x }) => x,
  lower: ({ inputs: { x, max }, out, target }) => [
    broadcastKernel({
      label: "reduceMaxTies",
      target,
      out,
      same: { x },
      small: { max },
      expression: "select(T(0.0), T(1.0), x == max)",
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  half: "computes",
  derivative: FIRST_ORDER,
});

/** Each tied maximum takes an equal share of its group's gradient. */
const reduceMaxGrad = defineOp<unknown>()({
  name: "reduceMaxGrad",
  inputs: ["ties", "grad", "count"],
  shape: ({ ties }) => ties,
  lower: ({ inputs: { ties, grad, count }, out, target }) => [
    broadcastKernel({
      label: "reduceMaxGrad",
      target,
      out,
      same: { ties },
      small: { grad, count },
      expression: "ties * grad / count",
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  half: "computes",
  derivative: FIRST_ORDER,
});

export const reduceMax = defineOp<{ readonly axes: readonly number[] }>()({
  name: "reduceMax",
  inputs: ["x"],
  shape: ({ x }, { axes }) => reducedShape("reduceMax", x, axes),
  lower: (call) =>
    reduceDispatches("reduceMax", call, whole(call.inputs.x), call.inputs.x.shape, {
      ...call.attrs,
      factor: 1,
      combiner: "max",
    }),
  macs: NO_MACS,
  cost: FREE,
  half: "reads",
  derivative: {
    saves: ["x", "out"],
    backward: (grad, { x, out }, { attrs, exec }) => ({
      x() {
        const tied = exec.apply(ties, { x, max: out }, {});
        const count = exec.apply(reduceSum, { x: tied }, { axes: attrs.axes, factor: 1 });
        return exec.apply(reduceMaxGrad, { ties: tied, grad, count }, {});
      },
    }),
  },
});

/** weights [1 or g, n] and x [g, n, c] fit each other. */
function weighted(op: string, weights: Shape, x: Shape): readonly [number, number, number] {
  const [g = 0, n = 0, c = 0] = x;
  const [rows, columns] = weights;
  if (x.length !== 3 || weights.length !== 2 || columns !== n || (rows !== 1 && rows !== g)) {
    throw new ShapeError(`${op}: weights [${weights}] must be [1 or g, n] of x [g, n, c], which is [${x}]`);
  }
  return [g, n, c];
}

/** The gradient of the weights: each row's dot product with the gradient of its group. */
const weightedSumDots = defineOp<unknown>()({
  name: "weightedSumDots",
  inputs: ["x", "grad"],
  shape: ({ x }) => [x[0] ?? 0, x[1] ?? 0],
  lower({ inputs: { x, grad }, out, target }) {
    const wide = lastOf(x.shape) % 4 === 0;
    const [, n = 0, c = 0] = x.shape;
    return [
      elementwise({
        label: "weightedSumDots",
        target,
        out,
        wide: false,
        tensors: { x: read(x, wide), grad: read(grad, wide) },
        sizes: { n, c: wide ? c / 4 : c },
        body: `  let start = (i / args.n) * args.c;
  var total = 0.0;
  for (var j = 0u; j < args.c; j++) { total += dot(x_at(i * args.c + j), grad_at(start + j)); }
  return total;`,
        functions: wide ? "" : "fn dot(a: f32, b: f32) -> f32 { return a * b; }",
      }),
    ];
  },
  macs: ({ x }) => sizeOf(x),
  cost: FREE,
  half: "reads",
  derivative: FIRST_ORDER,
});

/** The gradient of the summed tensor: every row is the group's gradient times its weight. */
const weightedSumRows = defineOp<unknown>()({
  name: "weightedSumRows",
  inputs: ["weights", "grad"],
  shape: ({ weights, grad }) => [grad[0] ?? 0, weights[1] ?? 0, grad[1] ?? 0],
  lower({ inputs: { weights, grad }, out, target }) {
    const wide = allWide(out);
    const [rows = 1, n = 0] = weights.shape;
    return [
      elementwise({
        label: "weightedSumRows",
        target,
        out,
        wide,
        tensors: { weights: read(weights), grad: read(grad, wide) },
        sizes: { n, c: lastOf(grad.shape) / (wide ? 4 : 1), step: rows === 1 ? 0 : n },
        body: `  let row = i / args.c;
  let group = row / args.n;
  return weights_at(group * args.step + row % args.n) * grad_at(group * args.c + i % args.c);`,
      }),
    ];
  },
  macs: ({ weights, grad }) => (weights[1] ?? 0) * sizeOf(grad),
  cost: FREE,
  half: "computes",
  derivative: FIRST_ORDER,
});

/** out[g] = sum over n of weights[g, n] * x[g, n]; one row of weights may serve all groups. */
export const weightedSum = defineOp<unknown>()({
  name: "weightedSum",
  inputs: ["weights", "x"],
  shape({ weights, x }) {
    const [g, , c] = weighted("weightedSum", weights, x);
    return [g, c];
  },
  lower(call) {
    const { weights, x } = call.inputs;
    const [outer, length, inner] = weighted("weightedSum", weights.shape, x.shape);
    const source = {
      tensors: { x },
      scalars: { weights },
      sizes: { weightStep: weights.shape[0] === 1 ? 0 : length },
      value: "weights_at(row * args.weightStep + item) * x_at(i)",
    };
    return reduceBox("weightedSum", call, source, call.out, { outer, length, inner, factor: 1, combiner: "sum" });
  },
  macs: ({ x }) => sizeOf(x),
  cost: { macs: "product" },
  half: "reads",
  derivative: {
    saves: ["weights", "x"],
    backward: (grad, { weights, x }, { exec }) => ({
      weights() {
        const dots = exec.apply(weightedSumDots, { x, grad }, {});
        if (weights.shape[0] === dots.shape[0]) return dots;
        return exec.apply(reduceSum, { x: dots }, { axes: [0], factor: 1 });
      },
      x: () => exec.apply(weightedSumRows, { weights, grad }, {}),
    }),
  },
});
