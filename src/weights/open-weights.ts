import { type FileHandle, open } from "node:fs/promises";
import { CheckpointError } from "../errors.ts";
import { requireRegularFile } from "../files/regular.ts";

/** Opens a file of tensors to be read. Throws CheckpointError where it is a pipe, socket, device or folder. */
export function openWeights(path: string): Promise<FileHandle> {
  requireWeightsFile(path);
  return open(path, "r");
}

/** The check of {@link openWeights} alone, for commands that have other work to do before they read. */
export function requireWeightsFile(path: string): void {
  requireRegularFile(path, (sentence) => new CheckpointError(sentence));
}
