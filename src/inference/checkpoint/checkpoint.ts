import { CheckpointError } from "../../errors.ts";
import type { ParameterTable } from "../../model/parameters.ts";
import { nearestName } from "../../nearest.ts";
import type { Network } from "../../training/network.ts";
import type { Trainer } from "../../training/trainer.ts";
import {
  float32,
  int32,
  parseSealed,
  type SealedContents,
  type StoredTensor,
  storeFloat32,
  storeInt32,
} from "../../weights/safetensors.ts";
import { type CheckpointFacts, parseFacts } from "./facts.ts";

/** Its number changes when an older version could read a newer file wrongly. */
export const CHECKPOINT_FORMAT = "svanet checkpoint 2";
/** Before seals: a CRC-32 of the tensors' bytes alone. `svanet convert` reads it, nothing else does. */
export const OLD_CHECKPOINT_FORMAT = "svanet checkpoint 1";

/** Mismatches that a message names. */
const MOST_LISTED = 20;

export interface Checkpoint {
  /** Names it in messages: its file, or what a program calls it. */
  readonly path: string;
  readonly facts: CheckpointFacts;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Weights, statistics and region maps of a network under their PyTorch names, in the order of declaration. */
export async function networkTensors(network: Network): Promise<Map<string, StoredTensor>> {
  const found = new Map([...(await network.read()), ...(await network.readStatistics())]);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, kind, shape } of network.table.list()) {
    const map = network.regions.get(name);
    const data = found.get(name);
    if (kind === "region" && map) tensors.set(name, storeInt32(map, shape));
    else if (data) tensors.set(name, storeFloat32(data, shape));
  }
  return tensors;
}

/** As {@link networkTensors}, with all that a resumed training goes on with. */
export async function trainerTensors(trainer: Trainer): Promise<Map<string, StoredTensor>> {
  const tensors = await networkTensors(trainer.network);
  for (const [name, { shape, data }] of await trainer.state()) {
    tensors.set(name, data instanceof Float32Array ? storeFloat32(data, shape) : storeInt32(data, shape));
  }
  return tensors;
}

/** Gives a trainer the optimizer's state of a checkpoint. CheckpointError where it has none. */
export function restoreTrainer(trainer: Trainer, { path, tensors }: Checkpoint): void {
  const find = (name: string): StoredTensor => {
    const found = tensors.get(name);
    if (found) return found;
    throw new CheckpointError(`${path} cannot continue training: ${name} is missing; resume from last.safetensors`);
  };
  trainer.restore({ floats: (name) => float32(find(name)), integers: (name) => int32(find(name)) });
}

/** Whether a safetensors file with these metadata is a checkpoint of ours, of whatever format. */
export function isCheckpoint(metadata: ReadonlyMap<string, string>): boolean {
  return metadata.get("format")?.startsWith("svanet checkpoint") === true;
}

/**
 * A checkpoint from the bytes of its file, checked whole: every bit of it, and what it says of itself. `label` names it in
 * messages. Throws CheckpointError that says what is wrong with it.
 */
export async function parseCheckpoint(bytes: Uint8Array, label: string): Promise<Checkpoint> {
  return checkpointOf(label, await parseSealed(bytes, label));
}

/** The checkpoint in a sealed file's contents. Throws CheckpointError where they are none of this format. */
export function checkpointOf(path: string, { metadata, tensors, sealed }: SealedContents): Checkpoint {
  requireFormat(path, metadata, sealed);
  return { path, facts: parseFacts(path, metadata.get("facts")), tensors };
}

/** Throws CheckpointError, naming the file, where it is no sealed checkpoint of this format. */
export function requireFormat(path: string, metadata: ReadonlyMap<string, string>, sealed: boolean): void {
  const format = metadata.get("format");
  if (format === CHECKPOINT_FORMAT && sealed) return;
  if (format === CHECKPOINT_FORMAT) {
    throw new CheckpointError(`${path} is damaged: it has lost its checksum; use another checkpoint`);
  }
  if (format === OLD_CHECKPOINT_FORMAT) {
    throw new CheckpointError(
      `${path} is a checkpoint of an older svanet, whose checksum does not cover all of it; write it anew with ` +
        `svanet convert ${path} --out ${path}`,
    );
  }
  if (isCheckpoint(metadata)) {
    throw new CheckpointError(
      `${path} is a checkpoint of a newer svanet (${format}, here ${CHECKPOINT_FORMAT}): install that one`,
    );
  }
  throw new CheckpointError(
    `${path} is a safetensors file but no svanet checkpoint (format ${format ?? "not given"}, expected ` +
      `"${CHECKPOINT_FORMAT}"): give a file from a run's checkpoints folder, or make one of it with ` +
      `svanet convert ${path} --model <name> --classes <n> --out net.safetensors`,
  );
}

/** Gives a network the checkpoint's weights, statistics and region maps. All mismatches are listed at once. */
export function restoreNetwork(network: Network, checkpoint: Checkpoint): void {
  requireFit(network.table, checkpoint);
  for (const { name, kind } of network.table.list()) {
    const stored = checkpoint.tensors.get(name);
    if (!stored) continue;
    if (kind === "region") network.regions.set(name, int32(stored));
    else network.write(name, float32(stored));
  }
}

/** Throws CheckpointError listing all that differs, where the tensors are not those of a network's table. */
export function requireFit(table: ParameterTable, { path, tensors }: Checkpoint): void {
  const problems = mismatches(table, tensors);
  if (problems.length === 0) return;
  const listed = problems.slice(0, MOST_LISTED).join("; ");
  const more = problems.length > MOST_LISTED ? `; and ${problems.length - MOST_LISTED} more` : "";
  throw new CheckpointError(`${path} does not fit the network: ${listed}${more}`);
}

function mismatches(table: ParameterTable, tensors: ReadonlyMap<string, StoredTensor>): string[] {
  const entries = table.list();
  const known = entries.map(({ name }) => name);
  const wrong = entries.flatMap(({ name, shape }) => {
    const stored = tensors.get(name);
    if (!stored) return [`missing ${name} [${shape}]`];
    return stored.shape.join() === shape.join() ? [] : [`${name} is [${stored.shape}], not [${shape}]`];
  });
  const unknown = [...tensors.keys()].filter((name) => !table.has(name) && !name.startsWith("optimizer."));
  return [
    ...wrong,
    ...unknown.map((name) => {
      const near = nearestName(name, known);
      return `unknown ${name}${near ? ` (nearest: ${near})` : ""}`;
    }),
  ];
}
