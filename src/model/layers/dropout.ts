import { multiply } from "../../kernels/ops/arithmetic.ts";
import { dropout } from "../../kernels/ops/dropout.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";

/** Drops whole channels of each image in training. */
export function channelDropout(build: Build, name: string, x: Value, drop: number): Value {
  if (build.mode === "eval" || drop === 0) return x;
  const { n, c } = nhwc("dropout", "x", x.shape);
  const [y] = build.draw({ kind: "keep", name: build.name(name), shape: [n, 1, 1, c], drop });
  return y ? build.graph.apply(multiply, { x, y }, {}) : x;
}

/** Drops single values in training. */
export function valueDropout(build: Build, name: string, x: Value, drop: number): Value {
  if (build.mode === "eval" || drop === 0) return x;
  const [seed] = build.draw({ kind: "seed", name: build.name(name) });
  return seed ? build.graph.apply(dropout, { x, seed }, { drop }) : x;
}
