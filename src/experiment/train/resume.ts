import { existsSync } from "node:fs";
import type { CheckedDataset } from "../../data/dataset/check-dataset.ts";
import type { PixelStatistics } from "../../data/image/normalise.ts";
import { UsageError } from "../../errors.ts";
import { type Checkpoint, type CheckpointFacts, loadCheckpoint } from "../checkpoint/checkpoint.ts";
import { runPaths } from "../run/run-folder.ts";
import { TRAIN_DEFAULTS, type TrainConfig } from "../settings/config.ts";
import { recipeText } from "../settings/recipe.ts";

/** The checkpoint a run continues from: null when it starts. */
export async function checkpointToResume(config: TrainConfig): Promise<Checkpoint | null> {
  const { last } = runPaths(config.out);
  if (config.resume === false || (config.resume === "auto" && !existsSync(last))) return null;
  if (!existsSync(last)) {
    throw new UsageError(
      `--resume: ${config.out} has no checkpoints/last.safetensors; train without --resume, or use --resume auto`,
    );
  }
  const checkpoint = await loadCheckpoint(last);
  checkSameRecipe(config, checkpoint.facts);
  return checkpoint;
}

/** Throws UsageError, naming what differs, when a run was started with another recipe. */
export function checkSameRecipe(config: TrainConfig, { progress }: CheckpointFacts): void {
  const differences = recipeDifferences(progress.recipe, recipeText(config));
  if (differences.length === 0) return;
  throw new UsageError(
    `the run in ${config.out} was started with another recipe (${differences.join(", ")}); ` +
      "leave these flags out, or choose another --out",
  );
}

/** Throws UsageError when the data a run goes on with are not those it was started with. */
export function checkSameData(
  config: TrainConfig,
  { classes, mean, std }: CheckpointFacts,
  dataset: Pick<CheckedDataset, "classes">,
  statistics: PixelStatistics,
): void {
  const differences: string[] = [];
  // The network may have more classes than the data set names.
  if (dataset.classes.some((name, label) => name !== classes[label])) {
    differences.push(`classes ${classes.join(", ")}, now ${dataset.classes.join(", ")}`);
  }
  if ([...mean, ...std].join() !== [...statistics.mean, ...statistics.std].join()) {
    differences.push("the mean or deviation of the training pixels");
  }
  if (differences.length === 0) return;
  throw new UsageError(
    `${config.data} is not the data set the run in ${config.out} was started with (${differences.join("; ")}); ` +
      "give the same --data, or choose another --out",
  );
}

/** The fields of two recipes that are not equal, in words. */
function recipeDifferences(was: string, is: string): string[] {
  // A setting that did not exist yet when the run began had what is now its default.
  const before: Record<string, unknown> = { ...TRAIN_DEFAULTS, ...(JSON.parse(was) as Record<string, unknown>) };
  const now = JSON.parse(is) as Record<string, unknown>;
  return Object.keys(now)
    .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(now[key]))
    .map((key) => `${key} ${JSON.stringify(before[key])}, now ${JSON.stringify(now[key])}`);
}
