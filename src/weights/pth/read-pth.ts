import type { FileHandle } from "node:fs/promises";
import { CheckpointError } from "../../errors.ts";
import { openWeights } from "../open-weights.ts";
import type { StoredTensor } from "../safetensors.ts";
import { knownGlobal, STORAGE_TYPES } from "./globals.ts";
import { readLegacy } from "./legacy.ts";
import type { PickleRules } from "./pickle.ts";
import { type Item, Known, type Storage, StorageReference, type TensorReference, Tuple } from "./pickle-values.ts";
import { type ByteSource, fileSource, type PthParts } from "./source.ts";
import { findStateDict } from "./state-dict.ts";
import { CopyBudget, checkExtent, materialise } from "./tensors.ts";
import { readZipped } from "./zipped.ts";

interface PthContents {
  readonly tensors: Map<string, StoredTensor>;
  /** Sentences on what was left out or changed, such as a prefix of all names. */
  readonly notes: readonly string[];
}

/**
 * Reads a `.pth` or `.pt` file of tensors: the zip form (torch 1.6 and later) or the older sequence of pickles.
 * Nothing in a file is executed, and no size is believed before it is checked. Throws CheckpointError naming the file.
 */
export async function readPth(path: string): Promise<PthContents> {
  let handle: FileHandle | undefined;
  try {
    handle = await openWeights(path);
    return await parsePth(await fileSource(handle, path));
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    const why = error.code === "ENOENT" ? "no such file or folder" : error.message;
    throw new CheckpointError(`${path} cannot be read: ${why}`, { cause: error });
  } finally {
    await handle?.close();
  }
}

/** As {@link readPth}, from any source of bytes. */
export async function parsePth(source: ByteSource): Promise<PthContents> {
  const start = await source.read(0, Math.min(4, source.size));
  const zipped = start[0] === 0x50 && start[1] === 0x4b;
  const rules: PickleRules = {
    label: source.label,
    global: (module, name) => knownGlobal(source.label, module, name),
    persistent: (id) => new StorageReference(storageOf(source.label, id)),
  };
  const { root, storage } = zipped ? await readZipped(source, rules) : await readLegacy(source, rules);
  const { tensors, notes } = findStateDict(root, source.label);
  return { tensors: await readTensors(source, tensors, storage), notes };
}

async function readTensors(
  source: ByteSource,
  references: ReadonlyMap<string, TensorReference>,
  read: PthParts["storage"],
): Promise<Map<string, StoredTensor>> {
  const budget = new CopyBudget(source.label, source.size);
  const storages = new Map<string, Uint8Array>();
  const tensors = new Map<string, StoredTensor>();
  for (const [name, reference] of references) checkExtent(source.label, name, reference);
  for (const [name, reference] of references) {
    const { key } = reference.storage;
    const bytes = storages.get(key) ?? (await read(reference.storage));
    storages.set(key, bytes);
    tensors.set(name, materialise(name, reference, bytes, budget));
  }
  return tensors;
}

/** A persistent id: ("storage", class, key, place, elements), and in old files a view (key, offset, elements) of it. */
function storageOf(label: string, id: Item): Storage {
  const [kind, type, key, , count, view] = id instanceof Tuple ? id.items : [];
  const dtype = type instanceof Known ? STORAGE_TYPES[type.name] : undefined;
  if (kind !== "storage" || !dtype || typeof key !== "string" || !isCount(count)) {
    throw new CheckpointError(`${label}: a storage is not described as PyTorch does it`);
  }
  if (!(view instanceof Tuple)) return { key, dtype, count, offset: 0 };
  const [, offset, viewed] = view.items;
  if (!isCount(offset) || !isCount(viewed) || offset + viewed > count) {
    throw new CheckpointError(`${label}: a view of the storage ${key} does not fit it`);
  }
  return { key, dtype, count: viewed, offset };
}

function isCount(item: Item | undefined): item is number {
  return typeof item === "number" && Number.isSafeInteger(item) && item >= 0;
}
