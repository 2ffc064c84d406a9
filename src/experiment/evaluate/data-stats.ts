import { availableParallelism } from "node:os";
import { type Dataset, SPLIT_NAMES, type SplitName } from "../../data/dataset/dataset.ts";
import { ThreadPool, threadProgram } from "../../data/thread-pool.ts";
import { DataError } from "../../errors.ts";
import type { AreaRule } from "../../metrics/objects.ts";
import { type CountRule, type ObjectShare, objectStatistics } from "../../metrics/strata.ts";
import { type MaskObjects, type MaskTask, objectsOfMask } from "./mask-objects.ts";

export interface StatsOptions {
  /** One object an image and class (its largest component), or every component. */
  readonly count: CountRule;
  readonly area: AreaRule;
  /** Threads; 0 = this one. Default: all cores, at most 8. */
  readonly workers?: number | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

interface ObjectCounts {
  /** Below 1 % of the image. */
  readonly ultraSmall: number;
  /** Below 10 %, the ultra-small included. */
  readonly small: number;
  readonly all: number;
}

export interface DatasetStats {
  readonly name: string;
  readonly folder: string;
  /** How its images were taken, as dataset.yaml says; null where it does not. */
  readonly modality: string | null;
  readonly images: number;
  /** Images by split. */
  readonly splits: Readonly<Partial<Record<SplitName, number>>>;
  readonly objects: ObjectCounts;
  /** Smallest and largest share of an image in percent, objects without area left out; null without objects. */
  readonly areaPercent: readonly [number, number] | null;
  /** Objects to which the area rule gives none (single pixels, lines). */
  readonly withoutArea: number;
  readonly classes: readonly { readonly label: number; readonly name: string; readonly objects: ObjectCounts }[];
  readonly count: CountRule;
  readonly area: AreaRule;
  /** Every object's share in percent, in the order of splits and stems. */
  readonly shares: readonly number[];
}

const countsOf = (shares: readonly number[]): ObjectCounts => {
  const { ultraSmall, small, all } = objectStatistics(shares);
  return { ultraSmall, small, all };
};

/** The objects of mask files, each measured at its own resolution; `image` is the number of its file. Throws DataError. */
export async function objectsOfMasks(masks: readonly string[], options: StatsOptions): Promise<ObjectShare[]> {
  const entry = threadProgram(import.meta.url, "mask-objects-worker");
  const workers = options.workers ?? (masks.length < 24 ? 0 : Math.min(8, availableParallelism()));
  const pool = new ThreadPool<MaskTask, MaskObjects>(
    { here: objectsOfMask, entry, fileOf: ({ mask }) => mask },
    workers,
  );
  const { count, area, onProgress } = options;
  let done = 0;
  try {
    const found = await Promise.all(
      masks.map(async (mask, image) => {
        const objects = await pool.run({ mask, image, count, area });
        onProgress?.(++done, masks.length);
        return objects;
      }),
    );
    return found.flat();
  } finally {
    await pool.close();
  }
}

/**
 * Table I of a dataset, how many objects it holds and how large they are, measured on every mask of every split.
 * Throws DataError for masks that cannot be read and for a folder whose files do not pair up: a count of a part would
 * be a wrong count.
 */
export async function datasetStats(dataset: Dataset, options: StatsOptions): Promise<DatasetStats> {
  const [problem] = SPLIT_NAMES.flatMap((split) => dataset.problems[split] ?? []);
  if (problem !== undefined) throw new DataError(`${problem.message} (svanet data verify lists all that is wrong)`);
  const masks = SPLIT_NAMES.flatMap((split) => dataset.splits[split] ?? []).map(({ mask }) => mask);
  const objects = await objectsOfMasks(masks, options);
  const shares = objects.map(({ share }) => share);
  const splits = SPLIT_NAMES.flatMap((split) => {
    const samples = dataset.splits[split];
    return samples === undefined ? [] : [[split, samples.length] as const];
  });
  const { all, range } = objectStatistics(shares);
  const labels = [...new Set(objects.map(({ label }) => label))].sort((a, b) => a - b);
  return {
    name: dataset.name,
    folder: dataset.folder,
    modality: dataset.yaml.modality ?? null,
    images: splits.reduce((sum, [, count]) => sum + count, 0),
    splits: Object.fromEntries(splits),
    objects: countsOf(shares),
    areaPercent: range ?? null,
    withoutArea: all - shares.filter((share) => share > 0).length,
    classes: labels.map((label) => ({
      label,
      name: dataset.yaml.classes?.[label] ?? `class ${label}`,
      objects: countsOf(objects.flatMap((object) => (object.label === label ? object.share : []))),
    })),
    count: options.count,
    area: options.area,
    shares,
  };
}
