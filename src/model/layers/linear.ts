import { addBias, linear as linearOp } from "../../kernels/ops/contraction/linear.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { lastOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { biasStart, type Start, weightStart } from "./initialiser.ts";

/** `x w^T + b` over the last axis of `[m, c]`. */
export function linear(build: Build, name: string, x: Value, outer: number): Value {
  return build.scope(name, () => {
    const shape = [outer, lastOf(x.shape)];
    const weight = build.parameter("weight", shape, weightStart("framework", shape));
    const bias = build.parameter("bias", [outer], biasStart("framework", shape));
    return affine(build, x, weight, bias);
  });
}

/** One linear layer whose outputs are handed out as several tensors of `split` features. */
export function linearParts(
  build: Build,
  name: string,
  x: Value,
  split: readonly number[],
  start: Start = "framework",
): readonly Value[] {
  return build.scope(name, () => {
    const outer = split.reduce((sum, part) => sum + part, 0);
    const shape = [outer, lastOf(x.shape)];
    const weights = build.parameterParts("weight", shape, weightStart(start, shape), split);
    const biases = build.parameterParts("bias", [outer], biasStart(start, shape), split);
    return weights.flatMap((weight, i) => {
      const bias = biases[i];
      return bias ? [affine(build, x, weight, bias)] : [];
    });
  });
}

function affine({ graph }: Build, x: Value, weight: Value, bias: Value): Value {
  return graph.apply(addBias, { x: graph.apply(linearOp, { x, weight }, {}), bias }, {});
}
