import { createHash, type Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { CheckpointError } from "../errors.ts";
import { AtomicFile } from "../files/atomic.ts";
import { openWeights } from "./open-weights.ts";
import type { SealedContents, StoredTensor } from "./safetensors.ts";
import {
  checkLength,
  encodeHeader,
  headerLength,
  parseHeader,
  type Sources,
  START_BYTES,
} from "./safetensors-header.ts";
import { closeSeal, damaged, openSeal, withBlankSeal } from "./seal.ts";

/** One call reads or hashes at most this much: Node refuses 2 GiB and more. */
const CHUNK_BYTES = 1 << 28;

/** The digest of data that never lies in memory as a whole. */
const newDigest = (): Hash => createHash("sha256");

function addToDigest(digest: Hash, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) digest.update(bytes.subarray(at, at + CHUNK_BYTES));
}

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
  return { ...parsed, dataStart: header.length, dataDigest: await openSeal(header, parsed.metadata, path) };
}

async function readOpened(handle: FileHandle, path: string): Promise<SealedContents> {
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
export async function readSafetensors(path: string): Promise<SealedContents> {
  let handle: FileHandle | undefined;
  try {
    handle = await openWeights(path);
    return await readOpened(handle, path);
  } catch (error) {
    throw explain(error, `${path} cannot be read`);
  } finally {
    await handle?.close();
  }
}

/** The metadata of a file without its tensors: `sealed` speaks of the header alone. Throws as readSafetensors does. */
export async function readSafetensorsMetadata(path: string): Promise<Pick<SealedContents, "metadata" | "sealed">> {
  let handle: FileHandle | undefined;
  try {
    handle = await openWeights(path);
    const { metadata, dataDigest } = await readHeader(handle, path);
    return { metadata, sealed: dataDigest !== undefined };
  } catch (error) {
    throw explain(error, `${path} cannot be read`);
  } finally {
    await handle?.close();
  }
}

async function writeTo(
  file: AtomicFile,
  tensors: Sources,
  metadata: ReadonlyMap<string, string>,
  sealed: boolean,
): Promise<void> {
  const header = encodeHeader(tensors, sealed ? withBlankSeal(metadata) : metadata);
  const digest = newDigest();
  file.append(header);
  for (const [name, tensor] of tensors) {
    const bytes = typeof tensor.bytes === "function" ? await tensor.bytes() : tensor.bytes;
    checkLength(name, tensor, bytes);
    if (sealed) addToDigest(digest, bytes);
    file.append(bytes);
  }
  if (sealed) {
    await closeSeal(header, digest.digest("hex"));
    file.rewriteStart(header);
  }
  file.finish();
}

/**
 * Writes a file atomically: after a crash at any moment the path holds the old file or the new one, whole. Tensors are
 * written one after another in the order given, so only one lazily produced tensor is in memory at a time. `sealed`
 * adds checksums of header and data to the metadata, which reading checks. Throws OutputError where the operating system
 * refuses.
 */
export async function writeSafetensors(
  path: string,
  tensors: Sources,
  metadata: ReadonlyMap<string, string> = new Map(),
  { sealed = false }: { readonly sealed?: boolean } = {},
): Promise<void> {
  const file = new AtomicFile(path);
  try {
    await writeTo(file, tensors, metadata, sealed);
  } catch (error) {
    file.discard();
    throw error;
  }
}
