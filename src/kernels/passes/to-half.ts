import { elementwise, read } from "../shader/shader.ts";
import { FREE } from "../trace/cost.ts";
import { defineOp, FIRST_ORDER, NO_MACS, type Value } from "../trace/op.ts";
import { sizeOf } from "../trace/shape.ts";

/**
 * A copy of `x` that is stored in half precision, for weights whose originals stay f32. No network calls it: the pass that
 * chooses what is stored so puts it before the steps that multiply by weights.
 */
export const toHalf = defineOp<unknown>()({
  name: "toHalf",
  inputs: ["x"],
  shape: ({ x }) => x,
  dtype: "f16",
  settles: "always",
  lower({ inputs: { x }, out, target }) {
    const count = sizeOf(x.shape);
    const row = (value: Value): Value => ({ ...value, shape: [count] });
    const wide = count % 4 === 0;
    return [
      elementwise({
        label: "toHalf",
        target,
        out: row(out),
        wide,
        tensors: { x: read(row(x), wide) },
        body: "  return x_at(i);",
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});
