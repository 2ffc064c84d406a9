import { randomFloats } from "../checks/draw.ts";
import type { Program } from "../kernels/compile/program.ts";
import type { Timing } from "../kernels/compile/timestamps.ts";
import type { Device } from "../kernels/device/device.ts";
import type { NetworkConfig } from "../model/zoo.ts";
import { Network } from "../training/network.ts";
import type { Precision } from "../training/passes.ts";
import { spreadOf } from "./measure.ts";
import { prepareTraining } from "./training.ts";

/** All dispatches of one kind in a run. */
export interface KernelRow {
  readonly label: string;
  readonly dispatches: number;
  readonly milliseconds: number;
  /** Of the run's GPU time. */
  readonly share: number;
  /** Null for kernels that count no multiply-accumulates. */
  readonly gflops: number | null;
  /** The slowest of them and where it is called. */
  readonly worst: { readonly path: string; readonly milliseconds: number };
}

export interface ProfileOptions {
  readonly batch: number;
  readonly train: boolean;
  readonly rounds: number;
  readonly precision: Precision;
}

/** Time of every kernel of an inference or training step: per dispatch the median of several runs. */
export async function benchProfile(
  device: Device,
  config: NetworkConfig,
  options: ProfileOptions,
): Promise<KernelRow[]> {
  const { batch, train, rounds, precision } = options;
  if (train) {
    const bench = await prepareTraining(device, config, { batch, precision });
    try {
      await bench.step(0);
      return summarise(await medians(bench.program, rounds));
    } finally {
      bench.destroy();
    }
  }
  const network = await Network.create(device, config, 1);
  try {
    const { program, feed } = await network.inference({ batch, precision });
    feed(program, randomFloats(1, batch * config.height * config.width * 3));
    program.run();
    return summarise(await medians(program, rounds));
  } finally {
    network.destroy();
  }
}

async function medians(program: Program, rounds: number): Promise<Timing[]> {
  const runs: Timing[][] = [];
  for (let round = 0; round < rounds; round++) runs.push(await program.profile());
  const [first = []] = runs;
  return first.map((timing, i) => ({
    ...timing,
    milliseconds: spreadOf(runs.map((run) => run[i]?.milliseconds ?? Number.NaN)).median,
  }));
}

/** One row a kind of kernel, the slowest first. */
export function summarise(timings: readonly Timing[]): KernelRow[] {
  const kinds = new Map<string, Timing[]>();
  for (const timing of timings) kinds.set(timing.label, [...(kinds.get(timing.label) ?? []), timing]);
  const total = timings.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const rows = [...kinds].map(([label, own]): KernelRow => {
    const milliseconds = own.reduce((sum, timing) => sum + timing.milliseconds, 0);
    const macs = own.reduce((sum, timing) => sum + timing.macs, 0);
    const [worst] = [...own].sort((a, b) => b.milliseconds - a.milliseconds);
    return {
      label,
      dispatches: own.length,
      milliseconds,
      share: milliseconds / total,
      gflops: macs > 0 ? (2 * macs) / milliseconds / 1e6 : null,
      worst: { path: worst?.path ?? "", milliseconds: worst?.milliseconds ?? 0 },
    };
  });
  return rows.sort((a, b) => b.milliseconds - a.milliseconds);
}
