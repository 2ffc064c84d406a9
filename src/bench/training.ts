import { randomFloats } from "../checks/draw.ts";
import { DeviceError } from "../errors.ts";
import type { Program } from "../kernels/compile/program.ts";
import type { Device } from "../kernels/device/device.ts";
import { LOSS_SCALE_RULE } from "../kernels/ops/update/kernels.ts";
import { type Allowance, CHEAP } from "../kernels/passes/recompute.ts";
import { random } from "../kernels/random.ts";
import { DEFAULT_LOSS } from "../model/supervision.ts";
import type { NetworkConfig, ZooEntry } from "../model/zoo.ts";
import { Network } from "../training/network.ts";
import type { Precision } from "../training/passes.ts";
import { allocateTraining, compileStep } from "../training/trainer.ts";
import type { TrainingSettings } from "../training/training-trace.ts";
import type { Gauge } from "./ceiling.ts";
import { type GpuTime, gpuTime, repeated, spreadOf } from "./measure.ts";
import { type PaperSide, paperSide } from "./paper-networks.ts";
import { type OpenPlain, SEED, type StepSample, sampleOf, stepDifference } from "./reference.ts";

/** A network with the program of its training step, fed with one made-up batch. */
export interface TrainingBench {
  readonly network: Network;
  readonly program: Program;
  /** Submits step `index` with its own draws and returns the loss. */
  step(index: number): Promise<number>;
  destroy(): void;
}

/** The paper's optimizer and loss. */
function settingsOf({ batch, repeat = CHEAP, precision = "f32" }: TrainingWork): TrainingSettings {
  const optimizer = { kind: "adamw", betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.03, clipNorm: null } as const;
  return { batch, loss: DEFAULT_LOSS, optimizer, accumulate: 1, rates: () => 1, repeat, precision };
}

const RATE = 1e-4;

/** What is trained on how much. */
export interface TrainingWork {
  readonly batch: number;
  /** What a step may compute twice to hold less. */
  readonly repeat?: Allowance | undefined;
  /** Default: f32. */
  readonly precision?: Precision | undefined;
}

export async function prepareTraining(
  device: Device,
  config: NetworkConfig,
  work: TrainingWork,
): Promise<TrainingBench> {
  const settings = settingsOf(work);
  const { batch } = work;
  const network = await Network.create(device, config, SEED);
  await allocateTraining(network, settings);
  const { trace, program } = await compileStep(network, settings);
  const { height, width, classes } = config;
  const pixels = batch * height * width;
  const given = { images: randomFloats(SEED, pixels * 3), labels: labels(pixels, classes), height, width };
  const classWeights = new Float32Array(classes).fill(1);
  const feed = (index: number) => {
    const draws = trace.draws.sample(SEED, index, network.regions);
    trace.feed(program, given, { rate: RATE, classWeights, draws });
  };
  feed(0);
  return {
    network,
    program,
    async step(index) {
      for (const [name, data] of trace.draws.sample(SEED, index, network.regions)) program.write(name, data);
      program.run();
      const [value = Number.NaN] = await program.read(trace.loss);
      if (!Number.isFinite(value))
        throw new DeviceError(`the loss of step ${index} is ${value}: this step is not timed`);
      return value;
    },
    destroy() {
      program.destroy();
      network.destroy();
    },
  };
}

/** Random classes, one image row of ten ignored. */
function labels(count: number, classes: number): Int32Array {
  const walk = random(SEED, "labels");
  return Int32Array.from({ length: count }, () => (walk.uniform() < 0.1 ? 255 : walk.integer(classes)));
}

export interface TrainOptions extends TrainingWork {
  readonly precision: Precision;
  /** Steps to time; without it as many as fit the budget, between three and {@link MOST_STEPS}. */
  readonly steps?: number;
  /** Milliseconds for the steps of one network. */
  readonly budget: number;
  /** Opens the same adapter for the plain kernels. */
  readonly openPlain: OpenPlain;
}

/** More would move neither a median nor a 95th percentile. */
const MOST_STEPS = 200;

export interface TrainRow extends PaperSide, GpuTime {
  readonly size: number;
  readonly batch: number;
  readonly classes: number;
  readonly precision: Precision;
  readonly steps: number;
  readonly stepsPerSecond: number;
  readonly imagesPerSecond: number;
  readonly medianMs: number;
  readonly p95Ms: number;
  /** Multiply-accumulates of one step that are really computed, backward included. */
  readonly executedMacs: number;
  readonly gflops: number;
  readonly ceilingGflops: number;
  readonly share: number;
  /** Bytes of weights, gradients, moments and tensors of a step. */
  readonly peakBytes: number;
  /** Of these, what any plan needs. */
  readonly leastBytes: number;
  readonly dispatches: number;
}

/** Times whole training steps on one batch, data loading left out, after the first one's loss and gradients were checked. */
export async function benchTrain(
  device: Device,
  { name, config }: ZooEntry,
  options: TrainOptions,
  gauge: Gauge,
): Promise<TrainRow> {
  const { batch, steps, repeat, precision, budget, openPlain } = options;
  const exact = await plainStep(openPlain, config, { batch, repeat });
  const bench = await prepareTraining(device, config, { batch, repeat, precision });
  try {
    const loss = await bench.step(0);
    const first = await sampleOf(bench.network, loss, precision === "f16" ? LOSS_SCALE_RULE.first : 1);
    const problem = stepDifference(exact, first, precision);
    if (problem !== null) throw new DeviceError(`${name} is not timed: ${problem}; 'svanet doctor' looks for the op`);
    const once = gauge.beside(async (index: number) => {
      const start = performance.now();
      await bench.step(index + 1);
      return performance.now() - start;
    });
    const samples = await repeated(once, { count: steps, most: MOST_STEPS, budget });
    const { median, p95 } = spreadOf(samples);
    const { program } = bench;
    const { dispatches, bytes, least } = program;
    const state = bench.network.store.bytes;
    const executedMacs = dispatches.reduce((sum, dispatch) => sum + dispatch.macs, 0);
    const gflops = (2 * executedMacs) / median / 1e6;
    const ceilingGflops = gauge.gflops();
    return {
      ...paperSide(name),
      ...{ size: config.height, batch, classes: config.classes, precision },
      ...{ steps: samples.length, stepsPerSecond: 1000 / median, imagesPerSecond: (1000 * batch) / median },
      ...{ medianMs: median, p95Ms: p95, ...(await gpuTime(device, program, median)) },
      ...{ executedMacs, gflops, ceilingGflops, share: gflops / ceilingGflops },
      ...{ peakBytes: state + bytes, leastBytes: state + least, dispatches: dispatches.length },
    };
  } finally {
    bench.destroy();
  }
}

/** The first step by the plain kernels: its loss and samples of its gradients. */
async function plainStep(openPlain: OpenPlain, config: NetworkConfig, work: TrainingWork): Promise<StepSample> {
  const device = await openPlain();
  try {
    const bench = await prepareTraining(device, config, work);
    return await sampleOf(bench.network, await bench.step(0));
  } finally {
    device.close();
  }
}
