import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { CheckpointError } from "../errors.ts";
import type { SafetensorsContents, StoredTensor } from "./safetensors.ts";
import {
  checkLength,
  encodeHeader,
  headerLength,
  parseHeader,
  type Sources,
  START_BYTES,
} from "./safetensors-header.ts";
import { addToDigest, closeSeal, damaged, newDigest, openSeal, withBlankSeal } from "./seal.ts";

/** What a file holds; `sealed` says that a seal was there and fits every byte. */
export interface FileContents extends SafetensorsContents {
  readonly sealed: boolean;
}

/** One read or write call moves at most this much: Node refuses 2 GiB and more. */
const CHUNK_BYTES = 1 << 28;

async function readExactly(handle: FileHandle, position: number, length: number, label: string): Promise<Uint8Array> {
  const out = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(out, done, Math.min(CHUNK_BYTES, length - done), position + done);
    if (bytesRead === 0) throw new CheckpointError(`${label} became shorter while it was read.`);
    done += bytesRead;
  }
  return out;
}

async function readHeader(handle: FileHandle, path: string) {
  const { size } = await handle.stat();
  const start = await readExactly(handle, 0, Math.min(START_BYTES, size), path);
  const length = headerLength(start, size, path);
  const header = await readExactly(handle, 0, 8 + length, path);
  const parsed = parseHeader(header.subarray(8), size - header.length, path);
  return { ...parsed, dataStart: header.length, dataDigest: openSeal(header, parsed.metadata, path) };
}

async function readOpened(handle: FileHandle, path: string): Promise<FileContents> {
  const { metadata, entries, dataStart, dataDigest } = await readHeader(handle, path);
  const sealed = dataDigest !== undefined;
  const digest = newDigest();
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const bytes = await readExactly(handle, dataStart + begin, end - begin, path);
    if (sealed) addToDigest(digest, bytes);
    tensors.set(name, { dtype, shape, bytes });
  }
  if (sealed && digest.digest("hex") !== dataDigest) throw damaged(path);
  return { metadata, tensors, sealed };
}

function explain(error: unknown, action: string): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  if (error.code === "ENOENT") return new CheckpointError(`${action}: no such file or folder.`, { cause: error });
  return new CheckpointError(`${action}: ${error.message}`, { cause: error });
}

/**
 * Reads a file of any size, every tensor into its own aligned memory, and checks its seal where it has one. Throws
 * CheckpointError naming the file.
 */
export async function readSafetensors(path: string): Promise<FileContents> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    return await readOpened(handle, path);
  } catch (error) {
    throw explain(error, `${path} cannot be read`);
  } finally {
    await handle?.close();
  }
}

/** The metadata of a file without its tensors: `sealed` speaks of the header alone. Throws as readSafetensors does. */
export async function readSafetensorsMetadata(path: string): Promise<Pick<FileContents, "metadata" | "sealed">> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    const { metadata, dataDigest } = await readHeader(handle, path);
    return { metadata, sealed: dataDigest !== undefined };
  } catch (error) {
    throw explain(error, `${path} cannot be read`);
  } finally {
    await handle?.close();
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(CHUNK_BYTES, bytes.length - done));
    done += bytesWritten;
  }
}

async function writeDurably(
  path: string,
  tensors: Sources,
  metadata: ReadonlyMap<string, string>,
  sealed: boolean,
): Promise<void> {
  const header = encodeHeader(tensors, sealed ? withBlankSeal(metadata) : metadata);
  const digest = newDigest();
  const handle = await open(path, "w");
  try {
    await writeAll(handle, header);
    for (const [name, tensor] of tensors) {
      const bytes = typeof tensor.bytes === "function" ? await tensor.bytes() : tensor.bytes;
      checkLength(name, tensor, bytes);
      if (sealed) addToDigest(digest, bytes);
      await writeAll(handle, bytes);
    }
    if (sealed) {
      closeSeal(header, digest);
      await handle.write(header, 0, header.length, 0);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a rename in the folder survive a power cut. Windows cannot open folders and needs no such step. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Writes a file atomically: after a crash at any moment the path holds the old file or the new one, whole. Tensors are
 * written one after another in the order given, so only one lazily produced tensor is in memory at a time. The sibling
 * `<path>.partial` is used meanwhile; a left-over one is overwritten. Two writers of one path must not run at once.
 * `sealed` adds checksums of header and data to the metadata, which reading checks.
 */
export async function writeSafetensors(
  path: string,
  tensors: Sources,
  metadata: ReadonlyMap<string, string> = new Map(),
  { sealed = false }: { readonly sealed?: boolean } = {},
): Promise<void> {
  const partial = `${path}.partial`;
  try {
    await writeDurably(partial, tensors, metadata, sealed);
    await rename(partial, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await unlink(partial).catch(() => undefined);
    throw explain(error, `${path} cannot be written`);
  }
}
