/**
 * The safetensors container (huggingface.co/docs/safetensors): u64 little-endian header length, a JSON header, then the
 * raw little-endian tensors back to back. Reading is strict: a file that is not exactly what its header says is refused.
 */
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { CheckpointError } from "../errors.ts";
import { BYTES_PER_ELEMENT, type Dtype, type ElementReader, FLOAT_READERS, INTEGER_READERS } from "./dtypes.ts";
import {
  checkLength,
  elements,
  encodeHeader,
  headerLength,
  parseHeader,
  type Sources,
  START_BYTES,
} from "./safetensors-header.ts";

/** One tensor as stored: row-major little-endian elements, `bytes.length === product(shape) * bytes per element`. */
export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

interface SafetensorsContents {
  readonly metadata: Map<string, string>;
  readonly tensors: Map<string, StoredTensor>;
}

/** One read or write call moves at most this much: Node refuses 2 GiB and more. */
const CHUNK_BYTES = 1 << 28;

function convert<T extends Float32Array | Int32Array>(tensor: StoredTensor, read: ElementReader, out: T): T {
  const view = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.byteLength);
  const step = BYTES_PER_ELEMENT[tensor.dtype];
  for (let i = 0; i < out.length; i++) out[i] = read(view, i * step);
  return out;
}

/** The elements as float32, row-major. Shares memory with the tensor where type and alignment allow; treat as read-only. */
export function float32(tensor: StoredTensor): Float32Array {
  const { bytes, dtype, shape } = tensor;
  if (dtype === "F32" && bytes.byteOffset % 4 === 0) {
    return new Float32Array(bytes.buffer, bytes.byteOffset, elements(shape));
  }
  const read = FLOAT_READERS[dtype] ?? INTEGER_READERS[dtype];
  if (!read) throw new CheckpointError(`No conversion from ${dtype} to 32-bit floats.`);
  return convert(tensor, read, new Float32Array(elements(shape)));
}

/**
 * The elements of an integer tensor as int32, row-major. Shares memory with the tensor where type and alignment allow.
 * Throws CheckpointError for a floating type and for values outside int32.
 */
export function int32(tensor: StoredTensor): Int32Array {
  const { bytes, dtype, shape } = tensor;
  if (dtype === "I32" && bytes.byteOffset % 4 === 0) {
    return new Int32Array(bytes.buffer, bytes.byteOffset, elements(shape));
  }
  const read = INTEGER_READERS[dtype];
  if (!read) throw new CheckpointError(`A tensor of type ${dtype} does not hold integers.`);
  const checked: ElementReader = (view, offset) => {
    const value = read(view, offset);
    if (value !== (value | 0)) throw new CheckpointError(`The value ${value} does not fit into 32 bits.`);
    return value;
  };
  return convert(tensor, checked, new Int32Array(elements(shape)));
}

/** A stored view of float32 values; shares their memory. */
export function storeFloat32(values: Float32Array, shape: readonly number[]): StoredTensor {
  return { dtype: "F32", shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/** A stored view of int32 values; shares their memory. */
export function storeInt32(values: Int32Array, shape: readonly number[]): StoredTensor {
  return { dtype: "I32", shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/**
 * Parses a whole file in memory; tensors are views into `bytes`. `label` names the file in messages.
 * Throws CheckpointError for anything that is not exactly one safetensors file.
 */
export function parseSafetensors(bytes: Uint8Array, label: string): SafetensorsContents {
  const length = headerLength(bytes.subarray(0, START_BYTES), bytes.length, label);
  const body = bytes.subarray(8 + length);
  const { metadata, entries } = parseHeader(bytes.subarray(8, 8 + length), body.length, label);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    tensors.set(name, { dtype, shape, bytes: body.subarray(begin, end) });
  }
  return { metadata, tensors };
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
  const text = await readExactly(handle, 8, length, path);
  return { ...parseHeader(text, size - 8 - length, path), length };
}

async function readOpened(handle: FileHandle, path: string): Promise<SafetensorsContents> {
  const { metadata, entries, length } = await readHeader(handle, path);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const bytes = await readExactly(handle, 8 + length + begin, end - begin, path);
    tensors.set(name, { dtype, shape, bytes });
  }
  return { metadata, tensors };
}

function explain(error: unknown, action: string): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  if (error.code === "ENOENT") return new CheckpointError(`${action}: no such file or folder.`, { cause: error });
  return new CheckpointError(`${action}: ${error.message}`, { cause: error });
}

/** Reads a file of any size, every tensor into its own aligned memory. Throws CheckpointError naming the file. */
export async function readSafetensors(path: string): Promise<SafetensorsContents> {
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

/** The metadata of a file, without its tensors. Throws CheckpointError as readSafetensors does. */
export async function readSafetensorsMetadata(path: string): Promise<Map<string, string>> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    const { metadata } = await readHeader(handle, path);
    return metadata;
  } catch (error) {
    throw explain(error, `${path} cannot be read`);
  } finally {
    await handle?.close();
  }
}

/**
 * A whole file in memory, tensors in the order given; equal input gives equal bytes. For small files: a state of
 * gigabytes goes through writeSafetensors.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array {
  const header = encodeHeader(tensors, metadata);
  const parts: Uint8Array[] = [header];
  for (const [name, tensor] of tensors) {
    checkLength(name, tensor, tensor.bytes);
    parts.push(tensor.bytes);
  }
  const out = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let position = 0;
  for (const part of parts) {
    out.set(part, position);
    position += part.length;
  }
  return out;
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(CHUNK_BYTES, bytes.length - done));
    done += bytesWritten;
  }
}

async function writeDurably(path: string, tensors: Sources, metadata: ReadonlyMap<string, string>): Promise<void> {
  const handle = await open(path, "w");
  try {
    await writeAll(handle, encodeHeader(tensors, metadata));
    for (const [name, tensor] of tensors) {
      const bytes = typeof tensor.bytes === "function" ? await tensor.bytes() : tensor.bytes;
      checkLength(name, tensor, bytes);
      await writeAll(handle, bytes);
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
 */
export async function writeSafetensors(
  path: string,
  tensors: Sources,
  metadata: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  const partial = `${path}.partial`;
  try {
    await writeDurably(partial, tensors, metadata);
    await rename(partial, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await unlink(partial).catch(() => undefined);
    throw explain(error, `${path} cannot be written`);
  }
}
