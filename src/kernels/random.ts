/** A walk through one stream. Every call moves on; two walks over the same (seed, stream, counters) give equal values. */
export interface Random {
  /** Uniform in [0, 1), a multiple of 2^-32. */
  uniform(): number;
  /** Uniform whole number in [0, count), unbiased; count from 1 to 2^32. */
  integer(count: number): number;
  /** A uniform ordering of 0 .. count-1 (Fisher-Yates from the end). */
  permutation(count: number): Int32Array;
  /** Standard normal: mean 0, variance 1 (Marsaglia's polar method). */
  normal(): number;
}

const TWO_32 = 2 ** 32;
const ROUNDS = 10;
const MULTIPLIER_A = 0xd2511f53;
const MULTIPLIER_B = 0xcd9e8d57;
const WEYL_A = 0x9e3779b9;
const WEYL_B = 0xbb67ae85;

/** Upper 32 bits of the product of two unsigned words; only exact integer steps below 2^53. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) >>> 0) + (Math.imul(aLow, bLow) >>> 16);
  const carry = (Math.imul(aLow, bHigh) >>> 0) + (middle & 0xffff);
  return (Math.imul(aHigh, bHigh) + Math.floor(middle / 65536) + Math.floor(carry / 65536)) | 0;
}

/**
 * One block of Philox-4x32-10: four words from a 128-bit counter and a 64-bit key.
 * `out` may be the counter itself; words are stored unsigned.
 */
export function philox(counter: Uint32Array, keyA: number, keyB: number, out: Uint32Array): void {
  const [c0 = 0, c1 = 0, c2 = 0, c3 = 0] = [counter[0], counter[1], counter[2], counter[3]];
  let x0 = c0;
  let x1 = c1;
  let x2 = c2;
  let x3 = c3;
  let a = keyA | 0;
  let b = keyB | 0;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(x0, MULTIPLIER_A);
    const high1 = multiplyHigh(x2, MULTIPLIER_B);
    const low0 = Math.imul(x0, MULTIPLIER_A);
    const low1 = Math.imul(x2, MULTIPLIER_B);
    x0 = high1 ^ x1 ^ a;
    x1 = low1;
    x2 = high0 ^ x3 ^ b;
    x3 = low0;
    a = (a + WEYL_A) | 0;
    b = (b + WEYL_B) | 0;
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
}

/** Natural logarithm of x in (0, 1): exponent by doubling, then the series of 2 atanh((m-1)/(m+1)). Math.log may differ. */
function logarithm(x: number): number {
  let mantissa = x;
  let exponent = 0;
  while (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent--;
  }
  const z = (mantissa - 1) / (mantissa + 1);
  const square = z * z;
  let sum = 0;
  // 2 z^(2k+1)/(2k+1) with |z| < 0.1716: terms past z^21 are below 2^-53 of the sum.
  for (let odd = 21; odd >= 1; odd -= 2) sum = sum * square + 1 / odd;
  return 2 * z * sum + exponent * Math.LN2;
}

/** Chains words into 128 bits of stream state: each block's output is key and counter offset of the next. */
class Chain {
  readonly state = new Uint32Array(4);

  add(low: number, high: number, kind: number): void {
    const block = Uint32Array.of(low, high, this.state[2] ?? 0, (this.state[3] ?? 0) ^ kind);
    philox(block, this.state[0] ?? 0, this.state[1] ?? 0, this.state);
  }

  /** A number as two words; `kind` keeps (seed, counters) and the stream's letters apart. */
  addNumber(value: number, kind: number): void {
    this.add(value % TWO_32, Math.floor(value / TWO_32), kind);
  }
}

class PhiloxRandom implements Random {
  readonly #keyA: number;
  readonly #keyB: number;
  readonly #counter: Uint32Array;
  readonly #words = new Uint32Array(4);
  #used = 4;
  #spare: number | undefined;

  constructor(state: Uint32Array) {
    this.#keyA = state[0] ?? 0;
    this.#keyB = state[1] ?? 0;
    // The lower half counts blocks; the upper half belongs to the stream.
    this.#counter = Uint32Array.of(0, 0, state[2] ?? 0, state[3] ?? 0);
  }

  #word(): number {
    if (this.#used === 4) {
      philox(this.#counter, this.#keyA, this.#keyB, this.#words);
      const next = ((this.#counter[0] ?? 0) + 1) >>> 0;
      this.#counter[0] = next;
      if (next === 0) this.#counter[1] = (this.#counter[1] ?? 0) + 1;
      this.#used = 0;
    }
    return this.#words[this.#used++] ?? 0;
  }

  uniform(): number {
    return this.#word() / TWO_32;
  }

  integer(count: number): number {
    if (!Number.isInteger(count) || count < 1 || count > TWO_32) {
      throw new RangeError(`random.integer: count is ${count}; it must be a whole number from 1 to 2^32`);
    }
    // Words past the last whole multiple of count would favour small results.
    const fair = TWO_32 - (TWO_32 % count);
    let word = this.#word();
    while (word >= fair) word = this.#word();
    return word % count;
  }

  permutation(count: number): Int32Array {
    const order = Int32Array.from({ length: count }, (_, index) => index);
    for (let last = count - 1; last > 0; last--) {
      const other = this.integer(last + 1);
      const kept = order[last] ?? 0;
      order[last] = order[other] ?? 0;
      order[other] = kept;
    }
    return order;
  }

  normal(): number {
    if (this.#spare !== undefined) {
      const value = this.#spare;
      this.#spare = undefined;
      return value;
    }
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const square = u * u + v * v;
      if (square > 0 && square < 1) {
        const scale = Math.sqrt((-2 * logarithm(square)) / square);
        this.#spare = v * scale;
        return u * scale;
      }
    }
  }
}

/**
 * Draws as a pure function of (seed, stream, counters), by Philox-4x32-10 (Salmon et al., "Parallel random numbers: as
 * easy as 1, 2, 3", SC 2011): a step or an image can be drawn without drawing what came before it, so resuming needs
 * numbers only and neither workers nor prefetch can matter. Integers and IEEE `+ - * / sqrt` alone: the same on every
 * machine. Gives the walk through stream `stream` of `seed` at `counters` (a step; an epoch and an image; ...). Equal
 * arguments give equal walks, different ones give unrelated walks. `seed` and counters: whole numbers from 0 to 2^53 -
 * 1.
 */
export function random(seed: number, stream: string, ...counters: readonly number[]): Random {
  for (const value of [seed, ...counters]) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`random "${stream}": ${value} is no seed or counter; use a whole number from 0 to 2^53 - 1`);
    }
  }
  const chain = new Chain();
  chain.addNumber(seed, 1);
  for (let index = 0; index < stream.length; index++) chain.addNumber(stream.charCodeAt(index), 2);
  for (const value of counters) chain.addNumber(value, 3);
  return new PhiloxRandom(chain.state);
}
