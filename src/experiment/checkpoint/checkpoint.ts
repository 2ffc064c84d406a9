import { crc32 } from "node:zlib";
import {
  CHECKPOINT_FORMAT,
  type Checkpoint,
  checkpointOf,
  isCheckpoint,
  OLD_CHECKPOINT_FORMAT,
  requireFormat,
} from "../../inference/checkpoint/checkpoint.ts";
import { type CheckpointFacts, parseFacts } from "../../inference/checkpoint/facts.ts";
import { readWeights, type WeightsFile } from "../../weights/read-weights.ts";
import type { StoredTensor } from "../../weights/safetensors.ts";
import { readSafetensors, readSafetensorsMetadata, writeSafetensors } from "../../weights/safetensors-file.ts";
import { damaged } from "../../weights/seal.ts";

/** Under this name a file's metadata hold its model card, where it has one. */
export const CARD_KEY = "model_card";

/**
 * Writes a checkpoint atomically, sealed, with a model card where one is given. The bytes are a function of state, facts and
 * card: no times, no paths. Throws CheckpointError for facts that could not be read again.
 */
export async function saveCheckpoint(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  facts: CheckpointFacts,
  card?: string,
): Promise<void> {
  const text = JSON.stringify(facts);
  parseFacts(path, text);
  const metadata = new Map([
    ["format", CHECKPOINT_FORMAT],
    ["facts", text],
    ...(card === undefined ? [] : [[CARD_KEY, card] as const]),
  ]);
  await writeSafetensors(path, tensors, metadata, { sealed: true });
}

/**
 * Reads a checkpoint of ours and checks it whole: every bit of the file, and what it says of itself. Throws
 * CheckpointError that says what is wrong with the file.
 */
export async function loadCheckpoint(path: string): Promise<Checkpoint> {
  return checkpointOf(path, await readSafetensors(path));
}

/** What a checkpoint says of itself, checked, without its numbers: quick, and its numbers may be damaged. */
export async function readFacts(path: string): Promise<CheckpointFacts> {
  const { metadata, sealed } = await readSafetensorsMetadata(path);
  requireFormat(path, metadata, sealed);
  return parseFacts(path, metadata.get("facts"));
}

/** As `readWeights`, and what says that it is a checkpoint of ours must be a whole one. */
export async function readTrustedWeights(path: string): Promise<WeightsFile> {
  const file = await readWeights(path);
  if (isCheckpoint(file.metadata)) requireFormat(path, file.metadata, file.sealed);
  return file;
}

/**
 * A checkpoint of an older svanet, which is then to be saved anew; undefined for any other file. Throws CheckpointError
 * where its tensors are damaged.
 */
export async function loadOldCheckpoint(path: string): Promise<Checkpoint | undefined> {
  const { metadata, tensors } = await readWeights(path);
  if (metadata.get("format") !== OLD_CHECKPOINT_FORMAT) return undefined;
  let sum = 0;
  for (const { bytes } of tensors.values()) sum = crc32(bytes, sum);
  if (metadata.get("crc32") !== sum.toString(16).padStart(8, "0")) throw damaged(path);
  return { path, facts: parseFacts(path, metadata.get("facts")), tensors };
}
