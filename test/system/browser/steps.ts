import { type Checkpoint, restoreTrainer } from "../../../src/inference/checkpoint/checkpoint.ts";
import { loadModel } from "../../../src/inference/load-model.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { DEFAULT_LOSS } from "../../../src/model/supervision.ts";
import type { Network } from "../../../src/training/network.ts";
import { Trainer } from "../../../src/training/trainer.ts";
import { noiseBatch } from "../../support/noise-batch.ts";

/** A trainer of a small network, with the state of a checkpoint where one is given. */
export async function smallTrainer(network: Network, checkpoint?: Checkpoint): Promise<Trainer> {
  const trainer = await Trainer.create(network, {
    loss: DEFAULT_LOSS,
    optimizer: { kind: "adamw", betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01, clipNorm: null },
    classWeights: "none",
    accumulate: 1,
    rates: () => () => 1,
  });
  if (checkpoint) restoreTrainer(trainer, checkpoint);
  return trainer;
}

/** Losses of steps on two pictures of 32x32 pixels each, which are a function of the step's number alone. */
export async function trainSteps(trainer: Trainer, first: number, count: number, rate: number): Promise<number[]> {
  const losses: number[] = [];
  for (let index = first; index < first + count; index++) {
    const submitted = await trainer.submit(noiseBatch(index, { size: 32, count: 2 }), { seed: 5, index, rate });
    losses.push((await submitted.report)?.loss ?? Number.NaN);
  }
  return losses;
}

/** Losses of a training that goes on from the bytes of a checkpoint: the same program in Node and in a page. */
export async function resumedLosses(device: Device, bytes: Uint8Array, first: number, count: number, rate: number) {
  const { network, checkpoint } = await loadModel(device, bytes);
  const trainer = await smallTrainer(network, checkpoint);
  try {
    return await trainSteps(trainer, first, count, rate);
  } finally {
    trainer.destroy();
    network.destroy();
  }
}
