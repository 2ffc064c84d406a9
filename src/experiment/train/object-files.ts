import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { relative, sep } from "node:path";
import type { CheckedDataset, CheckedSample } from "../../data/dataset/check-dataset.ts";
import { instanceFileOf } from "../../data/dataset/instance-files.ts";
import { readBytes } from "../../data/decode.ts";
import { DataError } from "../../errors.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import type { TrainConfig } from "../settings/config.ts";

/** What learning borders needs of a data set. */
type TrainingData = Pick<CheckedDataset, "folder" | "hashes" | "splits">;

/**
 * The data set with the file of single objects of each training image, where the configuration has a class for borders; else as it is.
 * An image without objects needs none. Throws DataError where one with objects has no such file.
 */
export async function withObjectFiles<D extends TrainingData>(
  dataset: D,
  { borders }: Pick<TrainConfig, "borders">,
): Promise<D> {
  if (borders === null) return dataset;
  const { folder, splits } = dataset;
  const all = splits.train ?? [];
  const train = all.map((sample) => {
    const instances = instanceFileOf(sample);
    return existsSync(instances) ? { ...sample, instances } : sample;
  });
  const missing = train.filter((sample) => sample.instances === undefined && holdsObject(sample));
  const [first] = missing;
  if (first !== undefined) {
    throw new DataError(
      `--borders ${borders}: ${missing.length} of ${all.length} training images of ${folder} have no single objects in instances/ (first: ` +
        `${instanceFileOf(first)} is missing), and from masks alone nobody knows where one object ends; prepare the set from files ` +
        "that number objects (docs/data.md), or leave the flag out",
    );
  }
  const hashes = new Map(dataset.hashes);
  for (const { instances } of train) {
    if (instances === undefined) continue;
    const name = relative(folder, instances).split(sep).join("/");
    hashes.set(
      name,
      createHash("sha256")
        .update(await readBytes(instances))
        .digest("hex"),
    );
  }
  return { ...dataset, hashes, splits: { ...splits, train } };
}

const holdsObject = ({ labels }: CheckedSample): boolean =>
  labels.some(([label]) => label > 0 && label !== IGNORE_LABEL);
