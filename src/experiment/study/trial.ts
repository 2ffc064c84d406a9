import { trainBatches } from "../../data/feed/batches.ts";
import { SamplePool } from "../../data/feed/sample-pool.ts";
import type { Device } from "../../kernels/device/device.ts";
import { Network } from "../../training/network.ts";
import { Trainer } from "../../training/trainer.ts";
import { evaluateSplit } from "../evaluate/evaluate.ts";
import { augmentOptions, peakRate, trainerOptions } from "../settings/recipe.ts";
import { trainSamples } from "../train/train-input.ts";
import type { TrialTimes } from "./estimate.ts";
import type { StudyRun } from "./plan.ts";
import { timetableOf } from "./train-here.ts";

/** Steps that are timed, after one that is not. */
const STEPS = 3;

/** Times some training steps of a run, data included, and the evaluation of a batch; nothing of it is kept. */
export async function trial(device: Device, run: StudyRun, macs: number): Promise<TrialTimes> {
  const { config, network: wanted } = run;
  const network = await Network.create(device, wanted, config.seed);
  const pool = new SamplePool(config.workers ?? undefined);
  try {
    const trainer = await Trainer.create(network, trainerOptions(config, wanted, network.table));
    try {
      return { macs, trainMs: await trainTime(trainer, run, pool), evalMs: await evalTime(network, run, pool) };
    } finally {
      trainer.destroy();
    }
  } finally {
    await pool.close();
    network.destroy();
  }
}

/** Milliseconds a trained image takes. */
async function trainTime(trainer: Trainer, run: StudyRun, pool: SamplePool): Promise<number> {
  const { config, data } = run;
  const all = trainSamples(data.dataset, config);
  // Whole batches alone: a rest is another program, which would be compiled while the clock runs.
  const samples = all.slice(0, Math.max(1, Math.floor(all.length / config.batchSize)) * config.batchSize);
  const options = { size: config.size, batchSize: config.batchSize, statistics: data.statistics, pool };
  const { keepSingle } = timetableOf(run);
  const augment = augmentOptions(config);
  const stream = trainBatches({ ...options, samples, seed: config.seed, augment, keepSingle, epochs: STEPS + 1 });
  const rate = peakRate(config);
  let [images, began, step] = [0, 0, 0];
  for await (const batch of stream) {
    const { report } = await trainer.submit(batch, { seed: config.seed, index: batch.index, rate });
    await report;
    if (step > 0) images += batch.names.length;
    else began = performance.now();
    if (step++ === STEPS) break;
  }
  return (performance.now() - began) / images;
}

/** Milliseconds an evaluated image takes. */
async function evalTime(network: Network, { config, data }: StudyRun, pool: SamplePool): Promise<number> {
  const samples = data.scored.samples.slice(0, config.batchSize);
  const inference = await network.inference({ batch: samples.length });
  const options = { samples, classes: network.config.classes, statistics: data.statistics, inference, pool };
  try {
    await evaluateSplit(network, options); // compiles what the first run compiles
    const began = performance.now();
    await evaluateSplit(network, options);
    return (performance.now() - began) / samples.length;
  } finally {
    inference.program.destroy();
  }
}
