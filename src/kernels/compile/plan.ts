import { byteSize, partBytes } from "../shader/shader.ts";
import type { Target } from "../target.ts";
import type { PlacedDispatch } from "./lower.ts";

/** Which buffer holds each part of each temporary tensor, and how large the buffers are. */
export interface Plan {
  /** Buffer sizes in bytes. */
  readonly buffers: readonly number[];
  /** Tensor id to its buffers, one a part. */
  readonly parts: ReadonlyMap<number, readonly number[]>;
  /** Sum of `buffers`: everything the run needs beside inputs and state. */
  readonly bytes: number;
}

interface Unit {
  readonly id: number;
  readonly part: number;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/**
 * Assigns buffers to the temporary tensors of a run, largest first, each to the smallest buffer that is free over its
 * whole life. Buffers are reused whole, never split: WebGPU forbids reading and writing one buffer in one dispatch,
 * even in disjoint ranges. `outside` are tensors stored elsewhere; `keep` are read after the run.
 */
export function plan(
  dispatches: readonly PlacedDispatch[],
  outside: ReadonlySet<number>,
  keep: ReadonlySet<number>,
  target: Target,
): Plan {
  const units = lifetimes(dispatches, outside, keep, target);
  units.sort((a, b) => b.bytes - a.bytes || a.first - b.first || a.id - b.id || a.part - b.part);
  const buffers: { bytes: number; busy: Unit[] }[] = [];
  const parts = new Map<number, number[]>();
  for (const unit of units) {
    const free = (index: number) => buffers[index]?.busy.every((b) => b.last < unit.first || b.first > unit.last);
    let chosen = buffers.length - 1;
    while (chosen >= 0 && !free(chosen)) chosen--;
    if (chosen < 0) chosen = buffers.push({ bytes: unit.bytes, busy: [] }) - 1;
    buffers[chosen]?.busy.push(unit);
    const list = parts.get(unit.id) ?? [];
    list[unit.part] = chosen;
    parts.set(unit.id, list);
  }
  return { buffers: buffers.map((b) => b.bytes), parts, bytes: buffers.reduce((sum, b) => sum + b.bytes, 0) };
}

function lifetimes(
  dispatches: readonly PlacedDispatch[],
  outside: ReadonlySet<number>,
  keep: ReadonlySet<number>,
  target: Target,
): Unit[] {
  const lives = new Map<number, { bytes: number; first: number; last: number }>();
  for (const [at, dispatch] of dispatches.entries()) {
    for (const { value } of dispatch.bindings) {
      if (outside.has(value.id)) continue;
      const life = lives.get(value.id);
      const last = keep.has(value.id) ? dispatches.length : at;
      if (life) life.last = Math.max(life.last, last);
      else lives.set(value.id, { bytes: byteSize(value), first: at, last });
    }
  }
  const limit = partBytes(target);
  return [...lives].flatMap(([id, life]) =>
    Array.from({ length: Math.max(1, Math.ceil(life.bytes / limit)) }, (_, part) => ({
      id,
      part,
      bytes: Math.min(limit, life.bytes - part * limit),
      first: life.first,
      last: life.last,
    })),
  );
}
