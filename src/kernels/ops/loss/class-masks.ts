import { ShapeError } from "../../../errors.ts";
import { allWide, elementwise, read } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { defineOp, NO_MACS } from "../../trace/op.ts";
import { lastOf, nhwc } from "../../trace/shape.ts";
import { unsigned } from "./text.ts";

interface ClassMasksAttrs {
  /** Logits a pixel. A single one is a map of the whole foreground. */
  readonly classes: number;
  readonly ignoreIndex: number;
}

/**
 * One mask for every class but the first, `[n, h, w]` to `[n, h, w, classes - 1]`: 1 where the label is the class, else
 * 0, and -1 where a pixel does not count, being ignored or labelled outside the classes. Of one class it is the mask
 * of all labels above 0.
 */
export const classMasks = defineOp<ClassMasksAttrs>()({
  name: "classMasks",
  inputs: ["label"],
  shape({ label }, { classes }) {
    if (label.length !== 3 || classes < 1) {
      throw new ShapeError(`classMasks: label [${label}] must be [n, h, w] and the classes ${classes} at least 1`);
    }
    return [...label, Math.max(1, classes - 1)];
  },
  lower: ({ inputs: { label }, out, attrs: { classes, ignoreIndex }, target }) => [
    elementwise({
      label: "classMasks",
      target,
      out,
      wide: false,
      tensors: { label: read(label) },
      sizes: {
        channels: lastOf(out.shape),
        whole: classes === 1 ? 1 : 0,
        stop: classes === 1 ? 0x7fffffff : classes,
        ignore: unsigned(ignoreIndex),
      },
      body: `  let truth = label_at(i / args.channels);
  if (truth == bitcast<i32>(args.ignore) || truth < 0 || truth >= i32(args.stop)) { return -1.0; }
  let same = u32(truth) == i % args.channels + 1u;
  return select(0.0, 1.0, select(same, truth > 0, args.whole == 1u));`,
    }),
  ],
  macs: NO_MACS,
  cost: FREE,
  derivative: "labels do not change smoothly",
});

interface EmphasisAttrs {
  /** Half the side of the window, without its middle. */
  readonly reach: number;
  readonly strength: number;
}

/**
 * Weights of a mask's pixels that grow towards its edges: `1 + strength |mean of the window - mask|`, the window being
 * square, zero outside the image and divided by its whole size. `truth [n, h, w, c]` holds masks as {@link classMasks}
 * makes them; where it is below zero the weight is 0, and 0 is what a neighbour's window sees there.
 */
export const boundaryEmphasis = defineOp<EmphasisAttrs>()({
  name: "boundaryEmphasis",
  inputs: ["truth"],
  shape({ truth }) {
    nhwc("boundaryEmphasis", "truth", truth);
    return truth;
  },
  lower({ inputs: { truth }, out, attrs: { reach, strength }, target, scratch }) {
    const { h, w, c } = nhwc("boundaryEmphasis", "truth", truth.shape);
    const wide = allWide(truth);
    const across = scratch(truth.shape);
    const sizes = { h, w, c: c / (wide ? 4 : 1), reach };
    const side = 2 * reach + 1;
    return [
      elementwise({
        label: "boundaryEmphasis across",
        target,
        out: across,
        wide,
        tensors: { truth: read(truth, wide) },
        sizes,
        body: `  let x = (i / args.c) % args.w;
  let first = x - min(x, args.reach);
  let last = min(x + args.reach, args.w - 1u);
  var total = T(0.0);
  for (var at = first; at <= last; at++) { total += max(truth_at(i - (x - at) * args.c), T(0.0)); }
  return total;`,
      }),
      elementwise({
        label: "boundaryEmphasis",
        target,
        out,
        wide,
        tensors: { truth: read(truth, wide), across: read(across, wide) },
        sizes,
        floats: { share: 1 / (side * side), strength },
        body: `  let y = (i / args.c / args.w) % args.h;
  let first = y - min(y, args.reach);
  let last = min(y + args.reach, args.h - 1u);
  var total = T(0.0);
  for (var at = first; at <= last; at++) { total += across_at(i - (y - at) * args.w * args.c); }
  let mask = truth_at(i);
  return select(T(1.0) + args.strength * abs(total * args.share - mask), T(0.0), mask < T(0.0));`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  derivative: "labels do not change smoothly",
});
