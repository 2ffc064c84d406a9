import { DataError } from "../../errors.ts";
import { elementCount, latin1, VALUE_TYPES, type ValueType } from "./values.ts";

export interface NpyHeader {
  readonly type: ValueType;
  readonly littleEndian: boolean;
  /** The first index runs fastest (Fortran), not the last (C). */
  readonly fortran: boolean;
  readonly shape: readonly number[];
  /** Byte of the first element, and bytes of all elements. */
  readonly dataOffset: number;
  readonly dataBytes: number;
}

/** Longest header accepted: real ones have 128 bytes. */
const LONGEST_NPY_HEADER = 65536 + 12;

const MAGIC = "\x93NUMPY";

const TYPES: Readonly<Record<string, ValueType>> = {
  ...{ b1: "uint8", u1: "uint8", i1: "int8", u2: "uint16", i2: "int16", u4: "uint32", i4: "int32" },
  ...{ u8: "uint64", i8: "int64", f2: "float16", f4: "float32", f8: "float64" },
};

const npyError = (file: string, what: string) =>
  new DataError(`${file}: the npy array is damaged or of a kind that is not read (${what})`);

/** Length of the whole header, from the first 12 bytes. */
export function npyHeaderLength(start: Uint8Array, file: string): number {
  if (start.length < 12 || latin1(start.subarray(0, MAGIC.length)) !== MAGIC) {
    throw npyError(file, "it does not start with the mark of NumPy's arrays");
  }
  const [major, minor] = [start[6] ?? 0, start[7] ?? 0];
  if (major < 1 || major > 3 || minor !== 0)
    throw npyError(file, `format version ${major}.${minor}, known are 1, 2 and 3`);
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const length = major === 1 ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
  if (length > LONGEST_NPY_HEADER) throw npyError(file, `a header of ${length} bytes`);
  return length;
}

function typeOf(descr: string, file: string): { type: ValueType; littleEndian: boolean } {
  const kind = descr.slice(1);
  const type = TYPES[kind];
  if (type === undefined) {
    const why = kind.startsWith("O")
      ? "Python objects, which are programs; save the numbers alone"
      : "numbers are read only";
    throw npyError(file, `elements of type ${descr}: ${why}`);
  }
  if (descr.startsWith("=")) throw npyError(file, "byte order '=' (the writer's own, which is not known here)");
  return { type, littleEndian: !descr.startsWith(">") };
}

/**
 * Reads and checks the header of a NumPy array file, `npyHeaderLength` bytes (more may follow): versions 1 to 3,
 * numbers only. Objects (pickles) are refused, they would run code. Throws DataError naming `file`.
 */
export function readNpyHeader(bytes: Uint8Array, file: string): NpyHeader {
  const dataOffset = npyHeaderLength(bytes, file);
  if (bytes.length < dataOffset) throw npyError(file, `cut short inside its header`);
  const text = new TextDecoder().decode(bytes.subarray(bytes[6] === 1 ? 10 : 12, dataOffset));
  const descr = /'descr':\s*'([<>|=][a-zA-Z]\d{0,4})'/.exec(text)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const extents = /'shape':\s*\(([\d\s,]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || extents === undefined) {
    throw npyError(file, `header ${JSON.stringify(text.trim().slice(0, 120))}`);
  }
  const shape = extents
    .split(",")
    .map((extent) => extent.trim())
    .filter((extent) => extent !== "")
    .map(Number);
  const { type, littleEndian } = typeOf(descr, file);
  const dataBytes = (elementCount(shape) ?? Number.NaN) * VALUE_TYPES[type];
  if (!Number.isSafeInteger(dataBytes)) throw npyError(file, `shape (${shape.join(", ")})`);
  return { type, littleEndian, fortran: order === "True", shape, dataOffset, dataBytes };
}

/** The error where an array is shorter or longer than its header says. */
export function npySizeError(file: string, { shape, type, dataBytes }: NpyHeader, stored: number): DataError {
  return npyError(file, `shape (${shape.join(", ")}) of ${type} needs ${dataBytes} bytes, there are ${stored}`);
}
