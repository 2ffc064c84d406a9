import { CheckpointError } from "../errors.ts";
import { BYTES_PER_ELEMENT, type Dtype } from "./dtypes.ts";

/** A tensor to be written whose bytes may be produced only when its turn comes, so that a state never lies in memory twice. */
interface TensorSource {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array | (() => Uint8Array | Promise<Uint8Array>);
}

interface Entry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

interface Header {
  readonly metadata: Map<string, string>;
  /** In the order of the data. */
  readonly entries: readonly Entry[];
}

/** The format's own limit; a larger length means that the file is something else. */
const MAX_HEADER_BYTES = 100_000_000;
/** Enough bytes for the length field and for recognising foreign files. */
export const START_BYTES = 32;

/** Number of elements of a shape; 1 for a scalar. */
export function elements(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((side) => Number.isSafeInteger(side) && side >= 0);
}

function isDtype(value: unknown): value is Dtype {
  return typeof value === "string" && Object.hasOwn(BYTES_PER_ELEMENT, value);
}

function parseMetadata(value: unknown, label: string): Map<string, string> {
  if (!isRecord(value)) throw new CheckpointError(`${label}: "__metadata__" is not an object of texts.`);
  const metadata = new Map<string, string>();
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw new CheckpointError(`${label}: the metadata entry "${key}" is not a text.`);
    metadata.set(key, text);
  }
  return metadata;
}

function parseEntry(name: string, value: unknown, label: string): Entry {
  const where = `${label}: tensor "${name}"`;
  if (!isRecord(value)) throw new CheckpointError(`${where} is not described by an object.`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) throw new CheckpointError(`${where} has the unknown type ${JSON.stringify(dtype)}.`);
  if (!isSizes(shape)) throw new CheckpointError(`${where} has the invalid shape ${JSON.stringify(shape)}.`);
  const [begin, end] = isSizes(offsets) && offsets.length === 2 ? offsets : [];
  if (begin === undefined || end === undefined || end < begin) {
    throw new CheckpointError(`${where} has the invalid data offsets ${JSON.stringify(offsets)}.`);
  }
  const needed = elements(shape) * BYTES_PER_ELEMENT[dtype];
  if (needed !== end - begin) {
    throw new CheckpointError(
      `${where} of type ${dtype} and shape [${shape.join(", ")}] needs ${needed} bytes, but its offsets hold ${end - begin}.`,
    );
  }
  return { name, dtype, shape, begin, end };
}

/** Tensors must cover the data without holes or overlaps, first byte to last. */
function checkCoverage(entries: readonly Entry[], dataBytes: number, label: string): void {
  let position = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== position) {
      const kind = begin > position ? "leaves a hole before it" : "overlaps another tensor";
      throw new CheckpointError(
        `${label}: tensor "${name}" starts at byte ${begin}, expected ${position}: it ${kind}.`,
      );
    }
    if (end > dataBytes) {
      throw new CheckpointError(
        `${label}: tensor "${name}" ends at byte ${end} of the data, but the file holds only ${dataBytes}: it is truncated.`,
      );
    }
    position = end;
  }
  if (position !== dataBytes) {
    throw new CheckpointError(`${label}: ${dataBytes - position} bytes after the last tensor belong to no tensor.`);
  }
}

/**
 * Parses the JSON header of the safetensors format with every check the format allows; `dataBytes` is what the file
 * holds after it. Throws CheckpointError.
 */
export function parseHeader(text: Uint8Array, dataBytes: number, label: string): Header {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
  } catch {
    throw new CheckpointError(`${label} is not a safetensors file: its header is not valid JSON.`);
  }
  if (!isRecord(parsed)) throw new CheckpointError(`${label}: the header is not a JSON object.`);
  let metadata = new Map<string, string>();
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(parsed)) {
    if (name === "__metadata__") metadata = parseMetadata(value, label);
    else entries.push(parseEntry(name, value, label));
  }
  entries.sort((one, two) => one.begin - two.begin || one.end - two.end);
  checkCoverage(entries, dataBytes, label);
  return { metadata, entries };
}

/** Checks the first bytes of a file and returns the length of its JSON header. */
export function headerLength(start: Uint8Array, fileBytes: number, label: string): number {
  const text = new TextDecoder("latin1").decode(start);
  if (text.startsWith("version https://git-lfs")) {
    throw new CheckpointError(`${label} is a Git LFS pointer, not the file itself; fetch it with "git lfs pull".`);
  }
  if (text.startsWith("PK\x03\x04")) {
    throw new CheckpointError(
      `${label} is a zip archive (PyTorch's format?), not a safetensors file; svanet convert makes one of it.`,
    );
  }
  if (fileBytes < 8) throw new CheckpointError(`${label} is not a safetensors file: it has only ${fileBytes} bytes.`);
  const length = Number(new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES) {
    throw new CheckpointError(`${label} is not a safetensors file: it announces a header of ${length} bytes.`);
  }
  if (8 + length > fileBytes) {
    throw new CheckpointError(
      `${label} is truncated: the header needs ${8 + length} bytes, the file has ${fileBytes}.`,
    );
  }
  return length;
}

export type Sources = ReadonlyMap<string, TensorSource>;

/** Length field and padded JSON header of a file with these tensors in this order. */
export function encodeHeader(tensors: Sources, metadata: ReadonlyMap<string, string>): Uint8Array {
  const fields: string[] = [];
  const field = (name: string, json: string): number => fields.push(`${JSON.stringify(name)}:${json}`);
  const texts = [...metadata].map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`);
  if (texts.length > 0) field("__metadata__", `{${texts.join(",")}}`);
  let position = 0;
  for (const [name, { dtype, shape }] of tensors) {
    if (name === "__metadata__") throw new CheckpointError('A tensor cannot be named "__metadata__".');
    const end = position + elements(shape) * BYTES_PER_ELEMENT[dtype];
    field(name, JSON.stringify({ dtype, shape, data_offsets: [position, end] }));
    position = end;
  }
  const text = new TextEncoder().encode(`{${fields.join(",")}}`);
  if (text.length > MAX_HEADER_BYTES) throw new CheckpointError(`The header would take ${text.length} bytes.`);
  // Spaces up to a multiple of 8 keep the data aligned.
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(text, 8);
  return header;
}

/** Throws CheckpointError when the bytes to be written do not fit type and shape. */
export function checkLength(name: string, { dtype, shape }: TensorSource, bytes: Uint8Array): void {
  const needed = elements(shape) * BYTES_PER_ELEMENT[dtype];
  if (bytes.length !== needed) {
    throw new CheckpointError(
      `Tensor "${name}" of type ${dtype} and shape [${shape.join(", ")}] needs ${needed} bytes, got ${bytes.length}.`,
    );
  }
}
