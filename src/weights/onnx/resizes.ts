import type { BilinearAttrs, ResizeAttrs } from "../../kernels/ops/bilinear.ts";
import type { Emitter } from "./emitter.ts";
import { type Exporter, first, input } from "./exporter.ts";

/** Resize wants all four sizes; those of batch and channels are read off the value, the others are constants. */
function resize(
  e: Emitter,
  x: string,
  { height, width }: ResizeAttrs,
  attributes: { readonly [name: string]: string },
) {
  const shape = e.node("Shape", [x]);
  const kept = e.node("Slice", [shape, e.ints([0]), e.ints([2]), e.ints([0])]);
  const sizes = e.node("Concat", [kept, e.ints([height, width])], { axis: 0 });
  return first(e.node("Resize", [x, "", "", sizes], attributes));
}

const resizeBilinear: Exporter = (call) => {
  const attrs = call.attrs as BilinearAttrs;
  return resize(call.e, call.e.first(input(call, "x")), attrs, {
    mode: "linear",
    coordinate_transformation_mode: attrs.alignCorners ? "align_corners" : "half_pixel",
  });
};

/** Item floor(o * in / out), the ratio rounded to 32 bits as PyTorch and our kernel have it. */
function sources(length: number, outputs: number): number[] {
  const ratio = Math.fround(length / outputs);
  return Array.from({ length: outputs }, (_, o) => Math.min(Math.floor(Math.fround(o * ratio)), length - 1));
}

/** By whole factors a Resize; else ONNX's rounding could choose another neighbour, so the items are listed. */
const resizeNearest: Exporter = (call) => {
  const { e } = call;
  const attrs = call.attrs as ResizeAttrs;
  const x = input(call, "x");
  const [, h = 1, w = 1] = x.shape;
  if (attrs.height % h === 0 && attrs.width % w === 0) {
    return resize(e, e.first(x), attrs, {
      mode: "nearest",
      coordinate_transformation_mode: "asymmetric",
      nearest_mode: "floor",
    });
  }
  const rows = e.node("Gather", [e.first(x), e.ints(sources(h, attrs.height))], { axis: 2 });
  return first(e.node("Gather", [rows, e.ints(sources(w, attrs.width))], { axis: 3 }));
};

export const RESIZE_EXPORTERS: { readonly [op: string]: Exporter } = { resizeBilinear, resizeNearest };
