/** Types of the elements of an array file. */
export const VALUE_TYPES = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  uint64: 8,
  int64: 8,
  float16: 2,
  float32: 4,
  float64: 8,
} as const;

export type ValueType = keyof typeof VALUE_TYPES;

/** Value number `index` of an array. 64-bit integers beyond 2^53 lose their last digits. */
export type ValueReader = (index: number) => number;

/** A number of half precision from its 16 bits. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Reads numbers as files store them, one at a time, by their type and byte order; indices must lie inside `bytes`. */
export function valueReader(bytes: Uint8Array, type: ValueType, littleEndian: boolean): ValueReader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const readers: Record<ValueType, ValueReader> = {
    uint8: (index) => view.getUint8(index),
    int8: (index) => view.getInt8(index),
    uint16: (index) => view.getUint16(index * 2, littleEndian),
    int16: (index) => view.getInt16(index * 2, littleEndian),
    uint32: (index) => view.getUint32(index * 4, littleEndian),
    int32: (index) => view.getInt32(index * 4, littleEndian),
    uint64: (index) => Number(view.getBigUint64(index * 8, littleEndian)),
    int64: (index) => Number(view.getBigInt64(index * 8, littleEndian)),
    float16: (index) => halfToNumber(view.getUint16(index * 2, littleEndian)),
    float32: (index) => view.getFloat32(index * 4, littleEndian),
    float64: (index) => view.getFloat64(index * 8, littleEndian),
  };
  return readers[type];
}

/** Largest array a reader accepts, in bytes: what one buffer of Node can hold, with room for a header. */
export const LARGEST_ARRAY = 2 ** 32 - 2 ** 20;

/** The product of an array's extents; undefined where it is no whole number below 2^53. */
export function elementCount(shape: readonly number[]): number | undefined {
  let count = 1;
  for (const extent of shape) count *= extent;
  return Number.isSafeInteger(count) ? count : undefined;
}

/** Values as they were measured, NaN where nothing was. */
export type Numbers = Float32Array | Float64Array;

/** One slice: `height` rows of `width` values, row by row. */
export interface ValueSlice {
  readonly width: number;
  readonly height: number;
  readonly values: Float64Array;
  /** Values that are no finite numbers; they are NaN here, as padding is. */
  readonly nonFinite: number;
}

/** Bytes as text, one character each: the words and marks in headers. */
export function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
