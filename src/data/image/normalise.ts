import type { Picture } from "./image.ts";

/** Per-channel mean and standard deviation of pixels in [0, 1]. */
export interface PixelStatistics {
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Channels-last floats (x / 255 - mean) / std of an RGB image, in single precision rounded once. */
export function normalise({ data }: Picture, { mean, std }: PixelStatistics): Float32Array<ArrayBuffer> {
  const out = new Float32Array(data.length);
  for (const channel of [0, 1, 2] as const) {
    const scaled = (x: number) => (x / 255 - mean[channel]) / std[channel];
    if (data instanceof Float32Array) {
      for (let at = channel; at < out.length; at += 3) out[at] = scaled(data[at] ?? 0);
    } else {
      const table = Float32Array.from({ length: 256 }, (_, x) => scaled(x));
      for (let at = channel; at < out.length; at += 3) out[at] = table[data[at] ?? 0] ?? 0;
    }
  }
  return out;
}
