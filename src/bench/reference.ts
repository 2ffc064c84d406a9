import { sampled } from "../checks/check-case.ts";
import { randomFloats } from "../checks/draw.ts";
import { DeviceError } from "../errors.ts";
import type { Device } from "../kernels/device/device.ts";
import type { Target } from "../kernels/target.ts";
import { sizeOf } from "../kernels/trace/shape.ts";
import type { ZooEntry } from "../model/zoo.ts";
import type { Inference } from "../training/network.ts";
import { Network } from "../training/network.ts";
import type { Precision } from "../training/passes.ts";

/**
 * What a timed program is held against, at its own size: the same network by the plain kernels, which share nothing
 * between lanes, on a device of its own that is closed before anything is timed.
 */

/** An adapter of which nothing is known that a faster kernel could use. */
export const PLAIN: Partial<Target> = { software: true, subgroupSize: null };

/** Opens the adapter that is measured once more, as {@link PLAIN}. */
export type OpenPlain = () => Promise<Device>;

export const SEED = 1;

/** A network of untrained weights, alive enough for a wrong layer to show. */
export async function livelyNetwork(device: Device, { config }: ZooEntry): Promise<Network> {
  const network = await Network.create(device, config, SEED);
  liven(network);
  return network;
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

/** A batch whose images all differ. */
export function images(batch: number, height: number, width: number): Float32Array {
  return randomFloats(SEED, batch * height * width * 3).map((value) => 1.7 * value);
}

/** The logits of a batch's first and last image by the literal program and the plain kernels, one image a run. */
export async function literalLogits(openPlain: OpenPlain, entry: ZooEntry, batch: number): Promise<Float32Array[]> {
  const { height, width } = entry.config;
  const given = images(batch, height, width);
  const length = height * width * 3;
  const device = await openPlain();
  try {
    const network = await livelyNetwork(device, entry);
    const { program, logits, feed } = await network.inference({ batch: 1, form: "literal" });
    const found: Float32Array[] = [];
    for (const index of ends(batch)) {
      program.poison();
      feed(program, given.subarray(index * length, (index + 1) * length));
      program.run();
      found.push(await program.read(logits));
    }
    return found;
  } finally {
    device.close();
  }
}

const ends = (batch: number): number[] => [...new Set([0, batch - 1])];

/** Runs a program once on the same batch and compares; returns its logits. DeviceError when they differ. */
export async function checkLogits(
  name: string,
  exact: readonly Float32Array[],
  { program, batch, logits, feed }: Inference,
  precision: Precision,
) {
  const [, height = 1, width = 1] = logits.shape;
  program.poison();
  feed(program, images(batch, height, width));
  program.run();
  const got = await program.read(logits);
  const length = got.length / batch;
  for (const [i, index] of ends(batch).entries()) {
    const problem = differenceOf(
      exact[i] ?? new Float32Array(),
      got.subarray(index * length, (index + 1) * length),
      precision,
    );
    if (problem !== null) throw new DeviceError(`${name} is not timed: ${problem}; 'svanet doctor' looks for the op`);
  }
  return got;
}

/** Of the largest logit: half precision rounds to 11 bits at every layer. */
const LOGIT_TOLERANCE = { f32: 1e-3, f16: 2e-2 } as const satisfies Readonly<Record<Precision, number>>;

/** What is wrong with logits that should equal the literal program's; null when nothing is. */
export function differenceOf(exact: Float32Array, got: Float32Array, precision: Precision = "f32"): string | null {
  if (got.length !== exact.length) return `it gave ${got.length} logits, the literal form ${exact.length}`;
  let largest = 0;
  let worst = 0;
  for (const [i, value] of exact.entries()) {
    const other = got[i] ?? Number.NaN;
    if (!Number.isFinite(value) || !Number.isFinite(other))
      return `logit ${i} is ${other}, by the literal form ${value}`;
    largest = Math.max(largest, Math.abs(value));
    worst = Math.max(worst, Math.abs(value - other));
  }
  return worst <= LOGIT_TOLERANCE[precision] * largest
    ? null
    : `its logits differ by ${worst} from the literal form's, at most ${largest}`;
}

/** What is compared of a training step: its loss, and samples of every gradient by the weight's name. */
export interface StepSample {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

/** Elements of each weight's gradient. */
const SAMPLES = 64;

/** Of the step that was run last, whose loss is given, and whose gradients carry `lossScale`. */
export async function sampleOf(network: Network, loss: number, lossScale = 1): Promise<StepSample> {
  const whole = await network.read("gradient");
  const sample = (all: Float32Array) =>
    Float32Array.from(sampled(all.length, SAMPLES), (place) => (all[place] ?? Number.NaN) / lossScale);
  return { loss, gradients: new Map([...whole].map(([name, all]) => [name, sample(all)])) };
}

const LOSS_TOLERANCE = { f32: 1e-4, f16: 1e-2 } as const satisfies Readonly<Record<Precision, number>>;
/** Sums in another order move activations round zero to its other side, and the gradients behind them. */
const GRADIENT_TOLERANCE = { f32: 0.02, f16: 0.2 } as const satisfies Readonly<Record<Precision, number>>;
/** A gradient that is zero but for rounding is compared with the largest one. */
const NOISE = 1e-3;

/** What is wrong with a step that should equal the plain kernels'; null when nothing is. */
export function stepDifference(exact: StepSample, got: StepSample, precision: Precision = "f32"): string | null {
  if (!(Math.abs(got.loss - exact.loss) <= LOSS_TOLERANCE[precision] * Math.abs(exact.loss)))
    return `its loss is ${got.loss}, by the plain kernels ${exact.loss}`;
  const most = Math.max(...[...exact.gradients.values()].map(largestOf));
  for (const [name, expected] of exact.gradients) {
    const actual = got.gradients.get(name) ?? new Float32Array();
    const allowed = GRADIENT_TOLERANCE[precision] * Math.max(largestOf(expected), NOISE * most);
    const worst = largestOf(expected.map((value, i) => value - (actual[i] ?? Number.NaN)));
    if (!(worst <= allowed))
      return `the gradient of ${name} differs by ${worst} from the plain kernels', at most ${allowed}`;
  }
  return null;
}

function largestOf(values: Float32Array): number {
  return values.reduce((most, value) => (Number.isNaN(value) ? value : Math.max(most, Math.abs(value))), 0);
}
