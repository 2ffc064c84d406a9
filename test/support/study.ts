import type { CheckedDataset, CheckedSample } from "../../src/data/dataset/check-dataset.ts";
import type { SplitName } from "../../src/data/dataset/dataset.ts";
import { resolveConfig, type TrainFlags } from "../../src/experiment/settings/config.ts";
import type { StudyData, StudyRun } from "../../src/experiment/study/plan.ts";
import type { RunScores } from "../../src/experiment/study/score.ts";
import type { ImageResult, StratumResult } from "../../src/metrics/evaluation.ts";

/** A sample of a set that is nowhere. */
export const namedSample = (split: string, stem: string, largest = 100): CheckedSample => ({
  stem,
  image: `set/${split}/${stem}.png`,
  mask: `set/mask/${stem}.png`,
  width: 64,
  height: 64,
  labels: [
    [0, 4096 - largest],
    [1, largest],
  ],
});

/** A checked set that is nowhere, of so many images a split. */
export function paperSet(counts: Readonly<Partial<Record<SplitName, number>>> = { train: 8, val: 4 }): CheckedDataset {
  const splits = Object.entries(counts).map(([split, count]) => [
    split,
    Array.from({ length: count }, (_, i) => namedSample(split, `${split}${i}`)),
  ]);
  return {
    folder: "set",
    name: "cells",
    classes: ["background", "cell"],
    colours: [
      [0, 0, 0],
      [255, 255, 255],
    ],
    classSource: "yaml",
    statistics: { mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] },
    window: undefined,
    channels: undefined,
    splits: Object.fromEntries(splits),
    shown: undefined,
    warnings: [],
    decoded: 0,
    leftOut: [],
    hashes: new Map(),
  };
}

/** That set as a study's. */
export function paperData(counts?: Readonly<Partial<Record<SplitName, number>>>): StudyData {
  const dataset = paperSet(counts);
  const { statistics = { mean: [], std: [] }, splits } = dataset;
  return {
    name: dataset.name,
    dataset,
    statistics,
    scored: { split: "val", samples: splits.val ?? [] },
    select: "val",
  };
}

/** The recipe of a study of tiny networks. */
export const tinyStudy = (flags: TrainFlags = {}) =>
  resolveConfig({ data: "set", out: "study", encoder: "mini", width: 4, size: "64", steps: 4, ...flags }, undefined, {
    recipe: "paper",
  });

/** Scores of a run whose images have these Dice values, percent. */
export function scoresOf({ name, config }: StudyRun, dice: readonly number[]): RunScores {
  const mean = dice.reduce((sum, value) => sum + value, 0) / dice.length;
  const images = dice.map((imageDice, i) => ({
    name: `val${i}`,
    imageDice,
    classDice: [],
  })) as unknown as ImageResult[];
  const all = {
    images: dice.length,
    mDice: mean,
    sensitivity: mean,
    mIoU: mean,
    maeRelease: 0.01,
    f2: mean,
    classes: [],
  };
  return {
    run: name,
    seed: config.seed,
    checkpoint: `${config.out}/checkpoints/best.safetensors`,
    step: 4,
    scoredAt: "64x64",
    strata: { all: all as unknown as StratumResult },
    images,
  };
}
