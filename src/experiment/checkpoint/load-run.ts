import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { UsageError } from "../../errors.ts";
import { type LoadedModel, modelOf } from "../../inference/load-model.ts";
import type { Device } from "../../kernels/device/device.ts";
import { requireWeightsFile } from "../../weights/open-weights.ts";
import { runPaths } from "../run/run-folder.ts";
import { loadCheckpoint } from "./checkpoint.ts";

/** The checkpoints of a run folder that can be asked for. */
export const CHECKPOINTS = ["best", "last"] as const;
export type CheckpointName = (typeof CHECKPOINTS)[number];

/** The checkpoint meant by a run folder (`best`, else `last`, or the one asked for) or by a file's path. */
export function checkpointPath(run: string, which?: CheckpointName): string {
  if (!existsSync(run)) throw new UsageError(`${run} does not exist: give a run folder or a .safetensors checkpoint`);
  if (!statSync(run).isDirectory()) {
    requireWeightsFile(run);
    return run;
  }
  const paths = runPaths(run);
  const wanted = (which === undefined ? CHECKPOINTS : [which]).map((name) => paths[name]);
  const found = wanted.find((path) => existsSync(path));
  if (!found) throw new UsageError(`${run} has no checkpoint (${wanted.join(" or ")}): train it first`);
  return found;
}

/** The run folder of a checkpoint: the one above `checkpoints/`, for a file elsewhere the folder it lies in. */
export function runOf(checkpoint: string): string {
  const folder = dirname(checkpoint);
  return existsSync(runPaths(dirname(folder)).config) ? dirname(folder) : folder;
}

/** Puts the network of a checkpoint's file on a device. */
export async function loadNetwork(device: Device, path: string): Promise<LoadedModel> {
  return modelOf(device, await loadCheckpoint(path));
}
