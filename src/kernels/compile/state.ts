import { DeviceError } from "../../errors.ts";
import type { Device } from "../device/device.ts";
import { byteSize, partBytes } from "../shader/shader.ts";
import type { Target } from "../target.ts";
import type { Segment } from "../trace/graph.ts";
import type { DType } from "../trace/op.ts";
import { type Shape, sizeOf } from "../trace/shape.ts";

/** One tensor kept between runs. Its key is unique in the store. */
export interface StateEntry {
  readonly key: string;
  readonly shape: Shape;
  readonly dtype?: DType;
}

/** Where bytes of a stored tensor lie. */
export interface Place {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

interface Slice {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly buffer: number;
  readonly offset: number;
  /** With the padding behind it. */
  readonly bytes: number;
}

/** Bytes after which an arena goes on in another buffer; a tensor that is longer has one to itself. */
const LONGEST_BUFFER = 2 ** 30;

/**
 * How an arena packs its tensors: slices aligned for binding, in buffers no longer than one allocation may be. The
 * same entries give the same layout, so arenas of weights, gradients and moments can be walked in step, segment by
 * segment, without knowing what lies in them. Padding between slices stays zero.
 */
export class ArenaLayout {
  readonly slices = new Map<string, Slice>();
  readonly buffers: number[] = [];

  constructor(entries: readonly StateEntry[], target: Target) {
    const alignment = Math.max(target.offsetAlignment, 16);
    for (const { key, shape, dtype = "f32" } of entries) {
      const bytes = Math.ceil(byteSize({ shape, dtype }) / alignment) * alignment;
      const current = this.buffers.length - 1;
      const used = this.buffers[current];
      if (used === undefined || used + bytes > Math.max(LONGEST_BUFFER, bytes)) {
        this.slices.set(key, { shape, dtype, buffer: this.buffers.push(bytes) - 1, offset: 0, bytes });
      } else {
        this.slices.set(key, { shape, dtype, buffer: current, offset: used, bytes });
        this.buffers[current] = used + bytes;
      }
    }
  }

  /** Segments that together cover the arena. */
  segments(target: Target): Segment[] {
    return this.segmentsBy(target, () => null).map(({ segment }) => segment);
  }

  /** As {@link segments}, cut wherever the next tensor has another value of `of`. */
  segmentsBy<T>(target: Target, of: (key: string) => T): { readonly segment: Segment; readonly value: T }[] {
    const limit = partBytes(target);
    return this.#stretches(of).flatMap(({ buffer, offset, bytes, value }) =>
      Array.from({ length: Math.ceil(bytes / limit) }, (_, i) => ({
        segment: { buffer, offset: offset + i * limit, floats: Math.min(limit, bytes - i * limit) / 4 },
        value,
      })),
    );
  }

  /** Neighbours in a buffer that have one value. */
  #stretches<T>(of: (key: string) => T) {
    const found: { buffer: number; offset: number; bytes: number; value: T }[] = [];
    for (const [key, { buffer, offset, bytes }] of this.slices) {
      const value = of(key);
      const last = found.at(-1);
      if (last?.buffer === buffer && last.value === value) last.bytes += bytes;
      else found.push({ buffer, offset, bytes, value });
    }
    return found;
  }

  get bytes(): number {
    return this.buffers.reduce((sum, size) => sum + size, 0);
  }
}

/** Tensors that outlive a run, in arenas on one device. Several Programs bind the same store. */
export class StateStore {
  readonly #device: Device;
  readonly #arenas = new Map<string, { readonly layout: ArenaLayout; readonly buffers: readonly GPUBuffer[] }>();
  readonly #arenaOf = new Map<string, string>();
  #version = 0;

  constructor(device: Device) {
    this.#device = device;
  }

