import { ShapeError } from "../../../errors.ts";
import type { Value } from "../../trace/op.ts";
import { lastOf, type Shape, sameShape } from "../../trace/shape.ts";

/** Shape rule of all norms: `x` [.., c] and one number a channel in every other input. */
export function channelwise(op: string, { x, ...rest }: { readonly x: Shape; readonly [name: string]: Shape }): Shape {
  const channels = lastOf(x);
  const wrong = Object.values(rest).some((shape) => !sameShape(shape, [channels]));
  if (wrong || x.length < 2 || x.some((extent) => extent < 1)) {
    const others = Object.entries(rest).map(([name, shape]) => `${name} [${shape}]`);
    throw new ShapeError(`${op}: x [${x}] does not fit ${others.join(", ")}, which must be [${channels}]`);
  }
  return x;
}

/** Shape rule of the ops that make `[c]` sums out of a gradient. */
export function sumsShape(op: string, { grad, x }: { readonly grad: Shape; readonly x: Shape }): Shape {
  if (!sameShape(grad, x)) throw new ShapeError(`${op}: grad [${grad}] and x [${x}] differ`);
  return [lastOf(x)];
}

export interface Eps {
  readonly eps: number;
}

/** What the sums of a gradient are: of the bias and of the weight. */
type Pair = readonly [bias: Value, weight: Value];
export const pair = ([first, second]: readonly [Value, ...Value[]]): Pair => [first, second ?? first];
