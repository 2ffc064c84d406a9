import { CheckpointError } from "../errors.ts";
import { BYTES_PER_ELEMENT, type Dtype, type ElementReader, FLOAT_READERS, INTEGER_READERS } from "./dtypes.ts";
import { checkLength, elements, encodeHeader, headerLength, parseHeader, START_BYTES } from "./safetensors-header.ts";
import { damaged, openSeal, sha256 } from "./seal.ts";

/** One tensor as stored: row-major little-endian elements, `bytes.length === product(shape) * bytes per element`. */
export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface SafetensorsContents {
  readonly metadata: Map<string, string>;
  readonly tensors: Map<string, StoredTensor>;
}

/** What a file holds; `sealed` says that a seal was there and fits every byte. */
export interface SealedContents extends SafetensorsContents {
  readonly sealed: boolean;
}

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
 * Parses a whole safetensors container (huggingface.co/docs/safetensors) in memory: u64 little-endian header length, a
 * JSON header, then the raw little-endian tensors back to back. Tensors are views into `bytes`; `label` names the file
 * in messages. Reading is strict: throws CheckpointError for a file that is not exactly what its header says.
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

/** As {@link parseSafetensors}, with the file's seal checked where it has one: CheckpointError where a bit differs. */
export async function parseSealed(bytes: Uint8Array, label: string): Promise<SealedContents> {
  const contents = parseSafetensors(bytes, label);
  const dataStart = 8 + headerLength(bytes.subarray(0, START_BYTES), bytes.length, label);
  const dataDigest = await openSeal(bytes.subarray(0, dataStart), contents.metadata, label);
  const sealed = dataDigest !== undefined;
  if (sealed && (await sha256(bytes.subarray(dataStart))) !== dataDigest) throw damaged(label);
  return { ...contents, sealed };
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
