import { randomFloats } from "../checks/draw.ts";
import { DeviceError } from "../errors.ts";
import type { Device } from "../kernels/device/device.ts";
import { sizeOf } from "../kernels/trace/shape.ts";
import { type Description, describe, type ZooEntry } from "../model/zoo.ts";
import { type Inference, Network } from "../training/network.ts";
import type { Gauge } from "./ceiling.ts";
import { repeated, spreadOf } from "./measure.ts";

export interface FpsOptions {
  readonly batch: number;
  /** Runs to time; without it as many as fit a minute, between 3 and 200. */
  readonly runs?: number;
}

export interface FpsRow extends Pick<Description, "parameters" | "macs" | "profiledMacs"> {
  readonly name: string;
  readonly preset: string;
  /** Side of the image. */
  readonly size: number;
  readonly batch: number;
  readonly classes: number;
  readonly precision: "f32";
  readonly runs: number;
  /** Images a second at the median. */
  readonly fps: number;
  readonly medianMs: number;
  readonly p95Ms: number;
  /** Multiply-accumulates that are really computed for one image. */
  readonly executedMacs: number;
  readonly gflops: number;
  readonly ceilingGflops: number;
  readonly share: number;
  /** Bytes of weights, statistics and tensors of a run. */
  readonly bytes: number;
  readonly dispatches: number;
}

const BUDGET = 60_000;
const CHECK_SIDE = 64;
const TOLERANCE = 1e-3;

/** Times the inference of one network, after a check that what is timed computes what the network defines. */
export async function benchFps(
  device: Device,
  { name, config }: ZooEntry,
  { batch, runs }: FpsOptions,
  gauge: Gauge,
): Promise<FpsRow> {
  const { name: title, parameters, macs, profiledMacs } = describe(name, config);
  const network = await Network.create(device, config, 1);
  try {
    liven(network);
    await checkRewritten(network, name);
    const inference = await network.inference({ batch });
    const samples = await timeRuns(device, inference, { name, gauge, runs });
    const { median, p95 } = spreadOf(samples);
    const executedMacs = inference.program.dispatches.reduce((sum, dispatch) => sum + dispatch.macs, 0) / batch;
    const gflops = (2 * executedMacs * batch) / median / 1e6;
    const ceilingGflops = gauge.gflops();
    const bytes = network.store.bytes + inference.program.bytes;
    const dispatches = inference.program.dispatches.length;
    inference.program.destroy();
    return {
      ...{ name: title, preset: name, size: config.height, batch, classes: config.classes, precision: "f32" },
      ...{ runs: samples.length, fps: (1000 * batch) / median, medianMs: median, p95Ms: p95 },
      ...{ parameters, macs, profiledMacs, executedMacs },
      ...{ gflops, ceilingGflops, share: gflops / ceilingGflops, bytes, dispatches },
    };
  } finally {
    network.destroy();
  }
}

/**
 * Untrained weights shrink what passes through them to a third, and with running variances of 1 the logits would be
 * little more than biases: a wrong layer would not show. Smaller variances keep the signal alive; below 0.3 it would grow
 * without bounds through the separable attention, which multiplies activations.
 */
function liven(network: Network): void {
  for (const { name, shape } of network.table.list("statistic")) {
    if (name.endsWith("var")) network.write(name, new Float32Array(sizeOf(shape)).fill(0.5));
  }
}

function image(batch: number, height: number, width: number): Float32Array {
  return randomFloats(1, batch * height * width * 3).map((value) => 1.7 * value);
}

/** DeviceError when the rewritten and fused program differs from the literal one on a small image. */
async function checkRewritten(network: Network, name: string): Promise<void> {
  const size = { batch: 1, height: CHECK_SIDE, width: CHECK_SIDE };
  const literal = await network.inference({ ...size, form: "literal" });
  const rewritten = await network.inference(size);
  try {
    const [exact, got] = [await logitsOf(literal), await logitsOf(rewritten)];
    const problem = differenceOf(exact, got);
    if (problem !== null) throw new DeviceError(`${name} is not timed: ${problem}; 'svanet doctor' looks for the op`);
  } finally {
    literal.program.destroy();
    rewritten.program.destroy();
  }
}

async function logitsOf({ program, logits, feed }: Inference): Promise<Float32Array> {
  program.poison();
  feed(program, image(1, CHECK_SIDE, CHECK_SIDE));
  program.run();
  return program.read(logits);
}

/** What is wrong with logits that should equal the literal program's; null when nothing is. */
export function differenceOf(exact: Float32Array, got: Float32Array): string | null {
  let largest = 0;
  let worst = 0;
  for (const [i, value] of exact.entries()) {
    const other = got[i] ?? Number.NaN;
    if (!Number.isFinite(value) || !Number.isFinite(other))
      return `logit ${i} is ${other}, by the literal form ${value}`;
    largest = Math.max(largest, Math.abs(value));
    worst = Math.max(worst, Math.abs(value - other));
  }
  return worst <= TOLERANCE * largest
    ? null
    : `its logits differ by ${worst} from the literal form's, at most ${largest}`;
}

async function timeRuns(
  device: Device,
  { program, batch, logits, feed }: Inference,
  { name, gauge, runs }: { readonly name: string; readonly gauge: Gauge; readonly runs: number | undefined },
): Promise<number[]> {
  const [, height = 1, width = 1] = logits.shape;
  feed(program, image(batch, height, width));
  const once = async () => {
    await gauge.sample();
    const start = performance.now();
    program.run();
    await device.finish();
    return performance.now() - start;
  };
  await once();
  const samples = await repeated(once, runs, BUDGET);
  const values = await program.read(logits);
  if (values.every(Number.isFinite)) return samples;
  throw new DeviceError(`${name} at ${height} x ${width} gave numbers that are not finite`);
}
