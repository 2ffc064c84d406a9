import { optimizerArenas } from "../autograd/optimizer.ts";
import { lower } from "../kernels/compile/lower.ts";
import { plan } from "../kernels/compile/plan.ts";
import { ArenaLayout, type StateEntry } from "../kernels/compile/state.ts";
import { argmaxLast } from "../kernels/ops/loss/loss.ts";
import { fuse } from "../kernels/passes/fuse.ts";
import { dropUnread, splitPointwiseOverConcat } from "../kernels/passes/rewrite.ts";
import { byteSize } from "../kernels/shader/shader.ts";
import { DEFAULT_TARGET, type Target } from "../kernels/target.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import type { ParameterTable } from "../model/parameters.ts";
import { DEFAULT_LOSS } from "../model/supervision.ts";
import { type NetworkConfig, traceNetwork } from "../model/zoo.ts";
import { GROUPS, groupEntries } from "./network.ts";
import { clockKey, type TrainingSettings, trainingArenas, trainingTrace } from "./training-trace.ts";

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
  const { build, logits } = traceNetwork(config, { mode: "eval", batch });
  const { graph, parameters } = build;
  splitPointwiseOverConcat(graph);
  const classes = graph.apply(argmaxLast, { x: logits }, {});
  dropUnread(graph, [logits, classes]);
  fuse(graph, [logits, classes]);
  return stateBytes(parameters) + runBytes(graph, [logits, classes], []);
}

/** As `inferenceBytes` for a training step: gradients, AdamW's moments and what backward keeps included. */
export function trainingBytes(config: NetworkConfig, batch: number): number {
  const settings = { ...TRAINING, batch };
  // The literal trace fills the table of parameters that the training trace looks its arenas up in.
  const { parameters } = traceNetwork(config, { mode: "train", batch }).build;
  const { graph, loss, counts, placed } = trainingTrace(config, parameters, ANYWHERE, settings);
  const arenas = [
    ...trainingArenas(parameters, settings).map(({ entries }) => entries),
    ...optimizerArenas(GROUPS.map(clockKey)).values(),
  ];
  const state = arenas.reduce((sum, entries) => sum + arenaBytes(entries), stateBytes(parameters));
  return state + runBytes(graph, [loss, counts], [...placed.keys()]);
}

function stateBytes(parameters: ParameterTable): number {
  const weights = GROUPS.map((group) => groupEntries(parameters, group));
  return [...weights, parameters.storage("statistic")].reduce((sum, entries) => sum + arenaBytes(entries), 0);
}

const arenaBytes = (entries: readonly StateEntry[]): number => new ArenaLayout(entries, ANYWHERE).bytes;

/** Bytes of a run's inputs and temporaries; `placed` are stored elsewhere. */
function runBytes(graph: Graph, keep: readonly Value[], placed: readonly number[]): number {
  const inputs = [...graph.inputs.values()];
  const outside = [...inputs, ...graph.resident.values()].map(({ id }) => id);
  const { bytes } = plan(
    lower(graph, ANYWHERE),
    new Set([...outside, ...placed.map((id) => graph.root(id))]),
    new Set(keep.map(({ id }) => graph.root(id))),
    ANYWHERE,
  );
  return inputs.reduce((sum, value) => sum + byteSize(value), bytes);
}
