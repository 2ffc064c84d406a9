import type { Device } from "../kernels/device/device.ts";
import { interleaved, type Rounds, spreadOf, type Timed } from "./measure.ts";

const MEBIBYTES = 64;

const BYTES = MEBIBYTES * 2 ** 20;

/** A buffer copy to be timed in turns with kernels that only move numbers. */
export interface Copy {
  /** Bytes read and bytes written, both counted. */
  readonly bytes: number;
  readonly time: Timed;
  destroy(): void;
}

export async function prepareCopy(device: Device): Promise<Copy> {
  const repeats = device.target.software ? 1 : 50;
  const [from, to] = await device.allocate([BYTES, BYTES], "the copy bench");
  if (!from || !to) throw new Error("no buffers to copy");
  return {
    bytes: 2 * BYTES,
    async time() {
      const start = performance.now();
      const encoder = device.gpu.createCommandEncoder();
      for (let i = 0; i < repeats; i++) encoder.copyBufferToBuffer(from, 0, to, 0, BYTES);
      device.gpu.queue.submit([encoder.finish()]);
      await device.finish();
      return (performance.now() - start) / repeats;
    },
    destroy: () => device.free([from, to]),
  };
}

/** Gigabytes a second moved by buffer copies. */
export async function copyBandwidth(device: Device, rounds: Rounds): Promise<number> {
  const copy = await prepareCopy(device);
  try {
    const [samples = []] = await interleaved([copy.time], rounds);
    return copy.bytes / spreadOf(samples).median / 1e6;
  } finally {
    copy.destroy();
  }
}
