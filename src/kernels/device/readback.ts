import { DeviceError } from "../../errors.ts";

/** Bytes to copy back. */
export interface ReadPlace {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** Copies from the GPU to the host, through a few staging buffers that stay for the next read. */
export class Readback {
  readonly #gpu: GPUDevice;
  readonly #check: () => void;
  readonly #staging: GPUBuffer[] = [];

  /** `check` throws what went wrong on the device so far. */
  constructor(gpu: GPUDevice, check: () => void) {
    this.#gpu = gpu;
    this.#check = check;
  }

  /** See `Device.read`. Throws DeviceError where the buffer cannot be mapped, and whatever `check` throws. */
  async read(places: readonly ReadPlace[]): Promise<ArrayBuffer[]> {
    this.#check();
    const starts: number[] = [];
    let total = 0;
    for (const { size } of places) {
      starts.push(total);
      total += Math.ceil(size / 8) * 8;
    }
    const staging = this.#takeStaging(total);
    const encoder = this.#gpu.createCommandEncoder();
    for (const [i, { buffer, offset, size }] of places.entries()) {
      encoder.copyBufferToBuffer(buffer, offset, staging, starts[i] ?? 0, Math.ceil(size / 4) * 4);
    }
    this.#gpu.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, total);
    } catch (error) {
      this.#check();
      throw new DeviceError(`reading back from the GPU failed: ${String(error)}`);
    }
    const mapped = staging.getMappedRange(0, total);
    const copies = places.map(({ size }, i) => mapped.slice(starts[i] ?? 0, (starts[i] ?? 0) + size));
    staging.unmap();
    this.#staging.push(staging);
    this.#check();
    return copies;
  }

  /** A free staging buffer of that size. A few stay for the next read: making one per read would never free memory. */
  #takeStaging(bytes: number): GPUBuffer {
    const found = this.#staging.findIndex((buffer) => buffer.size >= bytes);
    const [kept] = found >= 0 ? this.#staging.splice(found, 1) : [];
    if (kept) return kept;
    const outgrown = this.#staging.length >= 4 ? this.#staging.shift() : undefined;
    outgrown?.destroy();
    return this.#gpu.createBuffer({
      label: "read back",
      size: Math.max(bytes, 65536),
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }

  /** Frees the staging buffers. */
  destroy(): void {
    for (const buffer of this.#staging) buffer.destroy();
  }
}
