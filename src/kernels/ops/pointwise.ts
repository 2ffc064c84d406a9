import { ShapeError } from "../../errors.ts";
import { ACTIVATIONS } from "../shader/activation.ts";
import { allWide, elementwise, read } from "../shader/shader.ts";
import { FREE } from "../trace/cost.ts";
import { defineOp, FIRST_ORDER, isFusedActivation, NO_MACS, type Op } from "../trace/op.ts";
import { sameShape } from "../trace/shape.ts";

/** An activation as an op, `y = f(x)`, with `f` and its slope written once in activation.ts. */
function activation(name: keyof typeof ACTIVATIONS): Op<"x", unknown> {
  const { wgsl, slope, from } = ACTIVATIONS[name];
  const grad = defineOp<unknown>()({
    name: `${name}Grad`,
    ...(isFusedActivation(name) ? { fusedAs: "slope" as const } : {}),
    inputs: ["grad", "saved"],
    shape({ grad, saved }) {
      if (!sameShape(grad, saved)) throw new ShapeError(`${name}Grad: grad [${grad}] and saved [${saved}] differ`);
      return grad;
    },
    lower: ({ inputs: { grad, saved }, out, target }) => {
      const wide = allWide(out);
      return [
        elementwise({
          label: `${name}Grad`,
          target,
          out,
          wide,
          tensors: { grad: read(grad, wide), saved: read(saved, wide) },
          functions: slope,
          body: `  return grad_at(i) * ${name}Slope(saved_at(i));`,
        }),
      ];
    },
    macs: NO_MACS,
    cost: FREE,
    half: "computes",
    derivative: FIRST_ORDER,
  });
  return defineOp<unknown>()({
    name,
    ...(isFusedActivation(name) ? { fusedAs: "activation" as const } : {}),
    inputs: ["x"],
    shape: ({ x }) => x,
    lower: ({ inputs: { x }, out, target }) => {
      const wide = allWide(out);
      return [
        elementwise({
          label: name,
          target,
          out,
          wide,
          tensors: { x: read(x, wide) },
          functions: wgsl,
          body: `  return ${name}(x_at(i));`,
        }),
      ];
    },
    macs: NO_MACS,
    cost: FREE,
    half: "computes",
    derivative: {
      saves: [from],
      backward: (g, saved, { exec }) => ({
        x: () => exec.apply(grad, { grad: g, saved: (saved as Record<string, typeof g>)[from] ?? g }, {}),
      }),
    },
  });
}

export const relu = activation("relu");
export const silu = activation("silu");
export const gelu = activation("gelu");
export const geluTanh = activation("geluTanh");
export const sigmoid = activation("sigmoid");
export const hardswish = activation("hardswish");
