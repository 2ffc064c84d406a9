import type { StoredTensor } from "./safetensors.ts";

const bits = new DataView(new ArrayBuffer(4));

/** The 16 bits of the nearest half-precision number (IEEE 754 binary16, ties to even); beyond 65504 infinity. */
export function halfBits(value: number): number {
  bits.setFloat32(0, value);
  const word = bits.getUint32(0);
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x47800000) return sign | 0x7c00; // 65536 and more
  // Below 2^-14 numbers have a fixed step of 2^-24: adding 0.5 lets the float's own rounding find it.
  if (magnitude < 0x38800000) {
    bits.setUint32(0, magnitude);
    bits.setFloat32(0, bits.getFloat32(0) + 0.5);
    return sign | (bits.getUint32(0) - 0x3f000000);
  }
  // The exponent's bias goes from 127 to 15; half of the last bit that stays, less one where that is even, rounds.
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - (112 << 23) + 0xfff + odd) >>> 13);
}

/** float32 values stored in half precision, rounded. */
export function storeHalf(values: Float32Array, shape: readonly number[]): StoredTensor {
  const bytes = new Uint8Array(2 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [at, value] of values.entries()) view.setUint16(2 * at, halfBits(value), true);
  return { dtype: "F16", shape, bytes };
}
