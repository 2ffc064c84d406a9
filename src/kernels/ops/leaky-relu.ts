import { ShapeError } from "../../errors.ts";
import { allWide, elementwise, read } from "../shader/shader.ts";
import { FREE } from "../trace/cost.ts";
import { defineOp, FIRST_ORDER, NO_MACS } from "../trace/op.ts";
import { sameShape } from "../trace/shape.ts";

interface Slope {
  /** Factor of negative values; above 0, so that the result has the sign of what it was made from. */
  readonly slope: number;
}

const leakyReluGrad = defineOp<Slope>()({
  name: "leakyReluGrad",
  inputs: ["grad", "y"],
  shape({ grad, y }) {
    if (!sameShape(grad, y)) throw new ShapeError(`leakyReluGrad: grad [${grad}] and y [${y}] differ`);
    return grad;
  },
  lower({ inputs: { grad, y }, out, attrs: { slope }, target }) {
    const wide = allWide(out);
    return [
      elementwise({
        label: "leakyReluGrad",
        target,
        out,
        wide,
        tensors: { grad: read(grad, wide), y: read(y, wide) },
        floats: { slope },
        body: "  return grad_at(i) * select(T(args.slope), T(1.0), y_at(i) > T(0.0));",
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "computes",
  derivative: FIRST_ORDER,
});

/** `x` where it is positive, `slope * x` elsewhere. */
export const leakyRelu = defineOp<Slope>()({
  name: "leakyRelu",
  inputs: ["x"],
  shape({ x }, { slope }) {
    if (!(slope > 0 && slope <= 1)) throw new ShapeError(`leakyRelu: the slope is ${slope}; it must be in (0, 1]`);
    return x;
  },
  lower({ inputs: { x }, out, attrs: { slope }, target }) {
    const wide = allWide(out);
    return [
      elementwise({
        label: "leakyRelu",
        target,
        out,
        wide,
        tensors: { x: read(x, wide) },
        floats: { slope },
        body: "  return max(x_at(i), args.slope * x_at(i));",
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "computes",
  derivative: {
    saves: ["out"],
    backward: (grad, { out }, { attrs, exec }) => ({ x: () => exec.apply(leakyReluGrad, { grad, y: out }, attrs) }),
  },
});
