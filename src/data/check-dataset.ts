/**
 * A full check of the splits in use before anything is trained or measured on them: every image and mask is decoded, every
 * problem listed at once. What is learnt on the way (sizes, labels, pixel statistics) is kept in an index file.
 */
import path from "node:path";
import { DataError } from "../errors.ts";
import { type Dataset, type Sample, type SplitName, samplesOf } from "./dataset.ts";
import { decodeImage, decodeMask } from "./decode.ts";
import { defaultIndexFile, FileIndex, type ImageFacts, type MaskFacts } from "./file-index.ts";
import { ignoreLabel } from "./image.ts";
import { zeroAnd255Problem, zeroAnd255Warning } from "./mask-values.ts";
import type { Rgb } from "./png.ts";

export interface CheckedSample extends Sample {
  /** Native size in pixels. */
  readonly width: number;
  readonly height: number;
  /** [label, pixels] of every label in the mask, ascending; 255 = ignore included. */
  readonly labels: readonly (readonly [label: number, pixels: number])[];
}

/** Per-channel mean and standard deviation of pixels in [0, 1]. */
export interface PixelStatistics {
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

export interface CheckedDataset {
  readonly folder: string;
  readonly name: string;
  /** Class names by label, background first. */
  readonly classes: readonly string[];
  /** One display colour a class. */
  readonly colours: readonly Rgb[];
  /** Where the classes come from: the caller (a checkpoint), dataset.yaml, or counted from the masks, which is to be said. */
  readonly classSource: "given" | "yaml" | "masks";
  /** From dataset.yaml, else measured on the training split; undefined when that was not among the splits. */
  readonly statistics: PixelStatistics | undefined;
  readonly splits: Readonly<Partial<Record<SplitName, readonly CheckedSample[]>>>;
  /** Sentences for the person: nothing is wrong for certain, but it should be known. */
  readonly warnings: readonly string[];
  /** Files decoded in this check; 0 = all were known from the index. */
  readonly decoded: number;
}

export interface CheckOptions {
  /** Class names that must hold (a checkpoint's); labels beyond them are problems. */
  readonly classes?: readonly string[];
  /** Where to keep what was learnt; default: the user's cache folder. */
  readonly indexFile?: string;
  /** After every checked pair; `file` is the image. */
  readonly onProgress?: (done: number, total: number, file: string) => void;
}

const mostListed = 20;
const atOnce = 4;

async function imageFactsOf(bytes: Buffer, file: string): Promise<ImageFacts> {
  const { width, height, data } = await decodeImage(bytes, file);
  const sums: [number, number, number] = [0, 0, 0];
  const squares: [number, number, number] = [0, 0, 0];
  for (const channel of [0, 1, 2] as const) {
    let sum = 0;
    let square = 0;
    for (let at = channel; at < data.length; at += 3) {
      const value = data[at] ?? 0;
      sum += value;
      square += value * value;
    }
    sums[channel] = sum;
    squares[channel] = square;
  }
  return { kind: "image", width, height, sums, squares };
}

function maskFactsOf(bytes: Buffer, file: string): MaskFacts {
  const { width, height, data } = decodeMask(bytes, file);
  const counts = new Float64Array(256);
  for (const label of data) counts[label] = (counts[label] ?? 0) + 1;
  const labels = [...counts].map((pixels, label): [number, number] => [label, pixels]);
  return { kind: "mask", width, height, labels: labels.filter(([, pixels]) => pixels > 0) };
}

interface Read {
  readonly sample: CheckedSample;
  readonly image: ImageFacts;
}

/** One pair; problems instead of a throw, so that the check goes on. */
async function readPair(sample: Sample, index: FileIndex, problems: string[]): Promise<Read | undefined> {
  const [image, mask] = await Promise.allSettled([
    index.facts<ImageFacts>(sample.image, "image", imageFactsOf),
    index.facts<MaskFacts>(sample.mask, "mask", maskFactsOf),
  ]);
  for (const outcome of [image, mask]) {
    if (outcome.status === "fulfilled") continue;
    if (!(outcome.reason instanceof DataError)) throw outcome.reason;
    problems.push(outcome.reason.message);
  }
  if (image.status === "rejected" || mask.status === "rejected") return undefined;
  const { width, height } = image.value;
  if (width !== mask.value.width || height !== mask.value.height) {
    problems.push(
      `${sample.mask}: the mask is ${mask.value.width}x${mask.value.height}, its image ${sample.image} is ${width}x${height}; ` +
        "both need one size, export the mask again at the image's",
    );
    return undefined;
  }
  return { sample: { ...sample, width, height, labels: mask.value.labels }, image: image.value };
}

interface ReadSplit {
  readonly split: SplitName;
  readonly reads: readonly Read[];
  readonly problems: readonly string[];
}

async function readSplits(
  dataset: Dataset,
  splits: readonly SplitName[],
  index: FileIndex,
  onProgress: CheckOptions["onProgress"],
): Promise<ReadSplit[]> {
  const total = splits.reduce((sum, split) => sum + samplesOf(dataset, split).length, 0);
  let done = 0;
  const out: ReadSplit[] = [];
  for (const split of splits) {
    const samples = samplesOf(dataset, split);
    const found: { read: Read | undefined; problems: string[] }[] = samples.map(() => ({
      read: undefined,
      problems: [],
    }));
    let next = 0;
    const walk = async () => {
      for (let at = next++; at < samples.length; at = next++) {
        const [sample, slot] = [samples[at], found[at]];
        if (sample === undefined || slot === undefined) return;
        slot.read = await readPair(sample, index, slot.problems);
        onProgress?.(++done, total, sample.image);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, walk));
    out.push({
      split,
      reads: found.flatMap(({ read }) => read ?? []),
      problems: [...(dataset.problems[split] ?? []), ...found.flatMap(({ problems }) => problems)],
    });
  }
  return out;
}

function labelProblems(samples: readonly CheckedSample[], classes: readonly string[]): string[] {
  const known = classes.map((name, label) => `${label} ${name}`).join(", ");
  return samples.flatMap(({ mask, labels }) =>
    labels
      .filter(([label]) => label >= classes.length && label !== ignoreLabel)
      .map(
        ([label, pixels]) =>
          `${mask}: holds label ${label} (${pixels} pixels), beyond the ${classes.length} classes (${known}; 255 = ignore); ` +
          "correct the mask or name the class in dataset.yaml",
      ),
  );
}

/** Names where nothing names them: labels 0 .. the largest in any mask. */
function countedClasses(samples: readonly CheckedSample[]): readonly string[] {
  const used = samples.flatMap(({ labels }) => labels.map(([label]) => label).filter((label) => label !== ignoreLabel));
  const largest = Math.max(0, ...used);
  if (largest === 1) return ["background", "foreground"];
  return Array.from({ length: largest + 1 }, (_, label) => (label === 0 ? "background" : `class ${label}`));
}

/** Population mean and standard deviation over all pixels; a channel that never varies gets one grey level. */
function statisticsOf(images: readonly ImageFacts[]): PixelStatistics {
  const pixels = images.reduce((sum, { width, height }) => sum + width * height, 0);
  const total = (pick: (facts: ImageFacts) => number) => images.reduce((sum, facts) => sum + pick(facts), 0);
  const mean: [number, number, number] = [0, 0, 0];
  const std: [number, number, number] = [0, 0, 0];
  for (const channel of [0, 1, 2] as const) {
    const first = total(({ sums }) => sums[channel]) / pixels;
    const second = total(({ squares }) => squares[channel]) / pixels;
    mean[channel] = first / 255;
    std[channel] = Math.max(Math.sqrt(Math.max(second - first * first, 0)), 1) / 255;
  }
  return { mean, std };
}

const displayColours: readonly Rgb[] = [
  [0, 0, 0],
  [255, 176, 0],
  [0, 158, 255],
  [220, 38, 127],
  [0, 200, 120],
  [254, 97, 0],
  [120, 94, 240],
  [240, 228, 66],
];

/** Display colours for labels nothing names a colour for: eight apart for most eyes, then repeated darker. */
export function defaultColours(count: number): Rgb[] {
  return Array.from({ length: count }, (_, label): Rgb => {
    const [red, green, blue] = displayColours[label < 8 ? label : 1 + ((label - 8) % 7)] ?? [255, 255, 255];
    const shade = 0.7 ** (label < 8 ? 0 : 1 + Math.floor((label - 8) / 7));
    return [Math.round(red * shade), Math.round(green * shade), Math.round(blue * shade)];
  });
}

function throwProblems(dataset: Dataset, splits: readonly SplitName[], problems: readonly string[]): void {
  const [first] = problems;
  if (first === undefined) return;
  if (problems.length === 1) throw new DataError(first);
  const listed = problems.slice(0, mostListed).map((problem) => `  - ${problem}`);
  if (problems.length > mostListed) listed.push(`  - and ${problems.length - mostListed} more`);
  throw new DataError(`${dataset.folder}: ${problems.length} problems in ${splits.join(", ")}:\n${listed.join("\n")}`);
}

/** Everything found wrong in the splits, in their order. */
function allProblems(read: readonly ReadSplit[], classes: readonly string[], dataset: Dataset): string[] {
  return read.flatMap(({ split, reads, problems }) => {
    const samples = reads.map(({ sample }) => sample);
    const unmapped = zeroAnd255Problem(path.join(dataset.folder, split), samples);
    return [...problems, ...(unmapped === undefined ? [] : [unmapped]), ...labelProblems(samples, classes)];
  });
}

function classesOf(dataset: Dataset, samples: readonly CheckedSample[], given: readonly string[] | undefined) {
  if (given !== undefined) return { classes: given, classSource: "given" as const };
  if (dataset.yaml.classes !== undefined) return { classes: dataset.yaml.classes, classSource: "yaml" as const };
  return { classes: countedClasses(samples), classSource: "masks" as const };
}

/**
 * Decodes every image and mask of `splits` (or knows them from the index) and checks pairing, sizes, labels and values.
 * Throws one DataError listing every problem found (the first 20 in words). Never decodes a file twice while it stays equal.
 */
export async function checkDataset(
  dataset: Dataset,
  splits: readonly SplitName[],
  options: CheckOptions = {},
): Promise<CheckedDataset> {
  const index = await FileIndex.open(options.indexFile ?? defaultIndexFile(dataset.folder), dataset.folder);
  const read = await readSplits(dataset, splits, index, options.onProgress);
  const unsaved = await index.save();
  const samples = read.flatMap(({ reads }) => reads.map(({ sample }) => sample));
  const { classes, classSource } = classesOf(dataset, samples, options.classes);
  throwProblems(dataset, splits, allProblems(read, classes, dataset));
  if (classes.length < 2) {
    throw new DataError(
      `${dataset.folder}: every mask holds only 0 (background); there is nothing to learn or measure`,
    );
  }
  const { mean, std, colours } = dataset.yaml;
  const training = read.find(({ split }) => split === "train")?.reads;
  const measured = training === undefined ? undefined : statisticsOf(training.map(({ image }) => image));
  const unused = dataset.unusedMasks;
  const warnings = [
    unsaved,
    zeroAnd255Warning(samples),
    unused.length > 0
      ? `${dataset.folder}: ${unused.length} masks belong to no image of train, val or test (first: ${unused[0]})`
      : undefined,
  ];
  return {
    folder: dataset.folder,
    name: dataset.name,
    classes,
    classSource,
    colours: colours !== undefined && colours.length === classes.length ? colours : defaultColours(classes.length),
    statistics: mean !== undefined && std !== undefined ? { mean, std } : measured,
    splits: Object.fromEntries(read.map(({ split, reads }) => [split, reads.map(({ sample }) => sample)])),
    warnings: warnings.filter((warning) => warning !== undefined),
    decoded: index.decoded,
  };
}
