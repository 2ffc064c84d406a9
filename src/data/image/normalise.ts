import { ShapeError } from "../../errors.ts";
import type { Picture } from "./image.ts";

/** Mean and standard deviation of pixels in [0, 1], one of each for every channel. */
export interface PixelStatistics {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * Channels-last floats (x / 255 - mean) / std of an image, in single precision rounded once. Throws ShapeError where there
 * are not as many means and deviations as channels.
 */
export function normalise({ data, channels }: Picture, { mean, std }: PixelStatistics): Float32Array<ArrayBuffer> {
  if (mean.length !== channels || std.length !== channels) {
    throw new ShapeError(`normalise: ${mean.length} means, ${std.length} deviations for ${channels} channels`);
  }
  const out = new Float32Array(data.length);
  for (const [channel, middle] of mean.entries()) {
    const spread = std[channel] ?? 1;
    writeScaled(data, out, { channel, channels }, (x) => (x / 255 - middle) / spread);
  }
  return out;
}

/** Every sample of one channel as `scaled` gives it. */
function writeScaled(
  data: Picture["data"],
  out: Float32Array,
  { channel, channels }: { readonly channel: number; readonly channels: number },
  scaled: (x: number) => number,
): void {
  if (data instanceof Float32Array) {
    for (let at = channel; at < out.length; at += channels) out[at] = scaled(data[at] ?? 0);
    return;
  }
  const table = Float32Array.from({ length: 256 }, (_, x) => scaled(x));
  for (let at = channel; at < out.length; at += channels) out[at] = table[data[at] ?? 0] ?? 0;
}