  /** Makes an arena of zeros. */
  async allocate(arena: string, entries: readonly StateEntry[]): Promise<void> {
    const layout = new ArenaLayout(entries, this.#device.target);
    const buffers = await this.#device.allocate(layout.buffers, `arena ${arena}`);
    this.#arenas.set(arena, { layout, buffers });
    for (const { key } of entries) {
      if (this.#arenaOf.has(key)) throw new Error(`state ${key} is allocated twice`);
      this.#arenaOf.set(key, arena);
    }
  }

  has(key: string): boolean {
    return this.#arenaOf.has(key);
  }

  /** The binding of each part of a tensor. */
  places(key: string, bytes: number): readonly Place[] {
    const limit = partBytes(this.#device.target);
    const { buffer, offset } = this.#locate(key);
    return Array.from({ length: Math.max(1, Math.ceil(bytes / limit)) }, (_, part) => ({
      buffer,
      offset: offset + part * limit,
      size: Math.min(limit, bytes - part * limit),
    }));
  }

  /** The one binding of a stretch of an arena. */
  placesOfStretch(arena: string, { buffer: index, offset, floats }: Segment): readonly Place[] {
    const buffer = this.#arenas.get(arena)?.buffers[index];
    if (!buffer) throw new DeviceError(`there is no buffer ${index} of arena ${arena}`);
    return [{ buffer, offset, size: floats * 4 }];
  }

  #locate(key: string): { readonly buffer: GPUBuffer; readonly offset: number; readonly floats: number } {
    const arena = this.#arenas.get(this.#arenaOf.get(key) ?? "");
    const slice = arena?.layout.slices.get(key);
    const buffer = slice && arena?.buffers[slice.buffer];
    if (!buffer) throw new DeviceError(`nothing is stored under ${key}`);
    return { buffer, offset: slice.offset, floats: sizeOf(slice.shape) };
  }

  /** A number that grows with every change of a stored tensor. */
  get version(): number {
    return this.#version;
  }

  /** To be called by whoever changes tensors through {@link places}. */
  changed(): void {
    this.#version++;
  }

  /** Bytes of all arenas. */
  get bytes(): number {
    return [...this.#arenas.values()].reduce((sum, { layout }) => sum + layout.bytes, 0);
  }

  keys(arena: string): readonly string[] {
    return [...(this.#arenas.get(arena)?.layout.slices.keys() ?? [])];
  }

  write(key: string, data: Float32Array | Int32Array | Uint32Array): void {
    const { buffer, offset, floats } = this.#locate(key);
    if (data.length !== floats) {
      throw new DeviceError(`state ${key} takes ${floats} numbers, not ${data.length}`);
    }
    this.#device.write(buffer, offset, data);
    this.changed();
  }

  /** Fills an arena with zeros, in order with submitted runs. */
  clear(arena: string): void {
    const found = this.#arenas.get(arena);
    if (found) this.#device.clear(found.buffers);
    this.changed();
  }

  async read(key: string): Promise<Float32Array> {
    const { buffer, offset, floats } = this.#locate(key);
    return new Float32Array(await this.#device.read(buffer, offset, floats * 4));
  }

  /** All tensors of an arena by key, read in whole buffers. */
  async readArena(arena: string): Promise<Map<string, Float32Array>> {
    const found = this.#arenas.get(arena);
    if (!found) throw new DeviceError(`there is no arena ${arena}`);
    const contents = [];
    for (const [i, buffer] of found.buffers.entries()) {
      contents.push(await this.#device.read(buffer, 0, found.layout.buffers[i] ?? 0));
    }
    const out = new Map<string, Float32Array>();
    for (const [key, slice] of found.layout.slices) {
      const bytes = contents[slice.buffer];
      if (bytes) out.set(key, new Float32Array(bytes, slice.offset, sizeOf(slice.shape)));
    }
    return out;
  }

  destroy(): void {
    for (const { buffers } of this.#arenas.values()) this.#device.free(buffers);
    this.#arenas.clear();
    this.#arenaOf.clear();
  }
}
