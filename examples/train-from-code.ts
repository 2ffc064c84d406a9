/**
 * Trains a small SvANet on procedural microscopy, as `svanet train` does, and leaves a run folder:
 *
 *   npx tsx examples/train-from-code.ts FOLDER [STEPS]
 */
import { join } from "node:path";
import {
  checkDataset,
  networkFor,
  openDataset,
  openDevice,
  resolveConfig,
  runTraining,
  synthKind,
  writeSynth,
} from "svanet";

const [, , folder = "example", steps = "120"] = process.argv;

// 24 + 8 pictures with exact masks. Your own data: a folder with train/, val/ and mask/, see docs/data.md.
const data = join(folder, "cells");
await writeSynth(synthKind("cells"), { out: data, train: 24, val: 8, size: 64, seed: 7 });

// Every file is decoded and checked before any GPU time; a DataError lists all problems at once.
const dataset = await checkDataset(await openDataset(data), ["train", "val"]);
const { statistics } = dataset;
if (!statistics) throw new Error("a data set with a train split has statistics");

// The keys are the flags of `svanet train`; what is left out keeps the paper's default. A wrong key is named.
const config = resolveConfig({
  data,
  out: join(folder, "run"),
  encoder: "mini",
  width: 4,
  size: "64",
  steps: Number(steps),
  lr: 2e-3,
});

const device = await openDevice();
try {
  const result = await runTraining({
    config,
    network: networkFor(config, dataset),
    dataset,
    statistics,
    device,
    observer: {
      note: (text) => console.log(text),
      step: ({ step, loss }) => console.log(`step ${step}: loss ${loss.toFixed(4)}`),
      validated: ({ epoch, result }) =>
        console.log(`epoch ${epoch}: foreground Dice ${result.strata["all"]?.foregroundDice.toFixed(1)} %`),
    },
  });
  console.log(`${result.steps} steps done; weights: ${join(config.out, "checkpoints", "best.safetensors")}`);
} finally {
  device.close();
}
