import { type Graph, type Step, shapesOf } from "../kernels/trace/graph.ts";
import { sizeOf } from "../kernels/trace/shape.ts";
import type { ParameterTable } from "./parameters.ts";

export interface Counts {
  /** Trained values. */
  readonly parameters: number;
  /** Multiply-accumulates of convolutions and linear layers, transposed convolutions counted on their input. */
  readonly macs: number;
  /** Multiply-accumulates of products between activations in attention. */
  readonly attentionMacs: number;
  /**
   * By the rules of the profiler behind published figures, which sees layers and no functions: transposed convolutions
   * counted on their output, four operations for each output of a norm, 11 or 1 for each output of an upsampling layer
   * (bilinear or nearest), pooling layers by their output; attention with its projections, activations, other resizes
   * and pooled means free.
   */
  readonly profiledMacs: number;
}

interface StepCount {
  readonly macs: number;
  readonly attention: number;
  readonly profiled: number;
}

/** What a step counts as, by its op's declaration and its layer's tag. */
function countStep({ op, inputs, outputs, attrs, tag }: Step): StepCount {
  const shapes = shapesOf(inputs);
  const out = outputs[0]?.shape ?? [0];
  const own = op.macs(shapes, out, attrs);
  const { macs, profiled } = op.cost;
  const isSeen = profiled !== undefined && tag !== "hidden" && (profiled.when === "always" || tag === "module");
  const isProduct = macs === "product" && tag === "attention";
  return {
    macs: macs === "weights" ? own : 0,
    attention: macs === "activations" ? own : isProduct ? sizeOf(shapes["x"] ?? [0]) : 0,
    profiled: isSeen ? (profiled.operations?.(shapes, out) ?? own) : 0,
  };
}

/** What a network costs, from the literal trace of its evaluation. Needs no GPU. */
export function count(graph: Graph, parameters: ParameterTable, prefix = ""): Counts {
  const totals = { macs: 0, attention: 0, profiled: 0 };
  for (const step of graph.steps) {
    if (!step.path.startsWith(prefix)) continue;
    const { macs, attention, profiled } = countStep(step);
    totals.macs += macs;
    totals.attention += attention;
    totals.profiled += profiled;
  }
  return {
    parameters: parameters.count(prefix),
    macs: totals.macs,
    attentionMacs: totals.attention,
    profiledMacs: totals.profiled,
  };
}
