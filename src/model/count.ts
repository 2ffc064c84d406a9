import { type Graph, type Step, shapesOf } from "../kernels/graph.ts";
import { lastOf, sizeOf } from "../kernels/shape.ts";
import type { ParameterTable } from "./parameters.ts";

export interface Counts {
  /** Trained values. */
  readonly parameters: number;
  /** Multiply-accumulates of convolutions and linear layers, transposed convolutions counted on their input. */
  readonly macs: number;
  /** Multiply-accumulates of products between activations in attention. */
  readonly attentionMacs: number;
  /**
   * By the rules of the profiler behind published figures: transposed convolutions counted on their output and four
   * operations for each batch-norm output; attention, pooling, activations and resizes free.
   */
  readonly profiledMacs: number;
}

interface StepCount {
  readonly macs?: number;
  readonly attention?: number;
  readonly profiled?: number;
}

function dense(step: Step): StepCount {
  const macs = ownMacs(step);
  return { macs, profiled: macs };
}

function ownMacs({ op, inputs, outputs, attrs }: Step): number {
  return op.macs(shapesOf(inputs), outputs[0]?.shape ?? [], attrs);
}

function transposed(step: Step): StepCount {
  const [, r = 1, s = 1, k = 1] = step.inputs["weight"]?.shape ?? [];
  const [x, out] = [step.inputs["x"]?.shape ?? [], step.outputs[0]?.shape ?? []];
  const perPixel = lastOf(x) * r * s * k;
  return { macs: (sizeOf(x) / lastOf(x)) * perPixel, profiled: (sizeOf(out) / k) * perPixel };
}

/** Products inside a linear attention: every one reads one element of `x`. */
function product(step: Step): StepCount {
  return /(^|\.)attention$/.test(step.path) ? { attention: sizeOf(step.inputs["x"]?.shape ?? [0]) } : {};
}

const RULES: Readonly<Record<string, (step: Step) => StepCount>> = {
  conv2d: dense,
  linear: dense,
  convTranspose2d: transposed,
  attention: (step) => ({ attention: ownMacs(step) }),
  weightedSum: product,
  multiply: product,
  batchNormEval: (step) => ({ profiled: 4 * sizeOf(step.outputs[0]?.shape ?? [0]) }),
};

/** What a network costs, from the literal trace of its evaluation. Needs no GPU. */
export function count(graph: Graph, parameters: ParameterTable, prefix = ""): Counts {
  const totals = { macs: 0, attention: 0, profiled: 0 };
  for (const step of graph.steps) {
    if (!step.path.startsWith(prefix)) continue;
    const { macs = 0, attention = 0, profiled = 0 } = RULES[step.op.name]?.(step) ?? {};
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
