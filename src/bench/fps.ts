import { DeviceError } from "../errors.ts";
import type { Device } from "../kernels/device/device.ts";
import { type Description, describe, type ZooEntry } from "../model/zoo.ts";
import type { Inference } from "../training/network.ts";
import type { Precision } from "../training/passes.ts";
import type { Gauge } from "./ceiling.ts";
import { type GpuTime, gpuTime, meanOf, repeated, spreadOf } from "./measure.ts";
import { type PaperSide, paperSide } from "./paper-networks.ts";
import { checkLogits, literalLogits, livelyNetwork, type OpenPlain } from "./reference.ts";

export interface FpsOptions {
  readonly batch: number;
  readonly precision: Precision;
  /** Runs to time; without it {@link PAPER_RUNS}, or as many as fit the budget, three at the least. */
  readonly runs?: number;
  /** Milliseconds for the runs of one network. */
  readonly budget: number;
  /** Opens the same adapter for the plain kernels. */
  readonly openPlain: OpenPlain;
}

/** The paper's frames a second are the mean of so many runs. */
export const PAPER_RUNS = 1000;

/** A row of the paper's Table VII with what we measure beside it. */
export interface FpsRow extends PaperSide, GpuTime, Pick<Description, "parameters" | "macs" | "profiledMacs"> {
  /** Side of the image. */
  readonly size: number;
  readonly batch: number;
  readonly classes: number;
  readonly precision: Precision;
  readonly runs: number;
  /** Images a second: of the mean run, as the paper's. */
  readonly fps: number;
  readonly meanMs: number;
  readonly medianMs: number;
  readonly p95Ms: number;
  /** Multiply-accumulates that are really computed for one image. */
  readonly executedMacs: number;
  readonly gflops: number;
  readonly ceilingGflops: number;
  readonly share: number;
  /** Bytes of weights, statistics and tensors of a run. */
  readonly peakBytes: number;
  readonly dispatches: number;
}

/** Times the inference of one network, after a check that what is timed computes what the network defines. */
export async function benchFps(device: Device, entry: ZooEntry, options: FpsOptions, gauge: Gauge): Promise<FpsRow> {
  const { name, config } = entry;
  const { batch, precision, openPlain } = options;
  const { parameters, macs, profiledMacs } = describe(name, config);
  const exact = await literalLogits(openPlain, entry, batch);
  const network = await livelyNetwork(device, entry);
  try {
    const inference = await network.inference({ batch, precision });
    const logits = await checkLogits(name, exact, inference, precision);
    const samples = await timeRuns(device, inference, options, gauge);
    await requireSame(name, logits, inference);
    const { median, p95 } = spreadOf(samples);
    const mean = meanOf(samples);
    const { program } = inference;
    const executedMacs = program.dispatches.reduce((sum, dispatch) => sum + dispatch.macs, 0) / batch;
    const gflops = (2 * executedMacs * batch) / median / 1e6;
    const ceilingGflops = gauge.gflops();
    const row: FpsRow = {
      ...paperSide(name),
      ...{ size: config.height, batch, classes: config.classes, precision },
      ...{ parameters, macs, profiledMacs, executedMacs },
      ...{ runs: samples.length, fps: (1000 * batch) / mean, meanMs: mean, medianMs: median, p95Ms: p95 },
      ...(await gpuTime(device, program, median)),
      ...{ gflops, ceilingGflops, share: gflops / ceilingGflops },
      ...{ peakBytes: network.store.bytes + program.bytes, dispatches: program.dispatches.length },
    };
    program.destroy();
    return row;
  } finally {
    network.destroy();
  }
}

async function timeRuns(
  device: Device,
  { program }: Inference,
  { runs, budget }: FpsOptions,
  gauge: Gauge,
): Promise<number[]> {
  const once = gauge.beside(async () => {
    const start = performance.now();
    program.run();
    await device.finish();
    return performance.now() - start;
  });
  await once(0);
  return repeated(once, { count: runs, most: PAPER_RUNS, budget });
}

/** Every run of a program gives the same bits: DeviceError where the last one timed did not. */
async function requireSame(name: string, first: Float32Array, { program, logits }: Inference): Promise<void> {
  const last = await program.read(logits);
  if (last.some((value, i) => !Object.is(value, first[i])))
    throw new DeviceError(`${name} is not timed: its logits changed from run to run; 'svanet doctor' looks for the op`);
}
