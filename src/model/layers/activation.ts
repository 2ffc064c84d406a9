import { leakyRelu } from "../../kernels/ops/leaky-relu.ts";
import { gelu, hardswish, relu, sigmoid, silu } from "../../kernels/ops/pointwise.ts";
import type { Activation as PlainActivation, Value } from "../../kernels/trace/op.ts";
import type { Build } from "../build.ts";

/** What follows a layer value by value; `leaky` is the slope of negative values. */
export type Activation = PlainActivation | { readonly leaky: number };

const OPS = { relu, silu, gelu, sigmoid, hardswish } satisfies Record<PlainActivation, unknown>;

/** `x` itself where there is no activation. */
export function activated(build: Build, x: Value, activation: Activation | undefined): Value {
  if (activation === undefined) return x;
  return typeof activation === "string"
    ? build.graph.apply(OPS[activation], { x }, {})
    : build.graph.apply(leakyRelu, { x }, { slope: activation.leaky });
}
