import { ShapeError } from "../../errors.ts";
import { elementwiseThen } from "../shader/epilogue.ts";
import { read } from "../shader/shader.ts";
import { FREE } from "../trace/cost.ts";
import { defineOp, NO_MACS, type Op } from "../trace/op.ts";
import { sameShape } from "../trace/shape.ts";

interface DropoutAttrs {
  /** Probability that an element becomes 0; the others are divided by 1 minus it. */
  readonly drop: number;
}

/**
 * Drops elements of `x` by a hash of their index and `seed` `[1]`, a whole number below 2^24: masks as long as an
 * activation are made where they are used, and again, bit for bit, for the gradient.
 */
export const dropout: Op<"x" | "seed", DropoutAttrs> = defineOp<DropoutAttrs>()({
  name: "dropout",
  inputs: ["x", "seed"],
  shape({ x, seed }, { drop }) {
    if (!sameShape(seed, [1]) || !(drop >= 0 && drop < 1)) {
      throw new ShapeError(`dropout: seed [${seed}] must be [1] and the probability ${drop} in [0, 1)`);
    }
    return x;
  },
  epilogue: ["residual", "slope"],
  lower: ({ inputs: { x, seed }, out, attrs: { drop }, target, epilogue }) => [
    elementwiseThen(epilogue, {
      label: "dropout",
      target,
      out,
      wide: false,
      tensors: { x: read(x), seed: read(seed) },
      floats: { drop, kept: 1 / (1 - drop) },
      // Two rounds of the PCG permutation: a sequence of neighbouring indices comes out evenly spread.
      functions: `fn scrambled(v: u32) -> u32 {
  let state = v * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}`,
      body: `  let random = scrambled(i ^ scrambled(u32(seed_at(0u))));
  let share = f32(random >> 8u) / 16777216.0;
  return select(x_at(i) * args.kept, 0.0, share < args.drop);`,
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: {
    saves: ["seed"],
    backward: (grad, { seed }, { attrs, exec }) => ({
      x: () => exec.apply(dropout, { x: grad, seed }, attrs),
      seed: null,
    }),
  },
});
