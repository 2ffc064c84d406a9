import { join } from "node:path";
import type { CheckedDataset } from "../../data/dataset/check-dataset.ts";
import type { SplitName } from "../../data/dataset/dataset.ts";
import { SamplePool } from "../../data/feed/sample-pool.ts";
import type { PixelStatistics } from "../../data/image/normalise.ts";
import { UsageError } from "../../errors.ts";
import type { Device } from "../../kernels/device/device.ts";
import type { ImageShares } from "../../metrics/strata.ts";
import { normAgainstLoneImages } from "../../model/lone-image.ts";
import { traceNetwork } from "../../model/zoo.ts";
import { checkpointPath, loadNetwork } from "../checkpoint/load-run.ts";
import { evaluateSplit } from "../evaluate/evaluate.ts";
import { scoredAtName } from "../evaluate/scores.ts";
import type { TrainConfig } from "../settings/config.ts";
import { networkFor } from "../settings/recipe.ts";
import { checkSameRecipe, factsToResume } from "../train/resume.ts";
import { checkSameData } from "../train/same-data.ts";
import { Timetable } from "../train/timetable.ts";
import { trainSamples } from "../train/train-input.ts";
import type { TrainObserver } from "../train/train-observer.ts";
import { runTraining } from "../train/train-run.ts";
import { type AblationReport, ablationRow, type EvaluatedRun } from "./ablate-report.ts";
import type { AblationTable, AblationVariant } from "./ablate-tables.ts";

interface AblateInput {
  readonly table: AblationTable;
  /** The recipe of every run; `out` is the folder that holds the run folders, `seed` that of the first repeat. */
  readonly config: TrainConfig;
  readonly repeats: number;
  readonly split: SplitName;
  readonly dataset: CheckedDataset;
  readonly statistics: PixelStatistics;
  readonly device: Device;
  readonly observer: TrainObserver;
  readonly stopped?: () => boolean;
}

/** One training run of a table. */
interface Run {
  readonly variant: AblationVariant;
  readonly config: TrainConfig;
  /** Updates done so far; 0 for a run that has to start. */
  readonly done: number;
  readonly finished: boolean;
}

/**
 * Trains every configuration of an ablation table with several seeds, each run in a folder of its own, as far as that
 * is not done yet; evaluates all and compares. Null when it was stopped; a second call goes on.
 */
export async function runAblation(input: AblateInput): Promise<AblationReport | null> {
  const { dataset, observer } = input;
  const runs = await plannedRuns(input);
  const finished = runs.filter((run) => run.finished).length;
  if (finished > 0) observer.note(`${finished} of ${runs.length} runs are finished and skipped`);
  for (const [i, { variant, config, finished: skip }] of runs.entries()) {
    if (skip) continue;
    observer.note(`run ${i + 1} of ${runs.length}: ${variant.key}, ${variant.label}, seed ${config.seed}`);
    const result = await runTraining({ ...input, config, network: networkFor(config, dataset) });
    if (!result.finished) return null;
  }
  return report(input, await evaluateRuns(input, runs));
}

/** The runs in the table's order. UsageError, before anything is trained, when a folder holds a run of another recipe. */
async function plannedRuns(input: AblateInput): Promise<Run[]> {
  const { table, config, repeats, dataset, statistics } = input;
  const runs: Run[] = [];
  for (const variant of table.variants) {
    const network = networkFor({ ...config, ablation: variant.key }, dataset); // throws now, not after those before it
    const norm = normAgainstLoneImages(network) ?? null;
    const { steps } = new Timetable(config, trainSamples(dataset, config).length, norm).duration;
    for (let repeat = 0; repeat < repeats; repeat++) {
      const seed = config.seed + repeat;
      const out = join(config.out, `${variant.key}-seed${seed}`);
      const own: TrainConfig = { ...config, out, seed, ablation: variant.key, resume: "auto" };
      const facts = await factsToResume(out);
      if (facts === null) {
        runs.push({ variant, config: own, done: 0, finished: false });
        continue;
      }
      checkSameRecipe(own, network, facts);
      checkSameData(own, facts, dataset, statistics);
      const { step } = facts.progress;
      runs.push({ variant, config: own, done: step, finished: step >= steps });
    }
  }
  return runs;
}

async function evaluateRuns(input: AblateInput, runs: readonly Run[]): Promise<EvaluatedRun[]> {
  const { dataset, split, config, observer } = input;
  const samples = dataset.splits[split] ?? [];
  if (samples.length === 0) throw new UsageError(`--split ${split}: ${dataset.folder} has no images in it`);
  const pool = new SamplePool(config.workers ?? undefined);
  const shares = new Map<string, ImageShares>();
  const evaluated: EvaluatedRun[] = [];
  observer.note(`evaluating ${runs.length} runs on ${samples.length} images of ${split}`);
  try {
    for (const run of runs) {
      const path = checkpointPath(run.config.out);
      const { network, checkpoint } = await loadNetwork(input.device, path);
      const inference = await network.inference({ batch: Math.min(config.batchSize, samples.length) });
      try {
        const { classes } = network.config;
        const { mean, std, progress } = checkpoint.facts;
        const options = { samples, classes, statistics: { mean, std }, inference, pool, shares };
        const { strata, images } = await evaluateSplit(network, options);
        const { seed } = run.config;
        evaluated.push({ key: run.variant.key, seed, checkpoint: path, step: progress.step, strata, images });
      } finally {
        inference.program.destroy();
        network.destroy();
      }
    }
  } finally {
    await pool.close();
  }
  return evaluated;
}

function report(input: AblateInput, evaluated: readonly EvaluatedRun[]): AblationReport {
  const { table, config, dataset, split, repeats } = input;
  const runsOf = (variant: AblationVariant | undefined) => evaluated.filter(({ key }) => key === variant?.key);
  const baseline = runsOf(table.variants[0]);
  const rows = table.variants.map((variant) => {
    const network = networkFor({ ...config, ablation: variant.key }, dataset);
    const { parameters } = traceNetwork(network, { mode: "eval", batch: 1 }).build;
    const sizes = { parameters: parameters.count(), linkParameters: parameters.count("links.") };
    return ablationRow(variant, runsOf(variant), baseline, sizes);
  });
  const { name, title, note } = table;
  return {
    table: name,
    title,
    data: dataset.folder,
    split,
    repeats,
    scoredAt: scoredAtName(config.size),
    ...(note === undefined ? {} : { note }),
    rows,
    runs: evaluated,
  };
}
