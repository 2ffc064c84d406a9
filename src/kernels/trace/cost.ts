import { type Shape, sizeOf } from "./shape.ts";

/**
 * What published tables make of an op's multiply-accumulates: those of a layer with weights; those of a product between
 * activations, always (`activations`) or where the layer says that it is attention (`product`, one for each element of
 * `x`); or none, because papers do not count such work.
 */
export type CountedAs = "weights" | "activations" | "product" | "none";

/** Operations that the profiler behind published figures counts for one call. */
export interface Profiled {
  /** It sees layers and no functions: ops that can be both count only where a layer tags its steps `module`. */
  readonly when: "always" | "module";
  /** Left out: the op's multiply-accumulates. */
  operations?(inputs: { readonly [name: string]: Shape }, out: Shape): number;
}

/** How an op stands in tables of costs. Required of every op, so that none counts as nothing by being forgotten. */
export interface Cost {
  readonly macs: CountedAs;
  /** Left out for ops that the profiler has no rule for. */
  readonly profiled?: Profiled;
}

/**
 * What a layer says of the steps it adds: `module`, a function that is a layer of its own (an upsampling, a pooling, a
 * softmax); `attention`, products between activations; `hidden`, inside a layer whose parts the profiler does not see.
 */
export type LayerTag = "module" | "attention" | "hidden";

/** A layer with weights, counted by papers and profiler alike. */
export const LAYER: Cost = { macs: "weights", profiled: { when: "always" } };

/** Moves, compares or belongs to training: no table counts it. */
export const FREE: Cost = { macs: "none" };

/** As many operations for each output element. */
export function perOutput(each: number, when: Profiled["when"]): Profiled {
  return { when, operations: (_, out) => each * sizeOf(out) };
}
