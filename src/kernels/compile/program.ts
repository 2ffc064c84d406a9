import { DeviceError } from "../../errors.ts";
import type { Device } from "../device/device.ts";
import { partBytes } from "../shader/shader.ts";
import type { Graph } from "../trace/graph.ts";
import type { Value } from "../trace/op.ts";
import { sizeOf } from "../trace/shape.ts";
import type { PlacedDispatch } from "./lower.ts";
import { lowerWithin } from "./lower-within.ts";
import { allocate, type Memory } from "./memory.ts";
import type { Peak } from "./peak.ts";
import { type RunPlan, runPlan } from "./run-plan.ts";
import type { Place, StateStore } from "./state.ts";
import { DISPLAY_PATIENCE, ENDLESS_PATIENCE, type Patience, Submits } from "./submits.ts";
import { type Bound, MOST_TIMED, type Timing, timePasses, timingsOf } from "./timestamps.ts";
import { uploadUniforms } from "./uniforms.ts";

export interface ProgramOptions {
  /** What the program does, for messages: "training step of 4 images". */
  readonly name?: string;
  readonly store: StateStore;
  /** Tensors read after a run. */
  readonly keep?: readonly Value[];
  /** Tensors of the run whose storage is a state tensor's (gradients), by value id. */
  readonly placed?: ReadonlyMap<number, string>;
  /** Changes the text of each shader before it is compiled: checks run kernels under another order of lanes. */
  readonly shader?: (wgsl: string, label: string) => string;
  /** How long the GPU may be busy (default: as display drivers have it; on a software driver any time). */
  readonly patience?: Patience;
}

interface Work {
  readonly name: string;
  readonly planned: RunPlan;
  readonly bound: readonly Bound[];
  readonly store: StateStore;
  readonly patience: Patience;
}

/**
 * A trace turned into pipelines, buffers and bind groups once, then replayed: a few submits, and nothing
 * allocated, compiled or bound in between. What follows from the state alone is computed by the first run after
 * each change of the state.
 */
export class Program {
  /** How many dispatches only the first run after a change of the state does. */
  readonly once: number;
  /** Those of every run. */
  readonly dispatches: readonly PlacedDispatch[];
  /** Bytes of temporaries and inputs; state lives in the store. */
  readonly bytes: number;
  /** Of these, what any plan needs: inputs, and the temporaries that live at once at the worst dispatch. */
  readonly least: number;
  readonly #name: string;
  readonly #device: Device;
  readonly #graph: Graph;
  readonly #store: StateStore;
  readonly #writes: boolean;
  /** Done once for a state, and every time. */
  readonly #once: readonly Bound[];
  readonly #bound: readonly Bound[];
  readonly #submits: Submits;
  /** The store's version that `#once` was done for. */
  #version = -1;
  readonly #places: ReadonlyMap<number, readonly Place[]>;
  readonly #owned: readonly GPUBuffer[];

  private constructor(device: Device, graph: Graph, work: Work, memory: Memory) {
    this.#device = device;
    this.#graph = graph;
    this.#name = work.name;
    this.#store = work.store;
    const { settled, plan } = work.planned;
    this.#writes = settled.writes;
    this.once = settled.once;
    this.dispatches = settled.dispatches.slice(this.once);
    this.#once = work.bound.slice(0, this.once);
    this.#bound = work.bound.slice(this.once);
    this.#submits = new Submits(device, work.name, { bound: this.#bound, origins: this.dispatches }, work.patience);
    this.#places = memory.places;
    this.#owned = memory.owned;
    this.bytes = memory.owned.reduce((sum, buffer) => sum + buffer.size, 0);
    this.least = this.bytes - plan.bytes + plan.least;
  }

  /**
   * Throws OutOfMemoryError where a program of a trace would not fit on a device, before anything of it is made. Returns
   * what it needs at the least.
   */
  static requireFit(device: Device, graph: Graph, options: Pick<ProgramOptions, "name" | "keep" | "placed">): Peak {
    return lowerWithin(device, graph, options).peak;
  }

  static async compile(device: Device, graph: Graph, options: ProgramOptions): Promise<Program> {
    const { store, placed = new Map<number, string>() } = options;
    const planned = runPlan(graph, lowerWithin(device, graph, options).dispatches, options, device.target);
    const { dispatches } = planned.settled;
    const memory = await allocate(device, graph, planned, { store, placed });
    const pipelines = await compileAll(device, dispatches, options.shader);
    const uniforms = uploadUniforms(device, dispatches);
    device.gpu.pushErrorScope("validation");
    const bound = dispatches.map((dispatch): Bound => {
      const pipeline = must(pipelines.get(dispatch.wgsl), dispatch.label);
      const places = dispatch.bindings.flatMap(({ value }) => must(memory.places.get(value.id), dispatch.label));
      const entries: GPUBindGroupEntry[] = places.map((resource, binding) => ({ binding, resource }));
      const uniform = uniforms.places.get(dispatch.uniform.join());
      if (uniform && dispatch.uniform.length > 0) entries.push({ binding: entries.length, resource: uniform });
      const group = device.gpu.createBindGroup({
        label: `${dispatch.path} ${dispatch.label}`,
        layout: pipeline.getBindGroupLayout(0),
        entries,
      });
      return { pipeline, group, workgroups: dispatch.workgroups };
    });
    const refused = await device.gpu.popErrorScope();
    const name = options.name ?? "program";
    if (refused) throw new DeviceError(`${name}: the GPU refused a binding: ${refused.message}`);
    device.check();
    const owned = uniforms.buffer ? [...memory.owned, uniforms.buffer] : memory.owned;
    const { patience = device.report.software ? ENDLESS_PATIENCE : DISPLAY_PATIENCE } = options;
    return new Program(device, graph, { planned, bound, name, store, patience }, { ...memory, owned });
  }

