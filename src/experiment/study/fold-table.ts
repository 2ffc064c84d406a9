import type { StratumResult } from "../../metrics/evaluation.ts";
import { meanDeviation } from "../../metrics/mean-deviation.ts";
import { classValues, foregroundDice, microMean } from "../../metrics/overlap.ts";
import type { Cell } from "./plan.ts";
import type { RunScores } from "./score.ts";
import { type StratumSpreads, type StudyRow, studyRows } from "./table.ts";

/** Metrics that can be told of several folds together from what is kept of each. */
type PooledMetrics = Readonly<Record<"mDice" | "mIoU" | "sensitivity" | "precision" | "f2" | "foregroundDice", number>>;

/**
 * The overlaps of one set of images from those of its parts, exactly: from the summed pixels of each class. Means over images and
 * errors cannot be told from the parts.
 */
export function pooled(parts: readonly StratumResult[]): PooledMetrics {
  const classes = parts[0]?.classes.length ?? 0;
  const sums = (of: (result: StratumResult["classes"][number]) => number) =>
    Float64Array.from({ length: classes }, (_, c) =>
      parts.reduce((sum, part) => sum + (part.classes[c] === undefined ? 0 : of(part.classes[c])), 0),
    );
  const counts = {
    inter: sums(({ intersection }) => intersection),
    predicted: sums(({ predicted }) => predicted),
    truth: sums(({ labelled }) => labelled),
  };
  const presence = sums(({ images }) => images);
  const values = classValues(counts);
  // Without an object anywhere the background's overlap alone would look like a measured 100.
  const isEmpty = presence.every((images, c) => c === 0 || images === 0);
  const percent = (fraction: number) => (isEmpty ? Number.NaN : 100 * fraction);
  return {
    mDice: percent(microMean(values.dice, presence)),
    mIoU: percent(microMean(values.iou, presence)),
    sensitivity: percent(microMean(values.recall, presence)),
    precision: percent(microMean(values.precision, presence)),
    f2: percent(microMean(values.f2, presence)),
    foregroundDice: percent(foregroundDice(values.dice, presence)),
  };
}

/** Keys of the rows behind those of the folds. */
export const FOLD_SUMMARIES = { mean: "folds-mean", pooled: "folds-pooled" } as const;

/**
 * A row for each fold; their mean and deviation; and all images together, each scored by the network that had not seen it, mean and
 * deviation over the repeats. A fold without an end leaves the last two without numbers.
 */
export function foldRows(cells: readonly Cell[], scores: ReadonlyMap<string, RunScores>): StudyRow[] {
  const folds = studyRows(cells, scores, undefined).map((row, i) => ({
    ...row,
    key: `fold${i + 1}`,
    name: `fold ${i + 1}`,
  }));
  const [first] = folds;
  if (first === undefined) return [];
  const complete = folds.every((row) => row.complete);
  const runs = folds.flatMap((row) => row.runs);
  const summary = (key: string, name: string, strata: StudyRow["strata"]): StudyRow => ({
    ...first,
    key,
    name,
    runs,
    complete,
    scoredAt: complete ? first.scoredAt : null,
    strata: complete ? strata : {},
  });
  return [
    ...folds,
    summary(FOLD_SUMMARIES.mean, "mean of the folds", meanOfFolds(folds)),
    summary(FOLD_SUMMARIES.pooled, "all images together", complete ? together(cells, scores) : {}),
  ];
}

/** Mean and deviation over the folds of their own means. */
function meanOfFolds(folds: readonly StudyRow[]): Record<string, StratumSpreads> {
  const names = Object.keys(folds[0]?.strata ?? {});
  return Object.fromEntries(
    names.map((stratum) => {
      const metrics = Object.keys(folds[0]?.strata[stratum] ?? {});
      const own = metrics.map((metric) => {
        const means = folds.flatMap((row) => row.strata[stratum]?.[metric]?.mean ?? []);
        return [metric, meanDeviation(means)] as const;
      });
      return [stratum, Object.fromEntries(own)];
    }),
  );
}

function together(cells: readonly Cell[], scores: ReadonlyMap<string, RunScores>): Record<string, StratumSpreads> {
  const repeats = cells[0]?.runs.map((_, repeat) => cells.flatMap(({ runs }) => scoresAt(runs[repeat]?.name, scores)));
  const names = Object.keys(repeats?.[0]?.[0]?.strata ?? {});
  return Object.fromEntries(
    names.map((stratum) => {
      const each = (repeats ?? []).map((parts) => pooled(parts.flatMap(({ strata }) => strata[stratum] ?? [])));
      const metrics = Object.keys(each[0] ?? {}) as (keyof PooledMetrics)[];
      return [stratum, Object.fromEntries(metrics.map((name) => [name, meanDeviation(each.map((one) => one[name]))]))];
    }),
  );
}

const scoresAt = (name: string | undefined, scores: ReadonlyMap<string, RunScores>): RunScores[] => {
  const found = name === undefined ? undefined : scores.get(name);
  return found === undefined ? [] : [found];
};
