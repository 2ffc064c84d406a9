import { crc32 } from "node:zlib";
import type { Window } from "../../data/formats/window.ts";
import { CheckpointError } from "../../errors.ts";
import { checked, type NetworkConfig } from "../../model/zoo.ts";
import { nearestName } from "../../nearest.ts";
import type { Network } from "../../training/network.ts";
import type { Trainer } from "../../training/trainer.ts";
import { float32, int32, type StoredTensor, storeFloat32, storeInt32 } from "../../weights/safetensors.ts";
import { readSafetensors, readSafetensorsMetadata, writeSafetensors } from "../../weights/safetensors-file.ts";

const FORMAT = "svanet checkpoint 1";

/** What travels with the weights: enough to evaluate and predict without the training data or command line. */
export interface CheckpointFacts {
  readonly preset: string;
  readonly config: NetworkConfig;
  /** Class names by label, background first. */
  readonly classes: readonly string[];
  readonly colours: readonly (readonly [number, number, number])[];
  /** Per-channel mean and standard deviation of pixels in [0, 1] that images are normalised with. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  /** What the training scans were shown through, in their own values (CT: Hounsfield units); where one is known. */
  readonly window?: Window;
  /** Where training stands: steps done, and the recipe a resumed run must share. */
  readonly progress: Progress;
}

export interface Progress {
  readonly step: number;
  readonly epoch: number;
  readonly stepInEpoch: number;
  /** Best micro mIoU on the validation split so far, percent; null before the first validation. */
  readonly best: number | null;
  readonly bestEpoch: number | null;
  /** The recipe without paths, as text: two runs with equal recipes and data are the same run. */
  readonly recipe: string;
}

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

/** Writes a checkpoint atomically. The bytes are a function of state and facts: no times, no paths. */
export async function saveCheckpoint(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  facts: CheckpointFacts,
): Promise<void> {
  const metadata = new Map([
    ["format", FORMAT],
    ["facts", JSON.stringify(facts)],
    ["crc32", checksum(tensors)],
  ]);
  await writeSafetensors(path, tensors, metadata);
}

/** Safetensors has no checksum of its own, and a flipped bit in a weight is otherwise never noticed. */
function checksum(tensors: ReadonlyMap<string, StoredTensor>): string {
  let sum = 0;
  for (const { bytes } of tensors.values()) sum = crc32(bytes, sum);
  return sum.toString(16).padStart(8, "0");
}

/** Reads a checkpoint of ours and checks it whole. Throws CheckpointError that says what is wrong with the file. */
export async function loadCheckpoint(path: string): Promise<Checkpoint> {
  const { metadata, tensors } = await readSafetensors(path);
  requireFormat(path, metadata);
  if (metadata.get("crc32") !== checksum(tensors)) {
    throw new CheckpointError(`${path} is damaged: its checksum does not match its contents; use another checkpoint`);
  }
  return { path, facts: parseFacts(path, metadata.get("facts")), tensors };
}

/** What a checkpoint says of itself, without its numbers: quick, and its numbers may be damaged. */
export async function readFacts(path: string): Promise<CheckpointFacts> {
  const metadata = await readSafetensorsMetadata(path);
  requireFormat(path, metadata);
  return parseFacts(path, metadata.get("facts"));
}

/** Whether a safetensors file with these metadata is a checkpoint of ours. */
export function isCheckpoint(metadata: ReadonlyMap<string, string>): boolean {
  return metadata.get("format") === FORMAT;
}

function requireFormat(path: string, metadata: ReadonlyMap<string, string>): void {
  if (isCheckpoint(metadata)) return;
  throw new CheckpointError(
    `${path} is a safetensors file but no svanet checkpoint (format ${metadata.get("format") ?? "not given"}, expected ` +
      `"${FORMAT}"): give a file from a run's checkpoints folder, or make one of it with ` +
      `svanet convert ${path} --model <name> --classes <n> --out net.safetensors`,
  );
}

function parseFacts(path: string, text: string | undefined): CheckpointFacts {
  try {
    const facts = JSON.parse(text ?? "") as CheckpointFacts;
    // Checkpoints from before there were other networks do not say of which kind theirs is.
    return { ...facts, config: checked({ ...facts.config, kind: facts.config.kind ?? "svanet" } as NetworkConfig) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CheckpointError(`${path} does not say which network it holds: ${why}`);
  }
}

/** Gives a network the checkpoint's weights, statistics and region maps. All mismatches are listed at once. */
export function restoreNetwork(network: Network, checkpoint: Checkpoint): void {
  const problems = mismatches(network, checkpoint);
  if (problems.length > 0) {
    throw new CheckpointError(`${checkpoint.path} does not fit the network: ${problems.join("; ")}`);
  }
  for (const { name, kind } of network.table.list()) {
    const stored = checkpoint.tensors.get(name);
    if (!stored) continue;
    if (kind === "region") network.regions.set(name, int32(stored));
    else network.write(name, float32(stored));
  }
}

function mismatches(network: Network, { tensors }: Checkpoint): string[] {
  const entries = network.table.list();
  const known = entries.map(({ name }) => name);
  const wrong = entries.flatMap(({ name, shape }) => {
    const stored = tensors.get(name);
    if (!stored) return [`missing ${name} [${shape}]`];
    return stored.shape.join() === shape.join() ? [] : [`${name} is [${stored.shape}], not [${shape}]`];
  });
  const unknown = [...tensors.keys()].filter((name) => !network.table.has(name) && !name.startsWith("optimizer."));
  return [
    ...wrong,
    ...unknown.map((name) => {
      const near = nearestName(name, known);
      return `unknown ${name}${near ? ` (nearest: ${near})` : ""}`;
    }),
  ];
}
