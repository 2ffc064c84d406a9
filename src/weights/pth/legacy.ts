import { CheckpointError } from "../../errors.ts";
import { BYTES_PER_ELEMENT } from "../dtypes.ts";
import { type PickleRules, PickleShortage, readPickle } from "./pickle.ts";
import { Dict, type Item, List, type Storage, StorageReference } from "./pickle-values.ts";
import type { ByteSource, PthParts } from "./source.ts";

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;
/** Pickles come first and are small beside the storages. */
const FIRST_READ = 2 ** 24;
const LONGEST_READ = 2 ** 29;

/**
 * Reads PyTorch's form before 1.6: pickles of a magic number, the protocol, facts about the machine, the object and
 * the keys of the storages; then each storage as its element count (i64) and its elements.
 */
export async function readLegacy(source: ByteSource, rules: PickleRules): Promise<PthParts> {
  // What the storages' sizes are is known only from the references to them.
  const types = new Map<string, Storage>();
  const noting: PickleRules = {
    ...rules,
    persistent(id) {
      const item = rules.persistent(id);
      if (item instanceof StorageReference && !types.has(item.storage.key)) types.set(item.storage.key, item.storage);
      return item;
    },
  };
  const { root, keys, end } = await readPickles(source, noting);
  const places = new Map<string, { readonly position: number; readonly bytes: number }>();
  let at = end;
  for (const key of keys) {
    const type = typeof key === "string" ? types.get(key) : undefined;
    if (!type) throw new CheckpointError(`${source.label} lists the storage ${String(key)}, which no tensor uses`);
    const head = await source.read(at, 8);
    const count = Number(new DataView(head.buffer, head.byteOffset, 8).getBigInt64(0, true));
    const bytes = count * BYTES_PER_ELEMENT[type.dtype];
    if (!(count >= 0) || at + 8 + bytes > source.size) {
      throw new CheckpointError(
        `${source.label} is truncated: the storage ${type.key} of ${count} elements is not whole`,
      );
    }
    places.set(type.key, { position: at + 8, bytes });
    at += 8 + bytes;
  }
  return {
    root,
    async storage({ key, dtype, count, offset }) {
      const place = places.get(key);
      const wanted = (count + offset) * BYTES_PER_ELEMENT[dtype];
      if (!place || place.bytes < wanted) {
        throw new CheckpointError(
          `${source.label}: the storage ${key} needs ${wanted} bytes, the file has ${place?.bytes ?? 0}`,
        );
      }
      return source.read(place.position, place.bytes);
    },
  };
}

interface Pickles {
  readonly root: Item;
  readonly keys: readonly Item[];
  readonly end: number;
}

async function readPickles(source: ByteSource, rules: PickleRules): Promise<Pickles> {
  const length = Math.min(source.size, FIRST_READ);
  try {
    return parsePickles(await source.read(0, length), source.label, rules);
  } catch (error) {
    if (!(error instanceof PickleShortage) || length === source.size) throw error;
    return parsePickles(await source.read(0, Math.min(source.size, LONGEST_READ)), source.label, rules);
  }
}

function parsePickles(bytes: Uint8Array, label: string, rules: PickleRules): Pickles {
  if (bytes[0] !== 0x80) throw foreign(label, bytes);
  let at = 0;
  const next = (): Item => {
    const { value, end } = readPickle(bytes, at, rules);
    at = end;
    return value;
  };
  if (next() !== MAGIC) throw foreign(label, bytes);
  const protocol = next();
  if (protocol !== PROTOCOL) throw new CheckpointError(`${label} has the format ${String(protocol)}, not ${PROTOCOL}`);
  const machine = next();
  if (machine instanceof Dict && machine.entries.get("little_endian") === false) {
    throw new CheckpointError(`${label} was written on a big-endian machine; only little-endian files are read`);
  }
  const root = next();
  const keys = next();
  if (!(keys instanceof List)) throw new CheckpointError(`${label} does not list its storages`);
  return { root, keys: keys.items, end: at };
}

function foreign(label: string, bytes: Uint8Array): CheckpointError {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, 512));
  if (text.startsWith("version https://git-lfs")) {
    return new CheckpointError(`${label} is a Git LFS pointer, not the file itself; fetch it with "git lfs pull"`);
  }
  if (/^\s*</.test(text))
    return new CheckpointError(`${label} is a web page: the download did not give the file itself`);
  return new CheckpointError(`${label} is no PyTorch file: it begins neither as a zip archive nor as its older form`);
}
