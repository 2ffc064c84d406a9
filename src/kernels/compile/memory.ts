import type { Device } from "../device/device.ts";
import { byteSize, partBytes, partCount } from "../shader/shader.ts";
import type { Graph } from "../trace/graph.ts";
import type { RunPlan } from "./run-plan.ts";
import type { Place, StateStore } from "./state.ts";

/** The buffers of a program, and where each tensor's parts lie in them and in those of the state. */
export interface Memory {
  readonly places: ReadonlyMap<number, readonly Place[]>;
  readonly owned: readonly GPUBuffer[];
}

interface Storage {
  readonly store: StateStore;
  /** Tensors of the run whose storage is a state tensor's, by value id. */
  readonly placed: ReadonlyMap<number, string>;
}

/** Makes the buffers of a plan and of the inputs. Throws OutOfMemoryError when they do not fit. */
export async function allocate(
  device: Device,
  graph: Graph,
  { settled: { dispatches }, plan }: RunPlan,
  { store, placed }: Storage,
): Promise<Memory> {
  const places = new Map<number, readonly Place[]>();
  const bytesOf = new Map<number, number>();
  for (const { bindings } of dispatches) for (const { value } of bindings) bytesOf.set(value.id, byteSize(value));
  for (const [key, value] of graph.resident) places.set(value.id, store.places(key, byteSize(value)));
  for (const { arena, segment, value } of graph.stretches) places.set(value.id, store.placesOfStretch(arena, segment));
  for (const [id, key] of placed) places.set(graph.root(id), store.places(key, bytesOf.get(graph.root(id)) ?? 16));
  const limit = partBytes(device.target);
  const inputs = [...graph.inputs.values()];
  const inputSizes = inputs.flatMap((value) => partSizes(byteSize(value), limit));
  const owned = await device.allocate([...inputSizes, ...plan.buffers], "the tensors of a run");
  let next = 0;
  for (const value of inputs) {
    const parts = partCount(byteSize(value), device.target);
    places.set(value.id, owned.slice(next, next + parts).map(whole));
    next += parts;
  }
  for (const [id, parts] of plan.places) {
    const sizes = partSizes(bytesOf.get(id) ?? 0, limit);
    const placeOf = ({ buffer, offset }: { buffer: number; offset: number }, part: number): Place[] => {
      const found = owned[next + buffer];
      return found ? [{ buffer: found, offset, size: sizes[part] ?? 16 }] : [];
    };
    places.set(id, parts.flatMap(placeOf));
  }
  return { places, owned };
}

const whole = (buffer: GPUBuffer): Place => ({ buffer, offset: 0, size: buffer.size });

function partSizes(bytes: number, limit: number): number[] {
  return Array.from({ length: Math.max(1, Math.ceil(bytes / limit)) }, (_, i) => Math.min(limit, bytes - i * limit));
}
