import { CheckpointError } from "../../errors.ts";
import { BYTES_PER_ELEMENT } from "../dtypes.ts";
import { type PickleRules, readPickle } from "./pickle.ts";
import type { ByteSource, PthParts } from "./source.ts";
import { readDirectory, readEntry, type ZipDirectory } from "./zip.ts";

/**
 * Reads PyTorch's form since 1.6: a zip archive of one pickle and an entry a storage. Throws CheckpointError for an archive
 * that PyTorch did not write, a TorchScript program, another byte order and entries that are too small.
 */
export async function readZipped(source: ByteSource, rules: PickleRules): Promise<PthParts> {
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
