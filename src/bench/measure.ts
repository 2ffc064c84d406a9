import type { Program } from "../kernels/compile/program.ts";
import type { Device } from "../kernels/device/device.ts";

/** What repeated timings of one thing say: the middle one, and how far they scatter. */
export interface Spread {
  readonly median: number;
  /** Nine of ten lie between these. */
  readonly p05: number;
  readonly p95: number;
  readonly samples: number;
}

/** The value below which the given share of the sorted numbers lies, between neighbours in proportion. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? low;
  return low + (high - low) * (at - Math.floor(at));
}

export function spreadOf(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    p05: quantile(sorted, 0.05),
    p95: quantile(sorted, 0.95),
    samples: sorted.length,
  };
}

/** One thing to time, in milliseconds a call. */
export type Timed = () => Promise<number>;

export interface Rounds {
  readonly least: number;
  readonly most: number;
  /** Rounds go on until so many milliseconds are used, between `least` and `most` of them. */
  readonly budget: number;
}

/**
 * Times several things in turns, one of each a round: on a machine that other work shares, what slows one slows all.
 * Every one runs once untimed first.
 */
export async function interleaved(timed: readonly Timed[], { least, most, budget }: Rounds): Promise<number[][]> {
  const samples = timed.map((): number[] => []);
  for (const run of timed) await run();
  const start = performance.now();
  for (let round = 0; round < most; round++) {
    if (round >= least && performance.now() - start > budget) break;
    for (const [i, run] of timed.entries()) samples[i]?.push(await run());
  }
  return samples;
}

/** Time by the wall clock of `repeats` runs submitted together, per run. */
export function wallTime(device: Device, program: Program, repeats = 1): Timed {
  return async () => {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) program.run();
    await device.finish();
    return (performance.now() - start) / repeats;
  };
}

/**
 * Time on the GPU of those dispatches of a program that `counts` picks by their path, launch overhead excluded. Where
 * the adapter has no timestamp queries only a whole program can be timed, by the wall clock.
 */
export function kernelTime(device: Device, program: Program, counts: (path: string) => boolean): Timed {
  if (!device.report.features.includes("timestamp-query")) return wallTime(device, program, 4);
  return async () => {
    const timings = await program.profile();
    return timings.reduce((sum, { path, milliseconds }) => sum + (counts(path) ? milliseconds : 0), 0);
  };
}

/** How often something is timed. */
export interface Limits {
  /** Exactly so many times; undefined for as many as fit. */
  readonly count: number | undefined;
  /** The most times unasked: more would not change what is told. */
  readonly most: number;
  /** Milliseconds after which it ends, three times done. */
  readonly budget: number;
}

/** Times something `count` times, or as often as fits the budget of milliseconds: three times at least, `most` at most. */
export async function repeated(
  once: (index: number) => Promise<number>,
  { count, most, budget }: Limits,
): Promise<number[]> {
  const samples: number[] = [];
  const start = performance.now();
  const spent = () => samples.length >= 3 && performance.now() - start > budget;
  const enough = () => (count === undefined ? samples.length >= most || spent() : samples.length >= count);
  while (!enough()) samples.push(await once(samples.length));
  return samples;
}

export const meanOf = (samples: readonly number[]): number =>
  samples.reduce((sum, sample) => sum + sample, 0) / samples.length;

/** Runs of a program whose GPU time is taken: one where they are long. */
const PROFILES = 3;
const LONG = 2000;

/** GPU time of a run by its timestamps: of all its dispatches, and of those that multiply. */
export interface GpuTime {
  readonly gpuMs: number | null;
  readonly productMs: number | null;
}

/** The middle of a few runs that take about `expected` milliseconds; null where the adapter has no timestamps. */
export async function gpuTime(device: Device, program: Program, expected: number): Promise<GpuTime> {
  if (!device.report.features.includes("timestamp-query")) return { gpuMs: null, productMs: null };
  const [all, products]: [number[], number[]] = [[], []];
  for (let run = 0; run < (expected > LONG ? 1 : PROFILES); run++) {
    const timings = await program.profile();
    all.push(timings.reduce((sum, { milliseconds }) => sum + milliseconds, 0));
    products.push(timings.reduce((sum, { milliseconds, macs }) => sum + (macs > 0 ? milliseconds : 0), 0));
  }
  return { gpuMs: spreadOf(all).median, productMs: spreadOf(products).median };
}
