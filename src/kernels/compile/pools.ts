/** A stretch of memory wanted from one dispatch to another; a tensor, or the part of it that one binding shows. */
export interface Unit {
  readonly id: number;
  readonly part: number;
  /** A multiple of the offset alignment. */
  readonly bytes: number;
  /** The dispatches that use it first and last. */
  readonly first: number;
  readonly last: number;
  /** Units that a dispatch writes where it reads this one, or the other way round: never in one buffer. */
  readonly foes: ReadonlySet<Unit>;
}

interface Slot {
  readonly unit: Unit;
  readonly offset: number;
}

/** Where a unit would go: the bytes by which its buffer would have to grow, and those it would leave free beside it. */
interface Fit {
  readonly pool: Pool;
  readonly offset: number;
  readonly growth: number;
  readonly waste: number;
}

/** One buffer with the units that lie in it at any time. */
interface Pool {
  readonly index: number;
  bytes: number;
  /** By offset. */
  readonly slots: Slot[];
}

/** Buffers with units at offsets. */
export interface Placement {
  /** Bytes of each buffer. */
  readonly buffers: readonly number[];
  readonly places: ReadonlyMap<Unit, { readonly buffer: number; readonly offset: number }>;
  /** Sum of `buffers`. */
  readonly bytes: number;
  /** The last unit that made a buffer longer, or new. */
  readonly grower: Unit | null;
}

/**
 * Places units one after the other, each where the buffers grow the least and then where it fits the closest. `longest`
 * is the most bytes a buffer may have.
 */
export function place(units: readonly Unit[], longest: number): Placement {
  const pools: Pool[] = [];
  const poolOf = new Map<Unit, Pool>();
  const places = new Map<Unit, { buffer: number; offset: number }>();
  let grower: Unit | null = null;
  for (const unit of units) {
    const own: Pool = { index: pools.length, bytes: 0, slots: [] };
    const { pool, offset, growth } = bestFit(unit, pools, poolOf, longest) ?? newFit(unit, own);
    if (pool === own) pools.push(own);
    if (growth > 0) grower = unit;
    pool.bytes += growth;
    insert(pool.slots, { unit, offset });
    poolOf.set(unit, pool);
    places.set(unit, { buffer: pool.index, offset });
  }
  const buffers = pools.map(({ bytes }) => bytes);
  return { buffers, places, bytes: buffers.reduce((sum, bytes) => sum + bytes, 0), grower };
}

const newFit = ({ bytes }: Unit, pool: Pool): Fit => ({ pool, offset: 0, growth: bytes, waste: 0 });

/** Null where a buffer of its own is no worse. */
function bestFit(unit: Unit, pools: readonly Pool[], poolOf: ReadonlyMap<Unit, Pool>, longest: number): Fit | null {
  const foreign = new Set<Pool | undefined>();
  for (const foe of unit.foes) foreign.add(poolOf.get(foe));
  let best: Fit | null = null;
  for (const pool of pools) {
    const fit = foreign.has(pool) ? null : fitIn(unit, pool);
    if (!fit || fit.growth >= unit.bytes || (fit.growth > 0 && pool.bytes + fit.growth > longest)) continue;
    if (!best || fit.growth < best.growth || (fit.growth === best.growth && fit.waste < best.waste)) best = fit;
    if (best.growth === 0 && best.waste === 0) break;
  }
  return best;
}

/** The tightest gap between what lives in a buffer meanwhile; behind the last of it where there is none. */
function fitIn({ bytes, first, last }: Unit, pool: Pool): Fit {
  let [end, offset, waste] = [0, -1, Number.POSITIVE_INFINITY];
  for (let i = 0; i <= pool.slots.length; i++) {
    const slot = pool.slots[i];
    if (slot && (slot.unit.first > last || slot.unit.last < first)) continue;
    const gap = (slot ? slot.offset : pool.bytes) - end;
    if (gap >= bytes && gap - bytes < waste) [offset, waste] = [end, gap - bytes];
    if (slot) end = Math.max(end, slot.offset + slot.unit.bytes);
  }
  if (offset >= 0) return { pool, offset, growth: 0, waste };
  return { pool, offset: end, growth: end + bytes - pool.bytes, waste: 0 };
}

function insert(slots: Slot[], slot: Slot): void {
  let at = slots.length;
  while (at > 0 && (slots[at - 1]?.offset ?? 0) > slot.offset) at--;
  slots.splice(at, 0, slot);
}
