import { type CheckedDataset, pixelStatistics } from "../../data/dataset/check-dataset.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import { objectsOfMasks } from "../evaluate/data-stats.ts";
import type { ClassFacts, Fingerprint } from "./fingerprint.ts";

interface ReadOptions {
  /** Threads; 0 = this one. Default: all cores, at most 8. */
  readonly workers?: number | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Measures the training images of a checked data set; val and test are only counted. Every component of a mask is an object,
 * also where `instances/` tells touching ones apart: the network sees the mask. Throws DataError for a mask that cannot be
 * read (any more).
 */
export async function readFingerprint(dataset: CheckedDataset, options: ReadOptions = {}): Promise<Fingerprint> {
  const { train = [], val = [] } = dataset.splits;
  const found = await objectsOfMasks(
    train.map(({ mask }) => mask),
    { count: "component", area: "pixels", ...options },
  );
  const { mean, std } = pixelStatistics(dataset);
  return {
    name: dataset.name,
    folder: dataset.folder,
    images: train.map(({ width, height }) => ({ width, height })),
    validation: val.length,
    spacings: train.flatMap(({ spacing }) => (spacing ? [[spacing[0], spacing[1]] as const] : [])),
    classes: dataset.classes.map((name, label) => classFacts(name, label, train)),
    objects: found.map(({ image, share }) => {
      const { width = 0, height = 0 } = train[image] ?? {};
      return { image, pixels: Math.round((share * width * height) / 100) };
    }),
    intensities: { mean, std },
  };
}

/** How often a class occurs in masks of which the labels were counted. */
function classFacts(
  name: string,
  label: number,
  samples: readonly { readonly labels: readonly (readonly [label: number, pixels: number])[] }[],
): ClassFacts {
  let [own, all, images] = [0, 0, 0];
  for (const { labels } of samples) {
    for (const [other, pixels] of labels) {
      if (other !== IGNORE_LABEL) all += pixels;
      if (other !== label) continue;
      own += pixels;
      images++;
    }
  }
  return { name, share: all === 0 ? 0 : own / all, images };
}
