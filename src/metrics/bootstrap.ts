import { DataError } from "../errors.ts";
import { random } from "../kernels/random.ts";
import { quantile } from "./surface.ts";

export interface BootstrapOptions {
  /** Decides every draw. */
  readonly seed?: number;
  /** How often the images are drawn anew. */
  readonly resamples?: number;
  /** Share of the drawn values an interval holds. */
  readonly level?: number;
}

/** Defaults: 1000 draws, 95 %. */
export const BOOTSTRAP = { seed: 0, resamples: 1000, level: 0.95 } as const;

/** An interval, in the unit of what it belongs to. */
export type Interval = readonly [low: number, high: number];

/**
 * Percentile bootstrap over images: `images` of them are drawn with replacement, `statistic` computes any number of
 * values from how often each was drawn, and an interval holds the middle `level` of what it gave. Draws for which a value
 * does not exist (NaN) are left out of its interval. Fewer than two images tell nothing of the spread: NaN.
 */
export function bootstrap(
  images: number,
  statistic: (times: Uint32Array) => readonly number[],
  options: BootstrapOptions = {},
): Interval[] {
  const { seed, resamples, level } = { ...BOOTSTRAP, ...options };
  if (!Number.isInteger(resamples) || resamples < 1) {
    throw new DataError(`A bootstrap needs a whole number of draws from 1, not ${resamples}.`);
  }
  const draws: number[][] = [];
  for (let draw = 0; draw < resamples; draw++) {
    const walk = random(seed, "bootstrap", draw);
    const times = new Uint32Array(images);
    for (let i = 0; i < images; i++) {
      const image = walk.integer(images);
      times[image] = (times[image] ?? 0) + 1;
    }
    for (const [k, value] of statistic(times).entries()) {
      const values = draws[k] ?? [];
      draws[k] = values;
      if (!Number.isNaN(value)) values.push(value);
    }
  }
  const tail = (1 - level) / 2;
  return draws.map(
    (values): Interval =>
      images < 2 ? [Number.NaN, Number.NaN] : [quantile(values, tail), quantile(values, 1 - tail)],
  );
}
