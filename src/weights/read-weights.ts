import { extname } from "node:path";
import { CheckpointError } from "../errors.ts";
import { openWeights } from "./open-weights.ts";
import { stripPrefixes } from "./prefixes.ts";
import { readPth } from "./pth/read-pth.ts";
import type { StoredTensor } from "./safetensors.ts";
import { readSafetensors } from "./safetensors-file.ts";

export interface WeightsFile {
  readonly tensors: Map<string, StoredTensor>;
  /** Of a safetensors file; empty for others. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Whether it is a safetensors file with checksums, which then fit every byte. */
  readonly sealed: boolean;
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
  // A safetensors file is the eight bytes of a length, then JSON. What is neither is named by the reader of its ending.
  const json = start[8] === 0x7b;
  if (zipped || !(json || extname(path) === ".safetensors"))
    return { ...(await readPth(path)), metadata: new Map(), sealed: false };
  const { tensors, metadata, sealed } = await readSafetensors(path);
  const notes: string[] = [];
  return { tensors: stripPrefixes(tensors, notes), metadata, sealed, notes };
}

async function firstBytes(path: string): Promise<Uint8Array> {
  try {
    const handle = await openWeights(path);
    try {
      const { buffer, bytesRead } = await handle.read(new Uint8Array(9), 0, 9, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new CheckpointError(`${path} cannot be read: ${why}`, { cause: error });
  }
}
