import type { Numbers } from "./values.ts";

/** Slices of values that are looked at together. */
export type ValueSlices = Iterable<{ readonly values: Numbers; readonly width: number }>;

/** What is known of many values without keeping them. */
export interface Distribution {
  /** Finite values, without those left out. */
  readonly count: number;
  /** The same values without those equal to `value`. */
  without(value: number): Distribution;
  /**
   * Values below which the given shares lie, linear between ranks as numpy.percentile; in single precision. Goes through
   * the slices once more. Throws RangeError where there are no values.
   */
  quantiles(shares: readonly number[]): number[];
}

/** The smallest value, how often it is there, and whether in the corner of a slice. */
export interface Minimum {
  readonly value: number;
  readonly count: number;
  readonly inCorner: boolean;
}

const CELLS = 2 ** 16;
const SINGLE = new Float32Array(1);
const BITS = new Uint32Array(SINGLE.buffer);

/** Numbers from 0 to 2^32 - 1 in the order of the values, each a number of single precision. */
function keyOf(value: number): number {
  SINGLE[0] = value + 0; // -0 and 0 are one value
  const stored = BITS[0] ?? 0;
  return (stored & 0x80000000 ? ~stored : stored | 0x80000000) >>> 0;
}

function numberOf(key: number): number {
  BITS[0] = (key & 0x80000000 ? key & 0x7fffffff : ~key) >>> 0;
  return SINGLE[0] ?? 0;
}

function addCounts(cells: Float64Array, values: Numbers): void {
  for (let at = 0; at < values.length; at++) {
    const value = values[at] ?? 0;
    if (!Number.isFinite(value)) continue;
    const cell = keyOf(value) >>> 16;
    cells[cell] = (cells[cell] ?? 0) + 1;
  }
}

/** The smallest value below `limit` in size of a slice and of what came before it. */
function lowered(found: Minimum, { values, width }: { values: Numbers; width: number }, limit: number): Minimum {
  let { value, count } = found;
  for (let at = 0; at < values.length; at++) {
    const one = values[at] ?? 0;
    if (!(one <= value && Math.abs(one) < limit)) continue;
    count = one === value ? count + 1 : 1;
    value = one;
  }
  const corners = [0, width - 1, values.length - width, values.length - 1].map((at) => values[at]);
  return { value, count, inCorner: (found.inCorner && found.value === value) || corners.includes(value) };
}

/** How many finite values have each upper half of a key, and the smallest of those below `limit` in size. */
function survey(slices: ValueSlices, limit: number): { readonly cells: Float64Array; readonly minimum: Minimum } {
  const cells = new Float64Array(CELLS);
  let minimum: Minimum = { value: Number.POSITIVE_INFINITY, count: 0, inCorner: false };
  for (const slice of slices) {
    addCounts(cells, slice.values);
    minimum = lowered(minimum, slice, limit);
  }
  return { cells, minimum };
}

/** The cell in which the value of rank `rank` (from 0) lies, and how many values lie in the cells before. */
function placeOf(cells: Float64Array, rank: number): { readonly cell: number; readonly before: number } {
  let before = 0;
  let cell = 0;
  for (; cell < cells.length - 1 && before + (cells[cell] ?? 0) <= rank; cell++) before += cells[cell] ?? 0;
  return { cell, before };
}

/**
 * The distribution of all finite values of the slices; those of `limit` and more in size are left out unless there are no
 * others. A radix selection: a table of the upper halves of 32-bit keys, then, for quantiles, of the lower halves in the cells
 * that matter. Memory: some 65536-entry tables, whatever the number of values; a single extreme value costs no precision.
 */
export function distributionOf(slices: () => ValueSlices, limit: number): Distribution & { readonly minimum: Minimum } {
  const { cells, minimum } = survey(slices(), limit);
  const [first, last] = [keyOf(-limit) >>> 16, keyOf(limit) >>> 16];
  const within = cells.map((count, cell) => (cell > first && cell < last ? count : 0));
  if (within.some((count) => count > 0)) return Object.assign(new Selection(slices, within, limit), { minimum });
  const all = survey(slices(), Number.POSITIVE_INFINITY);
  return Object.assign(new Selection(slices, all.cells, Number.POSITIVE_INFINITY), { minimum: all.minimum });
}

class Selection implements Distribution {
  readonly count: number;
  readonly #slices: () => ValueSlices;
  readonly #cells: Float64Array;
  readonly #limit: number;
  readonly #without: readonly number[];

  constructor(slices: () => ValueSlices, cells: Float64Array, limit: number, without: readonly number[] = []) {
    this.#slices = slices;
    this.#cells = cells;
    this.#limit = limit;
    this.#without = without;
    this.count = cells.reduce((sum, count) => sum + count, 0);
  }

  without(value: number): Distribution {
    const key = keyOf(value);
    const cells = this.#cells.slice();
    cells[key >>> 16] = (cells[key >>> 16] ?? 0) - this.#counted(key);
    return new Selection(this.#slices, cells, this.#limit, [...this.#without, key]);
  }

  quantiles(shares: readonly number[]): number[] {
    if (this.count === 0) throw new RangeError("there are no values");
    const ranks = shares.map((share) => share * (this.count - 1));
    const wanted = [...new Set(ranks.flatMap((rank) => [Math.floor(rank), Math.ceil(rank)]))];
    const places = new Map(wanted.map((rank) => [rank, placeOf(this.#cells, rank)]));
    const tables = this.#refined(new Set([...places.values()].map(({ cell }) => cell)));
    const at = (rank: number) => {
      const { cell, before } = places.get(rank) ?? { cell: 0, before: 0 };
      const lower = placeOf(tables.get(cell) ?? new Float64Array(CELLS), rank - before).cell;
      return numberOf(cell * CELLS + lower);
    };
    return ranks.map((rank) => {
      const [low, high] = [at(Math.floor(rank)), at(Math.ceil(rank))];
      return low + (high - low) * (rank - Math.floor(rank));
    });
  }

  /** Tables of the lower halves of the keys in the given cells. */
  #refined(chosen: ReadonlySet<number>): ReadonlyMap<number, Float64Array> {
    const tables = new Map([...chosen].map((cell) => [cell, new Float64Array(CELLS)]));
    this.#eachKey((key) => {
      const table = tables.get(key >>> 16);
      if (table !== undefined) table[key & 0xffff] = (table[key & 0xffff] ?? 0) + 1;
    });
    return tables;
  }

  #counted(wanted: number): number {
    let count = 0;
    this.#eachKey((key) => {
      if (key === wanted) count++;
    });
    return count;
  }

  #eachKey(visit: (key: number) => void): void {
    for (const { values } of this.#slices()) {
      for (let at = 0; at < values.length; at++) {
        const value = values[at] ?? 0;
        if (!(Math.abs(value) < this.#limit)) continue;
        const key = keyOf(value);
        if (!this.#without.includes(key)) visit(key);
      }
    }
  }
}
