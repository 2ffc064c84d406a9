import type { Device } from "../kernels/device/device.ts";
import { traceNetwork } from "../model/zoo.ts";
import { Network } from "../training/network.ts";
import { type Checkpoint, parseCheckpoint, requireFit, restoreNetwork } from "./checkpoint/checkpoint.ts";

/** A network on a device, and the checkpoint that it was filled from. */
export interface LoadedModel {
  readonly network: Network;
  readonly checkpoint: Checkpoint;
}

/**
 * Puts the network of a checkpoint's bytes (a `.safetensors` file that `svanet train`, `svanet convert` or `saveCheckpoint`
 * wrote) on a device. The bytes must not change while the checkpoint is in use: its tensors are views of them. `label` names
 * them in messages. Throws CheckpointError where a bit of them differs from what was written, or they are no checkpoint, and
 * OutOfMemoryError where the network does not fit.
 */
export async function loadModel(
  device: Device,
  buffer: ArrayBuffer | Uint8Array,
  label = "the checkpoint",
): Promise<LoadedModel> {
  const bytes = buffer instanceof Uint8Array ? buffer : new Uint8Array(buffer);
  return modelOf(device, await parseCheckpoint(bytes, label));
}

/** Puts a checkpoint's network on a device. Throws CheckpointError where its tensors are not those of its configuration. */
export async function modelOf(device: Device, checkpoint: Checkpoint): Promise<LoadedModel> {
  const { config } = checkpoint.facts;
  // Before anything is allocated: a configuration that the tensors do not fit may ask for any amount of memory.
  requireFit(traceNetwork(config, { mode: "eval", batch: 2 }).build.parameters, checkpoint);
  const network = await Network.empty(device, config);
  restoreNetwork(network, checkpoint);
  return { network, checkpoint };
}
