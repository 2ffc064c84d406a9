import { crc32 } from "node:zlib";
import { CheckpointError } from "../../errors.ts";
import type { ParameterTable } from "../../model/parameters.ts";
import { nearestName } from "../../nearest.ts";
import type { Network } from "../../training/network.ts";
import type { Trainer } from "../../training/trainer.ts";
import { readWeights, type WeightsFile } from "../../weights/read-weights.ts";
import { float32, int32, type StoredTensor, storeFloat32, storeInt32 } from "../../weights/safetensors.ts";
import { readSafetensors, readSafetensorsMetadata, writeSafetensors } from "../../weights/safetensors-file.ts";
import { damaged } from "../../weights/seal.ts";
import { type CheckpointFacts, parseFacts } from "./facts.ts";

/** Its number changes when an older version could read a newer file wrongly. */
const FORMAT = "svanet checkpoint 2";
/** Before seals: a CRC-32 of the tensors' bytes alone. `svanet convert` reads it, nothing else does. */
const OLD_FORMAT = "svanet checkpoint 1";

/** Mismatches that a message names. */
const MOST_LISTED = 20;

export interface Checkpoint {
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
    ["format", FORMAT],
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
  const { metadata, tensors, sealed } = await readSafetensors(path);
  requireFormat(path, metadata, sealed);
  return { path, facts: parseFacts(path, metadata.get("facts")), tensors };
}

/** What a checkpoint says of itself, checked, without its numbers: quick, and its numbers may be damaged. */
export async function readFacts(path: string): Promise<CheckpointFacts> {
  const { metadata, sealed } = await readSafetensorsMetadata(path);
  requireFormat(path, metadata, sealed);
  return parseFacts(path, metadata.get("facts"));
}

/** Whether a safetensors file with these metadata is a checkpoint of ours, of whatever format. */
export function isCheckpoint(metadata: ReadonlyMap<string, string>): boolean {
  return metadata.get("format")?.startsWith("svanet checkpoint") === true;
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
  if (metadata.get("format") !== OLD_FORMAT) return undefined;
  let sum = 0;
  for (const { bytes } of tensors.values()) sum = crc32(bytes, sum);
  if (metadata.get("crc32") !== sum.toString(16).padStart(8, "0")) throw damaged(path);
  return { path, facts: parseFacts(path, metadata.get("facts")), tensors };
}

function requireFormat(path: string, metadata: ReadonlyMap<string, string>, sealed: boolean): void {
  const format = metadata.get("format");
  if (format === FORMAT && sealed) return;
  if (format === FORMAT) {
    throw new CheckpointError(`${path} is damaged: it has lost its checksum; use another checkpoint`);
  }
  if (format === OLD_FORMAT) {
    throw new CheckpointError(
      `${path} is a checkpoint of an older svanet, whose checksum does not cover all of it; write it anew with ` +
        `svanet convert ${path} --out ${path}`,
    );
  }
  if (isCheckpoint(metadata)) {
    throw new CheckpointError(
      `${path} is a checkpoint of a newer svanet (${format}, here ${FORMAT}): install that one`,
    );
  }
  throw new CheckpointError(
    `${path} is a safetensors file but no svanet checkpoint (format ${format ?? "not given"}, expected ` +
      `"${FORMAT}"): give a file from a run's checkpoints folder, or make one of it with ` +
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
