import { open } from "node:fs/promises";
import { CheckpointError } from "../errors.ts";
import { readPth } from "./pth/read-pth.ts";
import { readSafetensors, type StoredTensor } from "./safetensors.ts";

export interface WeightsFile {
  readonly tensors: Map<string, StoredTensor>;
  /** Of a safetensors file; empty for others. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Sentences on what was left out or changed while reading. */
  readonly notes: readonly string[];
}

/**
 * Reads tensors by name from a PyTorch file (zip or older form) or a safetensors file, whichever the first bytes say it
 * is. Throws CheckpointError naming the file.
 */
export async function readWeights(path: string): Promise<WeightsFile> {
  const start = await firstBytes(path);
  const zipped = start[0] === 0x50 && start[1] === 0x4b;
  // A safetensors file begins with the length of its header, so its third to eighth byte say it all but surely.
  const pickled = start[0] === 0x80 && (start[1] ?? 9) <= 5 && start[2] !== 0;
  const torch = zipped || pickled || /\.(pth|pt|bin|ckpt|tar)$/i.test(path);
  if (torch) return { ...(await readPth(path)), metadata: new Map() };
  return { ...(await readSafetensors(path)), notes: [] };
}

async function firstBytes(path: string): Promise<Uint8Array> {
  try {
    const handle = await open(path, "r");
    try {
      const { buffer, bytesRead } = await handle.read(new Uint8Array(8), 0, 8, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CheckpointError(`${path} cannot be read: ${why}`, { cause: error });
  }
}
