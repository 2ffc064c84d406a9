import { lower } from "../kernels/compile/lower.ts";
import { plan } from "../kernels/compile/plan.ts";
import { ArenaLayout } from "../kernels/compile/state.ts";
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

/** Bytes of everything that lies on the GPU while a network runs on a batch; planned from the trace, without a GPU. */
export function inferenceBytes(config: NetworkConfig, batch: number): number {
  const { graph, parameters, keep } = inferenceTrace(config, { batch });
  return arenaBytes(networkArenas(parameters)) + runBytes(graph, keep, []);
}

/** As `inferenceBytes` for a training step: gradients, AdamW's moments and what backward keeps included. */
export function trainingBytes(config: NetworkConfig, batch: number): number {
  const settings = { ...TRAINING, batch };
  // The literal trace fills the table of parameters that the training trace looks its arenas up in.
  const { parameters } = traceNetwork(config, { mode: "train", batch }).build;
  const { graph, keep, placed } = trainingTrace(config, parameters, ANYWHERE, settings);
  const state = arenaBytes([...networkArenas(parameters), ...trainingArenas(parameters, settings)]);
  return state + runBytes(graph, keep, [...placed.keys()]);
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