  /** Submits one run. Results are ready for reads that follow. */
  run(): void {
    this.#device.watch(this.#name, () => this.#submits.run(this.#stale() ? this.#once : []));
    if (this.#writes) this.#store.changed();
    this.#version = this.#store.version;
  }

  /** Submits in which the next run goes: a few, so that the GPU begins early, or as many as its display needs. */
  get submits(): number {
    return this.#submits.count;
  }

  #stale(): boolean {
    return this.#once.length > 0 && this.#version !== this.#store.version;
  }

  /** Writes an input by the name the trace gave it. */
  write(name: string, data: Float32Array | Int32Array | Uint32Array): void {
    const value = this.#graph.inputs.get(name);
    if (!value) throw new Error(`the program has no input ${name}`);
    if (data.length !== sizeOf(value.shape)) {
      throw new DeviceError(
        `input ${name} is [${value.shape}] and takes ${sizeOf(value.shape)} numbers, not ${data.length}`,
      );
    }
    const limit = partBytes(this.#device.target) / 4;
    for (const [i, place] of (this.#places.get(value.id) ?? []).entries()) {
      this.#device.write(place.buffer, place.offset, data.subarray(i * limit, (i + 1) * limit));
    }
  }

  /** Fills every buffer the program owns except its uniforms with NaN, so that tests see what a run leaves unwritten. */
  poison(): void {
    this.#version = -1;
    for (const buffer of this.#owned) {
      if ((buffer.usage & GPUBufferUsage.STORAGE) === 0) continue;
      this.#device.write(buffer, 0, new Float32Array(buffer.size / 4).fill(Number.NaN));
    }
  }

  /** Reads a kept tensor of floats. */
  async read(value: Value): Promise<Float32Array<ArrayBuffer>> {
    const [bytes] = await this.readAll([value]);
    return new Float32Array(bytes ?? new ArrayBuffer(0));
  }

  /** Reads a kept tensor of integers. */
  async readInts(value: Value): Promise<Int32Array<ArrayBuffer>> {
    const [bytes] = await this.readAll([value]);
    return new Int32Array(bytes ?? new ArrayBuffer(0));
  }

  /** Bytes of several kept or state tensors as they are after the runs submitted so far, through one mapping. */
  async readAll(values: readonly Value[]): Promise<ArrayBuffer[]> {
    const wanted = values.map((value) => {
      const places = this.#places.get(this.#graph.root(value.id));
      if (!places) throw new Error("the tensor was not kept by the program");
      let left = 4 * sizeOf(value.shape);
      return places.map(({ buffer, offset, size }) => {
        const bytes = Math.min(size, left);
        left -= bytes;
        return { buffer, offset, size: bytes };
      });
    });
    const read = await this.#device.readAll(wanted.flat());
    const starts = wanted.map((_, i) => wanted.slice(0, i).reduce((sum, places) => sum + places.length, 0));
    return wanted.map((places, i) => joined(read.slice(starts[i], (starts[i] ?? 0) + places.length)));
  }

  /** Runs once with every dispatch in a pass of its own and returns their GPU times. Needs timestamp queries. */
  async profile(): Promise<Timing[]> {
    const { gpu } = this.#device;
    if (!gpu.features.has("timestamp-query")) throw new DeviceError("this adapter has no timestamp queries");
    if (this.#stale()) this.run();
    const timings: Timing[] = [];
    for (let from = 0; from < this.#bound.length; from += MOST_TIMED) {
      const ticks = await timePasses(this.#device, this.#bound.slice(from, from + MOST_TIMED));
      timings.push(...timingsOf(ticks, this.dispatches.slice(from, from + MOST_TIMED)));
    }
    if (this.#writes) this.#store.changed();
    return timings;
  }

  /** Runs once and returns the host's milliseconds for it: what a run costs in calls, the GPU's own work left out. */
  hostTime(): { readonly encode: number; readonly submit: number } {
    if (this.#stale()) this.run();
    const time = this.#submits.hostTime();
    if (this.#writes) this.#store.changed();
    return time;
  }

  destroy(): void {
    this.#device.free(this.#owned);
  }
}

function joined(parts: readonly ArrayBuffer[]): ArrayBuffer {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    out.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  return out.buffer;
}

async function compileAll(
  device: Device,
  dispatches: readonly PlacedDispatch[],
  shader = (wgsl: string, _label: string) => wgsl,
): Promise<Map<string, GPUComputePipeline>> {
  const labels = new Map(dispatches.map((d) => [d.wgsl, d.path === "" ? d.label : `${d.label} (${d.path})`]));
  const entries = [...labels].map(
    async ([code, label]) => [code, await device.pipeline(shader(code, label), label)] as const,
  );
  return new Map(await Promise.all(entries));
}

function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`nothing is bound for ${what}`);
  return value;
}
