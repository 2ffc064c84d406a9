import { ShapeError } from "../../../errors.ts";
import { lastOf, type Shape, sameShape } from "../../trace/shape.ts";

/** Logits [.., k], labels one a pixel: everything but the last axis. */
export function pixelShape(op: string, logits: Shape, label: Shape): Shape {
  if (logits.length < 2 || !sameShape(logits.slice(0, -1), label)) {
    throw new ShapeError(`${op}: logits [${logits}] and label [${label}] must be [.., classes] and [..]`);
  }
  return label;
}

/** The same, and one weight a class. */
export function weightedPixelShape(op: string, shapes: Readonly<Record<"logits" | "label" | "weight", Shape>>): void {
  const { logits, label, weight } = shapes;
  pixelShape(op, logits, label);
  if (sameShape(weight, [lastOf(logits)])) return;
  throw new ShapeError(
    `${op}: weight [${weight}] must have one number a class of logits [${logits}], label [${label}]`,
  );
}

/** Declares `log_sum(p)`, the log of the sum of exponentials of pixel `p`'s logits. */
export const LOG_SUM = `fn log_sum(p: u32) -> f32 {
  let base = p * args.classes;
  var highest = logits_at(base);
  for (var c = 1u; c < args.classes; c++) { highest = max(highest, logits_at(base + c)); }
  var sum = 0.0;
  for (var c = 0u; c < args.classes; c++) { sum += exp(logits_at(base + c) - highest); }
  return highest + log(sum);
}`;

/** Declares `counted(label)`, true for one that counts: neither ignored nor outside the classes. */
export const COUNTED = `fn counted(label: i32) -> bool {
  return label != bitcast<i32>(args.ignore) && label >= 0 && label < i32(args.classes);
}`;

/** A whole number as a size of a shader, for `bitcast` to give back. */
export const unsigned = (value: number): number => value >>> 0;
