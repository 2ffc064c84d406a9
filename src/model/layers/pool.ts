import { maxPool2d } from "../../kernels/ops/pool/pool.ts";
import { reduceSum } from "../../kernels/ops/reduce/reduce.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";

/** The mean over all pixels, `[n, 1, 1, c]`. */
export function globalMean(build: Build, x: Value): Value {
  const { h, w } = nhwc("global mean", "x", x.shape);
  return build.graph.apply(reduceSum, { x }, { axes: [1, 2], factor: 1 / (h * w) });
}

/** The maxima of windows of 2x2: half the size, rounded down. */
export function halved(build: Build, x: Value): Value {
  return build.graph.apply(maxPool2d, { x }, { kernel: 2, stride: 2, padding: 0 });
}

/** The maxima of overlapping windows of 3x3, every second one: half the size, rounded up, as behind a ResNet's stem. */
export function pooledStem(build: Build, x: Value): Value {
  return build.graph.apply(maxPool2d, { x }, { kernel: 3, stride: 2, padding: 1 });
}
