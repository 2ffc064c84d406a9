import { OutOfMemoryError } from "../errors.ts";
import { lower } from "../kernels/compile/lower.ts";
import { type Peak, peakOf } from "../kernels/compile/peak.ts";
import { plan } from "../kernels/compile/plan.ts";
import { ArenaLayout } from "../kernels/compile/state.ts";
import type { Allowance } from "../kernels/passes/recompute.ts";
import { byteSize } from "../kernels/shader/shader.ts";
import { DEFAULT_TARGET, type Target } from "../kernels/target.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import { DEFAULT_LOSS } from "../model/supervision.ts";
import { type NetworkConfig, traceNetwork } from "../model/zoo.ts";
import { type Arena, networkArenas, trainingArenas } from "./arenas.ts";
import { inferenceTrace } from "./inference-trace.ts";
import { type TrainingSettings, trainingTrace } from "./training-trace.ts";

/** The lowest limits of WebGPU, except that a tensor may be bound in any number of parts. */
const ANYWHERE: Target = { ...DEFAULT_TARGET, storageBuffers: Number.POSITIVE_INFINITY };

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
export function inferenceNeeds(config: NetworkConfig, batch: number): Needs {
  const { graph, parameters, keep } = inferenceTrace(config, { batch });
  return needs(arenaBytes(networkArenas(parameters)), peakOf(graph, keep));
}

/** As {@link inferenceNeeds} for a training step. */
export function trainingNeeds(config: NetworkConfig, batch: number, repeat?: Allowance): Needs {
  const { state, graph, keep, placed } = tracedStep(config, batch, repeat);
  return needs(state, peakOf(graph, keep, placed.keys()));
}

function needs(state: number, { bytes, inputs }: Peak): Needs {
  return { gpu: state + bytes, host: BATCHES_AT_ONCE * inputs };
}

/** Bytes of everything that lies on the GPU while a network runs on a batch; planned from the trace, without a GPU. */
export function inferenceBytes(config: NetworkConfig, batch: number): number {
  const { graph, parameters, keep } = inferenceTrace(config, { batch });
  requirePlannable(config, peakOf(graph, keep));
  return arenaBytes(networkArenas(parameters)) + runBytes(graph, keep, []);
}

/** As `inferenceBytes` for a training step: gradients, AdamW's moments and what backward keeps included. */
export function trainingBytes(config: NetworkConfig, batch: number, repeat?: Allowance): number {
  const { state, graph, keep, placed } = tracedStep(config, batch, repeat);
  requirePlannable(config, peakOf(graph, keep, placed.keys()));
  return state + runBytes(graph, keep, [...placed.keys()]);
}

function tracedStep(config: NetworkConfig, batch: number, repeat?: Allowance) {
  const settings = { ...TRAINING, batch, ...(repeat && { repeat }) };
  // The literal trace fills the table of parameters that the training trace looks its arenas up in.
  const { parameters } = traceNetwork(config, { mode: "train", batch }).build;
  const trace = trainingTrace(config, parameters, ANYWHERE, settings);
  return { ...trace, state: arenaBytes([...networkArenas(parameters), ...trainingArenas(parameters, settings)]) };
}

function requirePlannable({ width, height }: NetworkConfig, { bytes }: Peak): void {
  if (bytes <= MOST_BYTES) return;
  throw new OutOfMemoryError(
    `images of ${width}x${height} need ${(bytes / 2 ** 30).toFixed(0)} GiB, more than any GPU has`,
  );
}

function arenaBytes(arenas: readonly Arena[]): number {
  return arenas.reduce((sum, { entries }) => sum + new ArenaLayout(entries, ANYWHERE).bytes, 0);
}

/** Bytes of a run's inputs and temporaries; `placed` are stored elsewhere. */
function runBytes(graph: Graph, keep: readonly Value[], placed: readonly number[]): number {
  const inputs = [...graph.inputs.values()];
  const outside = [...inputs, ...graph.stored].map(({ id }) => id);
  const { bytes } = plan(
    lower(graph, ANYWHERE),
    new Set([...outside, ...placed.map((id) => graph.root(id))]),
    new Set(keep.map(({ id }) => graph.root(id))),
    ANYWHERE,
  );
  return inputs.reduce((sum, value) => sum + byteSize(value), bytes);
}
