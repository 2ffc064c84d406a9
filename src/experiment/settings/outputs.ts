import type { CheckedDataset } from "../../data/dataset/check-dataset.ts";
import type { BorderClass } from "../../data/feed/borders.ts";
import { DataError, UsageError } from "../../errors.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import type { TrainConfig } from "./config.ts";

/** What decides how many outputs a network has beside the data set. */
type OutputSettings = Pick<TrainConfig, "classes" | "borders" | "classWeights">;

/** Outputs of the network for so many classes: one more where borders between objects are a class. */
export const outputsFor = ({ borders }: Pick<TrainConfig, "borders">, classes: number): number =>
  borders === null ? classes : classes + 1;

/** Classes that a network of so many outputs is for: all but that of borders. */
export const classesBeside = ({ borders }: Pick<TrainConfig, "borders">, outputs: number): number =>
  borders === null ? outputs : outputs - 1;

/** The class of the pixels between objects, the last output; undefined where the configuration asks for none. */
export const borderClassOf = ({ borders }: Pick<TrainConfig, "borders">, outputs: number): BorderClass | undefined =>
  borders === null ? undefined : { label: outputs - 1, pixels: borders };

/**
 * Outputs of the network for a data set: its classes, or more where the configuration says so, and that of borders. DataError where
 * the data set has more classes than the configuration, UsageError where they are too many for a border class or weights were given and
 * are not one for each.
 */
export function outputsOf(config: OutputSettings, dataset: Pick<CheckedDataset, "classes" | "folder">): number {
  const { classes, borders } = config;
  const found = dataset.classes.length;
  if (classes !== null && classes < found) {
    throw new DataError(
      `--classes ${classes}: ${dataset.folder} has ${found} classes with background (${dataset.classes.join(", ")}); ` +
        "leave the flag out or raise it",
    );
  }
  const outputs = outputsFor(config, classes ?? found);
  if (outputs > IGNORE_LABEL) {
    throw new UsageError(
      `--borders ${borders}: a network tells at most ${IGNORE_LABEL} classes apart, and ${classes ?? found} are taken; ` +
        "leave the flag out, or train on fewer classes",
    );
  }
  requireClassWeights(config, dataset, outputs);
  return outputs;
}

function requireClassWeights(
  { classWeights: weights, borders }: OutputSettings,
  { classes }: Pick<CheckedDataset, "classes">,
  outputs: number,
): void {
  if (typeof weights === "string" || weights.length === outputs) return;
  const names = borders === null ? classes : [...classes, "border"];
  throw new UsageError(
    `--class-weights ${weights}: give one weight for each class, the background first: ${outputs} for ${names.join(", ")}`,
  );
}
