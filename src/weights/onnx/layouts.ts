import type { FrameAttrs } from "../../kernels/ops/frame.ts";
import type { SliceAttrs } from "../../kernels/ops/layout.ts";
import type { UnpackAttrs } from "../../kernels/ops/packing.ts";
import { lastOf } from "../../kernels/trace/shape.ts";
import { type Exporter, first, input, plain } from "./exporter.ts";

const concat: Exporter = (call) => {
  const { e } = call;
  const parts = Object.values(call.inputs);
  if (!parts.some((part) => e.isFirst(part))) {
    return plain(
      e.node(
        "Concat",
        parts.map((part) => e.plain(part)),
        { axis: -1 },
      ),
    );
  }
  return first(
    e.node(
      "Concat",
      parts.map((part) => e.first(part)),
      { axis: 1 },
    ),
  );
};

const sliceLast: Exporter = (call) => {
  const { e } = call;
  const { start, count } = call.attrs as SliceAttrs;
  const x = input(call, "x");
  const { name, order } = e.either(x);
  const axis = order === "first" ? 1 : x.shape.length - 1;
  return { name: e.node("Slice", [name, e.ints([start]), e.ints([start + count]), e.ints([axis])]), order };
};

/** Channels first: [n, c, h, w] to [n, c, 4, patches], the four pixels of a patch in reading order. */
const pack2x2: Exporter = (call) => {
  const { e } = call;
  const [, h = 0, w = 0, c = 0] = input(call, "x").shape;
  const split = e.node("Reshape", [e.first(input(call, "x")), e.ints([-1, c, h / 2, 2, w / 2, 2])]);
  const turned = e.node("Transpose", [split], { perm: [0, 1, 3, 5, 2, 4] });
  return first(e.node("Reshape", [turned, e.ints([-1, c, 4, (h * w) / 4])]));
};

const unpack2x2: Exporter = (call) => {
  const { e } = call;
  const { height, width } = call.attrs as UnpackAttrs;
  const x = input(call, "x");
  const c = lastOf(x.shape);
  const split = e.node("Reshape", [e.first(x), e.ints([-1, c, 2, 2, height / 2, width / 2])]);
  const turned = e.node("Transpose", [split], { perm: [0, 1, 4, 2, 5, 3] });
  return first(e.node("Reshape", [turned, e.ints([-1, c, height, width])]));
};

const permuteRows: Exporter = (call) =>
  plain(call.e.node("Gather", [call.e.plain(input(call, "x")), call.e.plain(input(call, "order"))], { axis: 1 }));

const view: Exporter = (call) =>
  plain(call.e.node("Reshape", [call.e.plain(input(call, "x")), call.e.shape(call.out)]));

const swapAxes: Exporter = (call) => {
  const { name, order } = call.e.either(input(call, "x"));
  const perm = order === "first" ? [0, 1, 3, 2] : [0, 2, 1, 3];
  return { name: call.e.node("Transpose", [name], { perm }), order };
};

/** Negative pads cut off, here as there. */
const pad2d: Exporter = (call) => {
  const { top, bottom, left, right } = call.attrs as FrameAttrs;
  const pads = call.e.ints([0, 0, top, left, 0, 0, bottom, right]);
  return first(call.e.node("Pad", [call.e.first(input(call, "x")), pads]));
};

export const LAYOUT_EXPORTERS: { readonly [op: string]: Exporter } = {
  concat,
  sliceLast,
  pack2x2,
  unpack2x2,
  permuteRows,
  view,
  swapAxes,
  pad2d,
};
