import { resizeBilinear, resizeNearest } from "../../kernels/ops/resize.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";

/**
 * Bilinear resizing that puts the centres of the corner pixels on each other: PyTorch's `align_corners=True`. `x` itself
 * where it has that size.
 */
export function resizedToCorners(build: Build, x: Value, height: number, width: number): Value {
  return resized(build, x, height, width, true);
}

/**
 * Bilinear resizing that puts the edges of the images on each other, pixels being squares: PyTorch's default. `x` itself
 * where it has that size.
 */
export function resizedByCentres(build: Build, x: Value, height: number, width: number): Value {
  return resized(build, x, height, width, false);
}

function resized(build: Build, x: Value, height: number, width: number, alignCorners: boolean): Value {
  const { h, w } = nhwc("resize", "x", x.shape);
  if (h === height && w === width) return x;
  return build.graph.apply(resizeBilinear, { x }, { height, width, alignCorners });
}

/** A map of one pixel repeated to any size. */
export function spread(build: Build, x: Value, height: number, width: number): Value {
  return build.graph.apply(resizeNearest, { x }, { height, width });
}

/** An upsampling layer, corners aligned. */
export function grow(build: Build, x: Value, factor: number, mode: "bilinear" | "nearest" = "bilinear"): Value {
  const { h, w } = nhwc("grow", "x", x.shape);
  const size = { height: h * factor, width: w * factor };
  return build.layer("grow", "module", () =>
    mode === "nearest"
      ? build.graph.apply(resizeNearest, { x }, size)
      : build.graph.apply(resizeBilinear, { x }, { ...size, alignCorners: true }),
  );
}
