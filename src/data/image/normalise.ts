import type { ByteImage } from "./image.ts";

/** Per-channel mean and standard deviation of pixels in [0, 1]. */
export interface PixelStatistics {
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Channels-last floats (x / 255 - mean) / std of an RGB image, in single precision rounded once. */
export function normalise(image: ByteImage, { mean, std }: PixelStatistics): Float32Array<ArrayBuffer> {
  const tables = [0, 1, 2].map((channel) =>
    Float32Array.from({ length: 256 }, (_, x) => (x / 255 - (mean[channel] ?? 0)) / (std[channel] ?? 1)),
  );
  const out = new Float32Array(image.data.length);
  tables.forEach((table, channel) => {
    for (let at = channel; at < out.length; at += 3) out[at] = table[image.data[at] ?? 0] ?? 0;
  });
  return out;
}
