import { createRequire } from "node:module";
import { totalmem } from "node:os";
import { DeviceError, DeviceLostError, OutOfMemoryError } from "../../errors.ts";
import type { Target } from "../target.ts";
import {
  type AdapterReport,
  defaultBackend,
  describe,
  noAdapter,
  requestAdapter,
  targetOf,
  WANTED_LIMITS,
} from "./adapter.ts";
import { explainCompileError } from "./compile-error.ts";

export interface DeviceOptions {
  /** Dawn's back end: vulkan, metal, d3d12, or null (which validates shaders and runs nothing). */
  readonly backend?: string;
  /** Part of the adapter's name, where a machine has several. */
  readonly adapter?: string;
  /** Replaces what the adapter says of itself: smaller limits in tests, another choice of kernels. */
  readonly target?: Partial<Target>;
}

/** Bytes to copy back. */
export interface ReadPlace {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

interface DawnModule {
  create(flags: readonly string[]): GPU;
  readonly globals: Readonly<Record<string, unknown>>;
}

/** Dawn's own root objects. Dropping one while its device lives crashes the process at the next collection. */
const roots = new Set<GPU>();

/** One adapter with its pipelines, buffers and errors. The only file beside program.ts that touches WebGPU. */
export class Device {
  readonly gpu: GPUDevice;
  readonly target: Target;
  readonly report: AdapterReport;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #root: GPU;
  readonly #staging: GPUBuffer[] = [];
  #failure: Error | null = null;
  #closing = false;
  #allocated = 0;

  private constructor(root: GPU, gpu: GPUDevice, report: AdapterReport, target: Target) {
    this.#root = root;
    this.gpu = gpu;
    this.report = report;
    this.target = target;
    gpu.addEventListener("uncapturederror", (event) => {
      this.#failure ??= new DeviceError(`the GPU refused a command: ${event.error.message}`);
    });
    void gpu.lost.then((info) => {
      if (!this.#closing) {
        this.#failure = new DeviceLostError(
          `the GPU was lost (${info.reason}: ${info.message}); the last checkpoint is intact: run again with --resume`,
        );
      }
    });
  }

  /** Opens an adapter with everything it offers. Throws DeviceError with what to do when there is none. */
  static async open(options: DeviceOptions = {}): Promise<Device> {
    const dawn = createRequire(import.meta.url)("webgpu") as DawnModule;
    Object.assign(globalThis, dawn.globals);
    const backend = options.backend ?? defaultBackend();
    const flags = [
      ...(backend ? [`backend=${backend}`] : []),
      ...(options.adapter ? [`adapter=${options.adapter}`] : []),
      "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia",
      "disable-dawn-features=timestamp_quantization",
    ];
    const root = dawn.create(flags);
    roots.add(root);
    const adapter = await requestAdapter(root);
    if (!adapter) throw new DeviceError(noAdapter(options.adapter));
    const report = describe(adapter, backend ?? "default");
    const requiredFeatures = (["subgroups", "timestamp-query", "shader-f16"] as const).filter((f) =>
      adapter.features.has(f),
    );
    const requiredLimits = Object.fromEntries(WANTED_LIMITS.map((name) => [name, adapter.limits[name]]));
    const gpu = await adapter.requestDevice({ requiredFeatures, requiredLimits });
    return new Device(root, gpu, report, { ...targetOf(report), ...options.target });
  }

  /** Submits work whose errors, which come later, are to carry its name; the next read or `finish` throws them. */
  watch(name: string, submit: () => void): void {
    this.gpu.pushErrorScope("validation");
    this.gpu.pushErrorScope("out-of-memory");
    submit();
    const note = (kind: typeof DeviceError) => (error: GPUError | null) => {
      if (error) this.#failure ??= new kind(`${name}: the GPU refused the work: ${error.message}`);
    };
    const ignore = () => undefined; // a lost device reports itself
    this.gpu.popErrorScope().then(note(OutOfMemoryError), ignore);
    this.gpu.popErrorScope().then(note(DeviceError), ignore);
  }

  /** Throws what went wrong since the last look; called wherever results are read. */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Compiles a shader once for all who use it. */
  pipeline(wgsl: string, label: string): Promise<GPUComputePipeline> {
    const known = this.#pipelines.get(wgsl);
    if (known) return known;
    const made = this.#compile(wgsl, label);
    this.#pipelines.set(wgsl, made);
    return made;
  }

  get pipelineCount(): number {
    return this.#pipelines.size;
  }

