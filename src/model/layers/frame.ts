import { pad2d } from "../../kernels/ops/frame.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { bothAxes, nhwc, type PerAxis, sameShape } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import type { NetworkOutput } from "../definition.ts";
import type { Head } from "../supervision.ts";

/**
 * Runs a network on the image padded with zeros at the bottom and right to multiples of `multiple`, and crops the
 * outputs that are as large as the padded image. Nothing is added where the sides are multiples already.
 */
export function framed(
  build: Build,
  image: Value,
  multiple: PerAxis,
  run: (image: Value) => readonly Head[],
): NetworkOutput {
  const { h, w } = nhwc("image", "image", image.shape);
  const [down, across] = bothAxes(multiple);
  const [bottom, right] = [(down - (h % down)) % down, (across - (w % across)) % across];
  const pads = bottom > 0 || right > 0;
  const frame = { top: 0, bottom, left: 0, right };
  const cut = { top: 0, bottom: -bottom, left: 0, right: -right };
  const padded = pads ? build.graph.apply(pad2d, { x: image }, frame) : image;
  const whole = padded.shape.slice(1, 3);
  const heads = run(padded).map((head) => {
    const { logits } = head;
    if (!pads || !sameShape(logits.shape.slice(1, 3), whole)) return head;
    return { ...head, logits: build.graph.apply(pad2d, { x: logits }, cut) };
  });
  const [main] = heads;
  if (!main) throw new Error("the network has no output");
  return { logits: main.logits, heads, intermediates: new Map() };
}
