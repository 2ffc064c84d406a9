import { expect, test } from "vitest";
import { halfBits, storeHalf } from "../../../src/weights/half.ts";
import { float32 } from "../../../src/weights/safetensors.ts";

/** IEEE 754 binary16 by its definition: values, and the bits of the nearest number. */
const TABLE: readonly (readonly [string, number, number])[] = [
  ["zero", 0, 0x0000],
  ["minus zero", -0, 0x8000],
  ["one", 1, 0x3c00],
  ["minus two", -2, 0xc000],
  ["a tie to the even number below", 1 + 2 ** -11, 0x3c00],
  ["a tie to the even number above", 1 + 3 * 2 ** -11, 0x3c02],
  ["just above a tie", 1 + 2 ** -11 + 2 ** -20, 0x3c01],
  ["rounding into the next exponent", 2 - 2 ** -12, 0x4000],
  ["the largest", 65504, 0x7bff],
  ["just below the tie to infinity", 65519, 0x7bff],
  ["the tie to infinity", 65520, 0x7c00],
  ["beyond all", 1e6, 0x7c00],
  ["minus infinity", Number.NEGATIVE_INFINITY, 0xfc00],
  ["the smallest normal number", 2 ** -14, 0x0400],
  ["the largest subnormal", 1023 * 2 ** -24, 0x03ff],
  ["rounding from subnormal to normal", 1023.5 * 2 ** -24, 0x0400],
  ["the smallest subnormal", 2 ** -24, 0x0001],
  ["a subnormal tie to even", 2.5 * 2 ** -24, 0x0002],
  ["the tie to zero", 2 ** -25, 0x0000],
  ["just above the tie to zero", 2 ** -25 + 2 ** -40, 0x0001],
  ["a negative subnormal", -3 * 2 ** -24, 0x8003],
];

test.each(TABLE)("half precision: %s", (_, value, bits) => {
  expect(halfBits(value)).toBe(bits);
});

test("what is no number stays none", () => {
  expect(halfBits(Number.NaN) & 0x7c00).toBe(0x7c00);
  expect(halfBits(Number.NaN) & 0x03ff).not.toBe(0);
});

test("every half-precision number is stored as itself", () => {
  const all = Uint16Array.from({ length: 2 ** 16 }, (_, at) => at).filter((bits) => (bits & 0x7c00) !== 0x7c00);
  const bytes = new Uint8Array(all.buffer, all.byteOffset, all.byteLength);
  const values = float32({ dtype: "F16", shape: [all.length], bytes });
  expect(new Set(values).size).toBe(all.length - 1); // both zeros are one
  expect(storeHalf(values, [all.length])).toEqual({ dtype: "F16", shape: [all.length], bytes });
});
