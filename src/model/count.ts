import { type Graph, type Step, shapesOf } from "../kernels/trace/graph.ts";
import { lastOf, sizeOf } from "../kernels/trace/shape.ts";
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

const norm = (step: Step): StepCount => ({ profiled: 4 * sizeOf(step.outputs[0]?.shape ?? [0]) });

const outputsOf = (step: Step): number => sizeOf(step.outputs[0]?.shape ?? [0]);

/** Whether the step is a layer of that name, and not a function in some layer. */
const within = (step: Step, layer: string): boolean => step.path.split(".").at(-1) === layer;

const upsampling =
  (each: number) =>
  (step: Step): StepCount =>
    within(step, "grow") ? { profiled: each * outputsOf(step) } : {};

/** A pooling layer's mean over whole maps: its inputs, and one division for each output. */
function pooledMean(step: Step): StepCount {
  return within(step, "pool") ? { profiled: sizeOf(step.inputs["x"]?.shape ?? [0]) + outputsOf(step) } : {};
}

/** A softmax layer over c values takes 3c - 1 operations. */
function softmaxLayer(step: Step): StepCount {
  const c = lastOf(step.outputs[0]?.shape ?? [1]);
  return within(step, "soft") ? { profiled: (outputsOf(step) / c) * (3 * c - 1) } : {};
}

/** A linear layer; the projections of an attention are hidden from the profiler. */
function projection(step: Step): StepCount {
  return step.path.split(".").includes("attn") ? { macs: ownMacs(step) } : dense(step);
}

const RULES: Readonly<Record<string, (step: Step) => StepCount>> = {
  conv2d: dense,
  linear: projection,
  convTranspose2d: transposed,
  attention: (step) => ({ attention: ownMacs(step) }),
  weightedSum: product,
  multiply: product,
  batchNormEval: norm,
  instanceNorm: norm,
  layerNorm: norm,
  averagePool2d: (step) => ({ profiled: outputsOf(step) }),
  resizeBilinear: upsampling(11),
  resizeNearest: upsampling(1),
  reduceSum: pooledMean,
  softmax: softmaxLayer,
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
