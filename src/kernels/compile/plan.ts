import { byteSize, partBytes } from "../shader/shader.ts";
import type { Target } from "../target.ts";
import type { Binding } from "../trace/op.ts";
import { type Life, Lives, mostAtOnce } from "./lives.ts";
import type { PlacedDispatch } from "./lower.ts";
import { type Placement, place, type Unit } from "./pools.ts";

/** Where a part of a temporary tensor lies. */
export interface PlannedPlace {
  /** Which of the plan's buffers. */
  readonly buffer: number;
  /** In bytes. */
  readonly offset: number;
}

/** Which buffer holds each part of each temporary tensor, and how large the buffers are. */
export interface Plan {
  /** Buffer sizes in bytes. */
  readonly buffers: readonly number[];
  /** Tensor id to the places of its parts. */
  readonly places: ReadonlyMap<number, readonly PlannedPlace[]>;
  /** Sum of `buffers`: everything the run needs beside inputs and state. */
  readonly bytes: number;
  /** Bytes of the tensors that live at once at the worst dispatch: no plan needs less. */
  readonly least: number;
}

/** The longest buffer that a plan asks for where a tensor is no longer: drivers find room for several of these more easily. */
const LONGEST_BUFFER = 2 ** 30;
/** A plan as near to the least as this is good enough. */
const NEAR = 1.01;
/** How many units are placed in search of a better plan, in each order that is tried. */
const MOST_PLACED = 10_000;

/** Orders in which units are placed. None is best for every network. */
const ORDERS: readonly ((a: Unit, b: Unit) => number)[] = [
  (a, b) => b.bytes - a.bytes || a.first - b.first,
  (a, b) => b.last - a.last || b.bytes - a.bytes,
  (a, b) => a.first - b.first || b.bytes - a.bytes,
];

/**
 * Places the temporary tensors of a run at offsets in shared buffers, so that those which live at once never overlap.
 * WebGPU forbids reading and writing one buffer in one dispatch, even in disjoint ranges: what a dispatch reads lies in
 * other buffers than what it writes. `outside` are tensors stored elsewhere; `keep` are read after the run.
 */
export function plan(
  dispatches: readonly PlacedDispatch[],
  outside: ReadonlySet<number>,
  keep: ReadonlySet<number>,
  target: Target,
): Plan {
  const units = unitsOf(dispatches, outside, keep, target);
  const least = mostAtOnce(units, dispatches.length);
  const { buffers, places, bytes } = search(units, least, Math.min(LONGEST_BUFFER, target.bufferLimit));
  const parts = new Map<number, PlannedPlace[]>();
  for (const [{ id, part }, at] of places) {
    const list = parts.get(id) ?? [];
    list[part] = at;
    parts.set(id, list);
  }
  return { buffers, places: parts, bytes, least };
}

/** Tries each order, and in each to place earlier what came too late to find room. */
function search(units: readonly Unit[], least: number, longest: number): Placement {
  let best: Placement | null = null;
  for (const order of ORDERS) {
    let queue = [...units].sort((a, b) => order(a, b) || a.id - b.id || a.part - b.part);
    for (let placed = 0; !best || (best.bytes > NEAR * least && placed < MOST_PLACED); placed += units.length) {
      const found = place(queue, longest);
      if (!best || found.bytes < best.bytes) best = found;
      const { grower } = found;
      queue = [...(grower ? [grower] : []), ...queue.filter((unit) => unit !== grower)];
    }
  }
  return best ?? place(units, longest);
}

function unitsOf(
  dispatches: readonly PlacedDispatch[],
  outside: ReadonlySet<number>,
  keep: ReadonlySet<number>,
  target: Target,
): Unit[] {
  const lives = new Lives();
  for (const [at, { bindings }] of dispatches.entries()) {
    for (const { value } of bindings) if (!outside.has(value.id)) lives.touch(value.id, byteSize(value), at);
  }
  for (const id of keep) {
    const life = lives.get(id);
    if (life) lives.touch(id, life.bytes, dispatches.length);
  }
  const units = new Map([...lives].map(([id, life]) => [id, partsOf(id, life, target)] as const));
  for (const { bindings } of dispatches) {
    const unitsOf = ({ value }: Binding) => units.get(value.id) ?? [];
    const read = bindings.filter(({ access }) => access === "read").flatMap(unitsOf);
    const written = bindings.filter(({ access }) => access !== "read").flatMap(unitsOf);
    for (const one of read) for (const other of written) oppose(one, other);
  }
  return [...units.values()].flat();
}

type OpenUnit = Unit & { readonly foes: Set<Unit> };

function oppose(one: OpenUnit, other: OpenUnit): void {
  one.foes.add(other);
  other.foes.add(one);
}

function partsOf(id: number, { bytes, first, last }: Life, target: Target): OpenUnit[] {
  const limit = partBytes(target);
  const alignment = Math.max(target.offsetAlignment, 16);
  return Array.from({ length: Math.max(1, Math.ceil(bytes / limit)) }, (_, part) => {
    const aligned = Math.ceil(Math.min(limit, bytes - part * limit) / alignment) * alignment;
    return { id, part, bytes: aligned, first, last, foes: new Set<Unit>() };
  });
}
