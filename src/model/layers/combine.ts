import { add, multiply } from "../../kernels/ops/arithmetic.ts";
import { concat } from "../../kernels/ops/layout.ts";
import type { Value } from "../../kernels/trace/op.ts";
import type { Build } from "../build.ts";

/** Channels behind each other, in this order. */
export function joined(build: Build, ...parts: readonly Value[]): Value {
  return build.graph.apply(concat(parts.length), Object.fromEntries(parts.map((part, i) => [`x${i}`, part])), {});
}

/** Added up from left to right: one term at least, the shape of each that of the first or spread over it. */
export function sum(build: Build, ...terms: readonly Value[]): Value {
  return terms.reduce((x, y) => build.graph.apply(add, { x, y }, {}));
}

/** `y` has the shape of `x` or is spread over it: a gate for each channel, say. */
export function product(build: Build, x: Value, y: Value): Value {
  return build.graph.apply(multiply, { x, y }, {});
}
