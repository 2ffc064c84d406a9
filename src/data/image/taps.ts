import type { Picture } from "./image.ts";

/** Where lines lie along one axis of the bytes: outer x length x inner, so both axes share one loop. */
export interface Lines {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

export type SmoothMode = "bilinear" | "bicubic";

const REACH = { bilinear: 1, bicubic: 2 } satisfies Record<SmoothMode, number>;

function tap(mode: SmoothMode, offset: number): number {
  const x = Math.abs(offset);
  if (mode === "bilinear") return x < 1 ? 1 - x : 0;
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
}

export const WEIGHT_BITS = 22;

/** The lines of a picture along its rows, one a row, and down its columns. */
export const along = {
  columns: ({ width, height, channels }: Picture): Lines => ({ outer: height, length: width, inner: channels }),
  rows: ({ width, height, channels }: Picture): Lines => ({ outer: 1, length: height, inner: width * channels }),
};

export interface Taps {
  /** First source position of every output. */
  readonly first: Int32Array;
  readonly counts: Int32Array;
  /** `stride` weights per output, in units of 2^-22. */
  readonly weights: Int32Array;
  readonly stride: number;
}

export function tapsFor(count: number, size: number, mode: SmoothMode): Taps {
  const step = count / size;
  const stretch = Math.max(step, 1);
  const support = REACH[mode] * stretch;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(size);
  const counts = new Int32Array(size);
  const weights = new Int32Array(size * stride);
  const exact = new Float64Array(stride);
  for (let index = 0; index < size; index++) {
    const centre = (index + 0.5) * step;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), count);
    let sum = 0;
    for (let at = start; at < end; at++) {
      const weight = tap(mode, (at - centre + 0.5) * (1 / stretch));
      exact[at - start] = weight;
      sum += weight;
    }
    first[index] = start;
    counts[index] = end - start;
    for (let k = 0; k < end - start; k++) {
      const weight = (exact[k] ?? 0) / sum;
      weights[index * stride + k] = Math.trunc(weight * (1 << WEIGHT_BITS) + (weight < 0 ? -0.5 : 0.5));
    }
  }
  return { first, counts, weights, stride };
}

/** Fractional radius of the box whose threefold pass has standard deviation `sigma`, with Pillow's float32 steps. */
export function boxRadius(sigma: number): number {
  const variance = Math.fround((sigma * sigma) / 3);
  const length = Math.fround(Math.sqrt(12 * variance + 1));
  const whole = Math.floor((length - 1) / 2);
  const part = ((2 * whole + 1) * (whole * (whole + 1) - 3 * variance)) / (6 * (variance - (whole + 1) ** 2));
  return Math.fround(whole + part);
}

export interface Box {
  readonly whole: number;
  /** Weights of the pixels wholly inside and of the two partly inside, in units of 2^-24. */
  readonly inner: number;
  readonly outer: number;
}

export function boxOf(radius: number): Box {
  const whole = Math.trunc(radius);
  const inner = Math.trunc(Math.fround(2 ** 24 / Math.fround(Math.fround(radius * 2) + 1)));
  return { whole, inner, outer: Math.floor((2 ** 24 - (2 * whole + 1) * inner) / 2) };
}
