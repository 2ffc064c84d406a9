import { DeviceError, DeviceLostError, OutOfMemoryError } from "../../errors.ts";
import type { Target } from "../target.ts";
import type { AdapterReport } from "./adapter.ts";
import { explainCompileError } from "./compile-error.ts";
import { Readback, type ReadPlace } from "./readback.ts";

/** Share of the machine's memory that work may take. */
const BUDGET = 0.85;

/** What a device is told of the place it runs in by the platform that opened it. */
export interface DeviceHost {
  readonly report: AdapterReport;
  readonly target: Target;
  /** Bytes of the machine's memory, which a software driver's buffers come from; null where nobody tells (a browser). */
  readonly memory: number | null;
  /** Runs once the device is closed: the platform lets go of what it held for it. */
  readonly onClose?: () => void;
  /** Takes what a person should know of the work on this device, a sentence for each kind of thing. */
  readonly onNotice?: ((sentence: string) => void) | undefined;
  /** Takes the loss of the GPU when it happens; the next read throws it too. */
  readonly onLost?: ((error: DeviceLostError) => void) | undefined;
  /** The clause that says what to do once the GPU is lost (default: that of a run's command). */
  readonly lostAdvice?: string;
}

const RUN_AGAIN = "the last checkpoint is intact: run again with --resume";

/** One adapter with its pipelines, buffers and errors. A platform opens it (`openDevice`); nothing here knows which. */
export class Device {
  readonly gpu: GPUDevice;
  readonly target: Target;
  readonly report: AdapterReport;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #readback: Readback;
  readonly #memory: number | null;
  readonly #onClose: (() => void) | undefined;
  readonly #onNotice: ((sentence: string) => void) | undefined;
  readonly #noticed = new Set<string>();
  #failure: Error | null = null;
  #closing = false;
  #allocated = 0;

  constructor(gpu: GPUDevice, host: DeviceHost) {
    const { report, target, memory, onClose, onNotice, onLost, lostAdvice = RUN_AGAIN } = host;
    this.gpu = gpu;
    this.report = report;
    this.target = target;
    this.#memory = memory;
    this.#onClose = onClose;
    this.#onNotice = onNotice;
    this.#readback = new Readback(gpu, () => this.check());
    gpu.addEventListener("uncapturederror", (event) => {
      this.#failure ??= new DeviceError(`the GPU refused a command: ${event.error.message}`);
    });
    void gpu.lost.then((info) => {
      if (this.#closing) return;
      const lost = new DeviceLostError(`the GPU was lost (${info.reason}: ${info.message}); ${lostAdvice}`);
      this.#failure = lost;
      onLost?.(lost);
    });
  }

  /** Throws DeviceError where tensors cannot be stored in half precision. */
  requireHalf(): void {
    if (this.target.half) return;
    throw new DeviceError(
      `${this.report.name} cannot store tensors in half precision (its driver lacks shader-f16): leave out --amp and ` +
        "--precision f16, update the driver, or choose another GPU with --adapter",
    );
  }

  /** Submits work whose errors, which come later, are to carry its name; the next read or `finish` throws them. */
  watch(name: string, submit: () => void): void {
    this.gpu.pushErrorScope("validation");
    this.gpu.pushErrorScope("out-of-memory");
    submit();
    const note = (kind: new (message: string) => DeviceError) => (error: GPUError | null) => {
      if (error) this.#failure ??= new kind(`${name}: the GPU refused the work: ${error.message}`);
    };
    const ignore = () => undefined; // a lost device reports itself
    this.gpu.popErrorScope().then(note(OutOfMemoryError), ignore);
    this.gpu.popErrorScope().then(note(DeviceError), ignore);
  }

  /** Hands a sentence to whoever listens ({@link DeviceHost.onNotice}), the first of each kind. */
  notice(kind: string, sentence: string): void {
    if (this.#noticed.has(kind)) return;
    this.#noticed.add(kind);
    this.#onNotice?.(sentence);
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
    const module = this.#shaderModule(wgsl, label);
    try {
      return await this.gpu.createComputePipelineAsync({ label, layout: "auto", compute: { module } });
    } catch (error) {
      const { messages } = await module.getCompilationInfo();
      // The driver may say that it gave up on the pipeline before it says that the GPU is gone.
      await new Promise((resolve) => setTimeout(resolve));
      if (this.#failure instanceof DeviceLostError) throw this.#failure;
      throw new DeviceError(explainCompileError(label, wgsl, messages, error));
    }
  }

  /** Its errors come again, with their lines, where a pipeline is made of it. */
  #shaderModule(wgsl: string, label: string): GPUShaderModule {
    this.gpu.pushErrorScope("validation");
    const module = this.gpu.createShaderModule({ label, code: wgsl });
    this.gpu.popErrorScope().catch(() => undefined); // a lost device reports itself
    return module;
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
      throw this.#tooMuch(bytes, what, failure.message.split("\n")[0] ?? "");
    }
    this.#allocated += bytes;
    return buffers;
  }

  /** What work may take of this device and its host. */
  get room(): { readonly gpu: number | null; readonly host: number | null; readonly shared: boolean } {
    const { software } = this.report;
    const host = this.#memory === null ? null : BUDGET * this.#memory - (software ? this.#allocated : 0);
    return { gpu: software ? host : null, host, shared: software };
  }

  /**
   * Throws OutOfMemoryError where a run that needs at least `bytes`, `inputs` of them from the host, cannot fit: to be
   * called before its shaders are written, since both take long for what is far too large.
   */
  requireRoom({ bytes, inputs }: { readonly bytes: number; readonly inputs: number }, what: string): void {
    this.#keepWithinBudget(bytes, what);
    if (this.#memory !== null && inputs > BUDGET * this.#memory) {
      throw new OutOfMemoryError(
        `${what}: its inputs take ${mebibytes(inputs)}, the machine has ${mebibytes(this.#memory)}`,
        { advice: "use a smaller --batch-size or --size" },
      );
    }
  }

  /** A CPU driver ends the process when memory runs out, so there the plan is held against the machine's memory. */
  #keepWithinBudget(bytes: number, what: string): void {
    if (!this.report.software || this.#memory === null) return;
    if (this.#allocated + bytes > BUDGET * this.#memory) {
      throw this.#tooMuch(bytes, what, `the machine has ${mebibytes(this.#memory)}`);
    }
  }

  #tooMuch(bytes: number, what: string, why: string): OutOfMemoryError {
    const figures =
      `${what}: ${mebibytes(bytes)} more do not fit on ${this.report.name}, which holds ${mebibytes(this.#allocated)} for ` +
      `this process already (${why})`;
    const advice = "use a smaller --batch-size, --size or --width, or more --accumulate with a smaller batch";
    return new OutOfMemoryError(figures, { advice });
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
  readAll(places: readonly ReadPlace[]): Promise<ArrayBuffer[]> {
    return this.#readback.read(places);
  }

  /** Waits until everything submitted so far is done. */
  async finish(): Promise<void> {
    await this.gpu.queue.onSubmittedWorkDone();
    this.check();
  }

  /** Gives everything back. Losing the GPU is no failure from here on. */
  close(): void {
    this.#closing = true;
    this.#readback.destroy();
    this.gpu.destroy();
    this.#onClose?.();
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 24 ? 1 : 0)} MiB`;
}
