/**
 * PyTorch's files of tensors: the zip form (torch 1.6 and later) and the older sequence of pickles. Nothing in a file is
 * executed, and no size is believed before it is checked.
 */
import { type FileHandle, open } from "node:fs/promises";
import { CheckpointError } from "../../errors.ts";
import { BYTES_PER_ELEMENT } from "../dtypes.ts";
import type { StoredTensor } from "../safetensors.ts";
import { knownGlobal, STORAGE_TYPES } from "./globals.ts";
import { readLegacy } from "./legacy.ts";
import { type PickleRules, readPickle } from "./pickle.ts";
import { type Item, Known, type Storage, StorageReference, type TensorReference, Tuple } from "./pickle-values.ts";
import { type ByteSource, fileSource } from "./source.ts";
import { findStateDict } from "./state-dict.ts";
import { CopyBudget, checkExtent, materialise } from "./tensors.ts";
import { readDirectory, readEntry, type ZipDirectory } from "./zip.ts";

interface PthContents {
  readonly tensors: Map<string, StoredTensor>;
  /** Sentences on what was left out or changed, such as a prefix of all names. */
  readonly notes: readonly string[];
}

/** What a form of the file gives: its value, and the bytes of a storage. */
export interface PthParts {
  readonly root: Item;
  storage(storage: Storage): Promise<Uint8Array>;
}

/** Reads a `.pth` or `.pt` file. Throws CheckpointError naming the file. */
export async function readPth(path: string): Promise<PthContents> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
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

async function readZipped(source: ByteSource, rules: PickleRules): Promise<PthParts> {
  const directory = await readDirectory(source);
  const pickle = [...directory.values()].find(({ name }) => /^[^/]*\/data\.pkl$/.test(name));
  if (!pickle) throw new CheckpointError(`${source.label} is a zip archive without data.pkl: PyTorch did not write it`);
  const prefix = pickle.name.slice(0, -"data.pkl".length);
  await requireLittleEndian(source, directory, `${prefix}byteorder`);
  // A name that is refused says more than what follows it.
  const scripted = directory.has(`${prefix}constants.pkl`);
  if (scripted) {
    throw new CheckpointError(`${source.label} is a TorchScript program, not a state dict; save model.state_dict()`);
  }
  const { value } = readPickle(await readEntry(source, pickle), 0, rules);
  // Entries may not lie over each other, so together they are no larger than the file.
  let read = 0;
  return {
    root: value,
    async storage({ key, dtype, count, offset }) {
      const entry = directory.get(`${prefix}data/${key}`);
      if (!entry) throw new CheckpointError(`${source.label} has no data for the storage ${key}`);
      const wanted = (count + offset) * BYTES_PER_ELEMENT[dtype];
      read += entry.bytes;
      if (entry.bytes < wanted || read > source.size) {
        throw new CheckpointError(
          `${source.label}: the storage ${key} needs ${wanted} bytes of type ${dtype}, its entry has ${entry.bytes}`,
        );
      }
      return readEntry(source, entry);
    },
  };
}

async function requireLittleEndian(source: ByteSource, directory: ZipDirectory, name: string): Promise<void> {
  const entry = directory.get(name);
  if (!entry || entry.bytes > 16) return;
  const order = new TextDecoder().decode(await readEntry(source, entry));
  if (order === "little") return;
  throw new CheckpointError(
    `${source.label} was written on a machine of byte order "${order}"; only little-endian files are read`,
  );
}