  async #compile(wgsl: string, label: string): Promise<GPUComputePipeline> {
    const module = this.gpu.createShaderModule({ label, code: wgsl });
    try {
      return await this.gpu.createComputePipelineAsync({ label, layout: "auto", compute: { module } });
    } catch (error) {
      const { messages } = await module.getCompilationInfo();
      this.#failure = null;
      throw new DeviceError(explainCompileError(label, wgsl, messages, error));
    }
  }

  /** Makes buffers of zeros for storage and copies. Throws OutOfMemoryError with both figures when they do not fit. */
  async allocate(sizes: readonly number[], what: string): Promise<GPUBuffer[]> {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    this.#keepWithinBudget(
      sizes.reduce((sum, size) => sum + size, 0),
      what,
    );
    this.gpu.pushErrorScope("validation");
    this.gpu.pushErrorScope("out-of-memory");
    const buffers = sizes.map((size) => this.gpu.createBuffer({ label: what, size: Math.max(size, 16), usage }));
    const [memory, refused] = await Promise.all([this.gpu.popErrorScope(), this.gpu.popErrorScope()]);
    const failure = memory ?? refused;
    const bytes = buffers.reduce((sum, { size }) => sum + size, 0);
    if (failure) {
      for (const buffer of buffers) buffer.destroy();
      throw new OutOfMemoryError(this.#tooMuch(bytes, what, failure.message.split("\n")[0] ?? ""));
    }
    this.#allocated += bytes;
    return buffers;
  }

  /** A CPU driver ends the process when memory runs out, so there the plan is held against the machine's memory. */
  #keepWithinBudget(bytes: number, what: string): void {
    if (this.report.software && this.#allocated + bytes > 0.85 * totalmem()) {
      throw new OutOfMemoryError(this.#tooMuch(bytes, what, `the machine has ${mebibytes(totalmem())}`));
    }
  }

  #tooMuch(bytes: number, what: string, why: string): string {
    return (
      `${what}: ${mebibytes(bytes)} more do not fit on ${this.report.name}, which holds ${mebibytes(this.#allocated)} for ` +
      `this process already (${why}); use a smaller --batch-size, --size or --width, or ` +
      "more --accumulate with a smaller batch"
    );
  }

  /** Frees buffers made by `allocate`. Dawn gives the memory back at the next submit, so one follows. */
  free(buffers: readonly GPUBuffer[]): void {
    for (const buffer of buffers) {
      if ((buffer.usage & GPUBufferUsage.STORAGE) !== 0) this.#allocated -= buffer.size;
      buffer.destroy();
    }
    this.gpu.queue.submit([]);
  }

  /** Bytes of all living allocations. */
  get allocated(): number {
    return this.#allocated;
  }

  write(buffer: GPUBuffer, offset: number, data: Float32Array | Int32Array | Uint32Array): void {
    this.gpu.queue.writeBuffer(buffer, offset, data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  }

  clear(buffers: readonly GPUBuffer[]): void {
    const encoder = this.gpu.createCommandEncoder();
    for (const buffer of buffers) encoder.clearBuffer(buffer);
    this.gpu.queue.submit([encoder.finish()]);
  }

  /**
   * Copies bytes back. The copy is submitted before this returns, so it sees the work submitted so far and none that
   * follows; several reads may be under way.
   */
  read(buffer: GPUBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    return this.readAll([{ buffer, offset, size: bytes }]).then(([only]) => only ?? new ArrayBuffer(0));
  }

  /** As {@link read}, for several places through one mapping. */
  async readAll(places: readonly ReadPlace[]): Promise<ArrayBuffer[]> {
    this.check();
    const starts: number[] = [];
    let total = 0;
    for (const { size } of places) {
      starts.push(total);
      total += Math.ceil(size / 8) * 8;
    }
    const staging = this.#takeStaging(total);
    const encoder = this.gpu.createCommandEncoder();
    for (const [i, { buffer, offset, size }] of places.entries()) {
      encoder.copyBufferToBuffer(buffer, offset, staging, starts[i] ?? 0, Math.ceil(size / 4) * 4);
    }
    this.gpu.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, total);
    } catch (error) {
      this.check();
      throw new DeviceError(`reading back from the GPU failed: ${String(error)}`);
    }
    const mapped = staging.getMappedRange(0, total);
    const copies = places.map(({ size }, i) => mapped.slice(starts[i] ?? 0, (starts[i] ?? 0) + size));
    staging.unmap();
    this.#staging.push(staging);
    this.check();
    return copies;
  }

  /** A free staging buffer of that size. A few stay for the next read: making one per read would never free memory. */
  #takeStaging(bytes: number): GPUBuffer {
    const found = this.#staging.findIndex((buffer) => buffer.size >= bytes);
    const [kept] = found >= 0 ? this.#staging.splice(found, 1) : [];
    if (kept) return kept;
    const outgrown = this.#staging.length >= 4 ? this.#staging.shift() : undefined;
    outgrown?.destroy();
    return this.gpu.createBuffer({
      label: "read back",
      size: Math.max(bytes, 65536),
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }

  /** Waits until everything submitted so far is done. */
  async finish(): Promise<void> {
    await this.gpu.queue.onSubmittedWorkDone();
    this.check();
  }

  close(): void {
    this.#closing = true;
    for (const buffer of this.#staging) buffer.destroy();
    this.gpu.destroy();
    roots.delete(this.#root);
    // One turn of the collector may come before Dawn has finished with the device.
    setTimeout(() => this.#root, 100).unref();
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 24 ? 1 : 0)} MiB`;
}
