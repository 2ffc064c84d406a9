import { DEFAULT_TARGET } from "../../src/kernels/target.ts";
import { keyOf } from "../../src/model/keys.ts";
import { DEFAULT_LOSS, type LossKind } from "../../src/model/supervision.ts";
import { type NetworkConfig, traceNetwork } from "../../src/model/zoo.ts";
import { type TrainingSettings, trainingTrace } from "../../src/training/training-trace.ts";

/** AdamW as PyTorch sets it up, with a little decay. */
export const ADAMW = { kind: "adamw", betas: [0.9, 0.999], eps: 1e-8, weightDecay: 1e-2, clipNorm: null } as const;

/** The training step of a batch by plain settings, without an adapter. */
export function tracedStep(config: NetworkConfig, batch: number, changes: Partial<TrainingSettings> = {}) {
  const { parameters } = traceNetwork(config, { mode: "train", batch }).build;
  const settings = { batch, loss: DEFAULT_LOSS, optimizer: ADAMW, accumulate: 1, rates: () => 1, ...changes };
  return { parameters, trace: trainingTrace(config, parameters, DEFAULT_TARGET, settings) };
}

/** Keys of the trained tensors, and of those that the step leaves without a gradient. */
export function trainedKeys(config: NetworkConfig, batch: number, kind: LossKind = DEFAULT_LOSS.kind) {
  const { parameters, trace } = tracedStep(config, batch, { loss: { ...DEFAULT_LOSS, kind } });
  const keys = parameters.storage("weight").map(({ key }) => key);
  const placed = new Set(trace.placed.values());
  return { keys, without: keys.filter((key) => !placed.has(keyOf("gradient", key))), trace };
}
