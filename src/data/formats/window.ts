import type { ByteImage } from "../image/image.ts";
import type { ValueSlice } from "./values.ts";

/** `low` and below become 0, `high` and above 255, linear between. */
export interface Window {
  readonly low: number;
  readonly high: number;
}

/** Shares of the voxels left below and above by `percentileWindow`. */
export const PERCENTILES = { low: 0.005, high: 0.995 } as const;

const BINS = 65536;

/** Measured values (Hounsfield units, MR signal) as the bytes of a grey picture, seen through a window. */
export function windowed({ width, height, values }: Omit<ValueSlice, "nonFinite">, { low, high }: Window): ByteImage {
  const range = high > low ? high - low : Number.POSITIVE_INFINITY;
  const data = new Uint8Array(values.length);
  values.forEach((value, at) => {
    data[at] = Math.min(255, Math.max(0, Math.round(((value - low) * 255) / range)));
  });
  return { width, height, channels: 1, data };
}

type Slices = () => Iterable<Pick<ValueSlice, "values">>;

function extremes(slices: Slices): Window & { readonly count: number } {
  let [low, high, count] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const { values } of slices()) {
    count += values.length;
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return { low, high, count };
}

/**
 * The window from the 0.5th to the 99.5th percentile of all slices (65536 bins between smallest and largest value);
 * `slices` is called twice. A constant volume gives low = high, which shows as black.
 */
export function percentileWindow(slices: Slices): Window {
  const { low, high, count } = extremes(slices);
  if (!(high > low)) return { low, high };
  const histogram = new Float64Array(BINS);
  const scale = (BINS - 1) / (high - low);
  for (const { values } of slices()) {
    for (const value of values) {
      const bin = Math.round((value - low) * scale);
      histogram[bin] = (histogram[bin] ?? 0) + 1;
    }
  }
  const at = (share: number) => {
    let seen = 0;
    const bin = histogram.findIndex((voxels) => {
      seen += voxels;
      return seen >= share * count;
    });
    return low + bin / scale;
  };
  const window = { low: at(PERCENTILES.low), high: at(PERCENTILES.high) };
  // A few bright voxels on an empty background: both percentiles fall into the background.
  return window.high > window.low ? window : { low, high };
}
