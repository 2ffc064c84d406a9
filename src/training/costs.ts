import { OutOfMemoryError } from "../errors.ts";
import { lower } from "../kernels/compile/lower.ts";
import { type Peak, peakOf } from "../kernels/compile/peak.ts";
import { runPlan } from "../kernels/compile/run-plan.ts";
import { ArenaLayout } from "../kernels/compile/state.ts";
import type { Allowance } from "../kernels/passes/recompute.ts";
import { byteSize } from "../kernels/shader/shader.ts";
import { DEFAULT_TARGET, type Target } from "../kernels/target.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import { DEFAULT_LOSS } from "../model/supervision.ts";
import { type NetworkConfig, traceNetwork } from "../model/zoo.ts";
import { type Arena, networkArenas, trainingArenas } from "./arenas.ts";
import { inferenceTrace } from "./inference-trace.ts";
import type { Precision } from "./passes.ts";
import { type TrainingSettings, type TrainingTrace, trainingTrace } from "./training-trace.ts";

/** A plain GPU: the lowest limits of WebGPU, except that tensors and buffers may be as long as drivers of GPUs let them be. */
const PLAIN_GPU: Target = {
  ...DEFAULT_TARGET,
  bindingLimit: 2 ** 31,
  bufferLimit: 2 ** 31,
  storageBuffers: Number.POSITIVE_INFINITY,
};

/** The paper's recipe, as far as it decides what a step holds in memory. */
const TRAINING: Omit<TrainingSettings, "batch"> = {
  loss: DEFAULT_LOSS,
  optimizer: { kind: "adamw", betas: [0.9, 0.999], eps: 1e-8, weightDecay: 1e-2, clipNorm: null },
  accumulate: 1,
  rates: () => 1,
};

/** Bytes that work needs at the least. */
export interface Needs {
  readonly gpu: number;
  readonly host: number;
}

/** More than any GPU holds: a plan of so many bytes takes long and helps nobody. */
export const MOST_BYTES = 512 * 2 ** 30;

/** Batches that lie in memory together: two are made ahead of the one in use. */
const BATCHES_AT_ONCE = 3;

/**
 * What inference on batches needs at the least, in bytes on the GPU and on the host: told from shapes, without a plan, so
 * that an absurd size is judged at once.
 */
export function inferenceNeeds(config: NetworkConfig, batch: number, precision?: Precision): Needs {
  const { graph, parameters, keep } = inferenceTrace(config, { batch, precision });
  return needs(arenaBytes(networkArenas(parameters)), peakOf(graph, keep));
}

/** As {@link inferenceNeeds} for a training step. */
export function trainingNeeds(config: NetworkConfig, batch: number, repeat?: Allowance, precision?: Precision): Needs {
  const { state, graph, keep, placed } = tracedStep(config, { batch, repeat, precision });
  return needs(state, peakOf(graph, keep, placed.keys()));
}

function needs(state: number, { bytes, inputs }: Peak): Needs {
  return { gpu: state + bytes, host: BATCHES_AT_ONCE * inputs };
}

/** What a run takes on a plain GPU; planned from the trace, without a GPU. */
export interface RunCosts {
  /** Bytes of everything that lies on the GPU while a network runs on a batch. */
  readonly bytes: number;
  /** The same by a plan that wastes nothing: state, inputs, and the temporaries that live at once at the worst dispatch. */
  readonly leastBytes: number;
  /** Dispatches of every run. */
  readonly dispatches: number;
}

/** Costs of inference on a batch. */
export function inferenceCosts(config: NetworkConfig, batch: number, precision?: Precision): RunCosts {
  const { graph, parameters, keep } = inferenceTrace(config, { batch, precision });
  requirePlannable(config, peakOf(graph, keep));
  return runCosts(arenaBytes(networkArenas(parameters)), graph, { keep, placed: new Map() });
}

/** Costs of a training step: gradients, AdamW's moments and what backward keeps included. */
export function trainingCosts(
  config: NetworkConfig,
  batch: number,
  repeat?: Allowance,
  precision?: Precision,
): RunCosts {
  const { state, graph, keep, placed } = tracedStep(config, { batch, repeat, precision });
  requirePlannable(config, peakOf(graph, keep, placed.keys()));
  return runCosts(state, graph, { keep, placed });
}

function tracedStep(config: NetworkConfig, given: Pick<TrainingSettings, "batch" | "repeat" | "precision">) {
  const { batch } = given;
  const settings = { ...TRAINING, ...given };
  // The literal trace fills the table of parameters that the training trace looks its arenas up in.
  const { parameters } = traceNetwork(config, { mode: "train", batch }).build;
  const trace = trainingTrace(config, parameters, PLAIN_GPU, settings);
  return { ...trace, state: arenaBytes([...networkArenas(parameters), ...trainingArenas(parameters, settings)]) };
}

function requirePlannable({ width, height }: NetworkConfig, { bytes }: Peak): void {
  if (bytes <= MOST_BYTES) return;
  throw new OutOfMemoryError(
    `images of ${width}x${height} need ${(bytes / 2 ** 30).toFixed(0)} GiB, more than any GPU has`,
  );
}

function arenaBytes(arenas: readonly Arena[]): number {
  return arenas.reduce((sum, { entries }) => sum + new ArenaLayout(entries, PLAIN_GPU).bytes, 0);
}

function runCosts(state: number, graph: Graph, ends: Pick<TrainingTrace, "keep" | "placed">): RunCosts {
  const { plan, settled } = runPlan(graph, lower(graph, PLAIN_GPU), ends, PLAIN_GPU);
  const beside = [...graph.inputs.values()].reduce((sum, value) => sum + byteSize(value), state);
  return {
    bytes: beside + plan.bytes,
    leastBytes: beside + plan.least,
    dispatches: settled.dispatches.length - settled.once,
  };
}
