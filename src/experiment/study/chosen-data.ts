import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CheckedDataset, pixelStatistics } from "../../data/dataset/check-dataset.ts";
import { SPLIT_NAMES, type SplitName } from "../../data/dataset/dataset.ts";
import { UsageError } from "../../errors.ts";
import { foldOf, type TrainConfig } from "../settings/config.ts";
import { foldData } from "./folds.ts";
import { judgedBy } from "./plan.ts";

/** What of a configuration decides which images are trained on and looked at by validations. */
export type ImageChoice = Pick<TrainConfig, "fold" | "judge">;

/** All images of train, judged by those of val. */
const USUAL: ImageChoice = { fold: null, judge: "val" };

/** The splits that a training reads. UsageError where the split that is to judge it does not exist, or a fold is to be judged by it. */
export function trainingSplits(folder: string, { fold, judge }: ImageChoice = USUAL): SplitName[] {
  const present = SPLIT_NAMES.filter((name) => existsSync(join(folder, name)));
  if (fold !== null && judge === "test") {
    throw new UsageError("--fold: a fold is judged by its own images, --judge val, or by none, --judge none");
  }
  if (judge === "test" && !present.includes("test")) {
    throw new UsageError(`--judge test: ${folder} has no split test; leave it out, or add one`);
  }
  const isRead: Readonly<Record<SplitName, boolean>> = {
    train: true, // also where it is missing, which is then said
    val: fold !== null || judge === "val",
    test: judge === "test",
  };
  return SPLIT_NAMES.filter((name) => isRead[name] && (name === "train" || present.includes(name)));
}

/**
 * The images that a configuration trains on, as `train`, and is judged by, as `val`: what a study gives its runs, so that the
 * config.yaml of any of them says which. `dataset` has the splits of {@link trainingSplits}. DataError as `shareOut` throws it.
 */
export function chosenImages(dataset: CheckedDataset, { fold, judge }: ImageChoice): CheckedDataset {
  const chosen = fold === null ? undefined : foldOf(fold);
  if (chosen === undefined) return judgedBy(dataset, judge);
  const select = judge === "val" ? "val" : "last";
  const { folds } = foldData({ dataset, statistics: pixelStatistics(dataset), select, ...chosen });
  const own = folds[chosen.fold - 1];
  if (own === undefined) throw new Error(`fold ${fold} of ${folds.length}`);
  return own.dataset;
}
