import { REPORT_VERSION, type ReportData, type ReportRun } from "../../src/experiment/report/data.ts";

/** What a made report has. */
interface Made {
  readonly groups: readonly string[];
  /** Runs of each group. */
  readonly repeats: number;
  readonly images: number;
  /** Updates and points of the curves. */
  readonly steps?: number;
  /** A picture for every image; left out, none has one. */
  readonly thumbnail?: (image: number) => string;
}

/** Scores that differ between images and runs and are told from both. */
export const diceAt = (image: number, run: number): number => (image * 37 + run * 11) % 101;

/** A report of so many runs and images, all of them scored on `cells`; every number is told from its place. */
export function madeReport({ groups, repeats, images, steps = 40, thumbnail }: Made): ReportData {
  const runs = groups.flatMap((group, g) =>
    Array.from({ length: repeats }, (_, repeat) => madeRun(group, repeat, g * repeats + repeat, { images, steps })),
  );
  return {
    version: REPORT_VERSION,
    title: "made",
    made: "2026-01-02T03:04:05.000Z",
    program: "svanet 0.0.0",
    runs,
    settings: {
      differing: [{ name: "lr", values: runs.map((_, i) => String(i)) }],
      common: [{ name: "size", value: "64" }],
    },
    tables: [],
    images: Array.from({ length: images }, (_, i) => ({
      ...{ set: "cells", split: "val", name: `image-${i}`, share: 0.01 * (i + 1) },
      thumbnail: thumbnail?.(i) ?? null,
    })),
    grids: [],
    features: [],
    notes: [],
  };
}

function madeRun(
  group: string,
  seed: number,
  place: number,
  { images, steps }: { images: number; steps: number },
): ReportRun {
  const step = Array.from({ length: steps }, (_, i) => i + 1);
  const val = step.filter((at) => at % 10 === 0);
  const stratum = (count: number, score: number) => ({
    ...{
      images: count,
      mDice: score,
      mIoU: score - 1,
      sensitivity: score - 2,
      f2: score - 3,
      foregroundDice: score - 4,
    },
  });
  return {
    ...{ name: `${group}-${seed}`, folder: `runs/${group}-${seed}`, group, seed, step: steps, steps },
    repeat: "svanet train --config config.yaml",
    environment: null,
    curves: {
      train: { step, loss: step.map((at) => 1 / at + place / 100), rate: step.map((at) => 1e-3 / at), per: 1 },
      val: {
        step: val,
        loss: val.map(() => 0.5),
        ...{ foregroundDice: val, mDice: val, mIoU: val },
      },
    },
    evaluation: {
      ...{ set: "cells", split: "val", scoredAt: "64x64", file: "eval/eval.json", classes: ["background", "cell"] },
      strata: { "1": stratum(images, 60 + place), all: stratum(images, 80 + place) },
      confusion: [
        [90, 10],
        [25, 75],
      ],
      images: Array.from({ length: images }, (_, i) => i),
      dice: Array.from({ length: images }, (_, i) => diceAt(i, place)),
    },
    roc: {
      ...{ set: "cells", split: "val", scoredAt: "64x64", area: 0.9 - place / 1000 },
      falsePositiveRate: [0, 0, 0.5, 1],
      truePositiveRate: [0, 0.5, 1, 1],
    },
  };
}
