import { join } from "node:path";
import { DataError } from "../../errors.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import type { ChannelPlan } from "../channels.ts";
import type { Rgb } from "../codec/png-read.ts";
import type { Window } from "../formats/window.ts";
import type { PixelStatistics } from "../image/normalise.ts";
import { type Dataset, type Sample, type SplitName, samplesOf } from "./dataset.ts";
import { sourceOf } from "./dataset-yaml.ts";
import { equalImages } from "./duplicates.ts";
import type { ImageFacts } from "./file-facts.ts";
import { classNumbersProblem, zeroAnd255Problem, zeroAnd255Warning } from "./mask-values.ts";
import { type Problem, problem } from "./problems.ts";
import { shownText } from "./shown-text.ts";
import {
  pictureWindow,
  planInUse,
  type Survey,
  type SurveyedSample,
  type SurveyOptions,
  surveyDataset,
} from "./survey.ts";

export interface CheckedSample extends Sample {
  /** Native size in pixels. */
  readonly width: number;
  readonly height: number;
  /** [label, pixels] of every label in the mask, ascending; 255 = ignore included. */
  readonly labels: readonly (readonly [label: number, pixels: number])[];
  /** Bits a sample of the mask as stored. */
  readonly maskDepth?: number | undefined;
}

export interface CheckedDataset {
  readonly folder: string;
  readonly name: string;
  /** What `data prepare` made it from, such as `kits23`, as dataset.yaml says; undefined for a folder of someone's own. */
  readonly source?: string | undefined;
  /** Class names by label, background first. */
  readonly classes: readonly string[];
  /** One display colour a class. */
  readonly colours: readonly Rgb[];
  /** Where the classes come from: the caller (a checkpoint), dataset.yaml, or counted from the masks, which is to be said. */
  readonly classSource: "given" | "yaml" | "masks";
  /** From dataset.yaml, else measured on the training split; undefined when that was not among the splits. */
  readonly statistics: PixelStatistics | undefined;
  /**
   * What all its scans were shown through when it was prepared, or its pictures of more than 8 bits are, in their own
   * values (CT: Hounsfield units); undefined where there is no such window.
   */
  readonly window: Window | undefined;
  /** What the images' channels are and what each is shown through; undefined: red, green and blue. */
  readonly channels: ChannelPlan | undefined;
  readonly splits: Readonly<Partial<Record<SplitName, readonly CheckedSample[]>>>;
  /** How pictures of more than 8 bits are shown, in a sentence; undefined where there are none. */
  readonly shown: string | undefined;
  /** Sentences for the person: nothing is wrong for certain, but it should be known. */
  readonly warnings: readonly string[];
  /** Files decoded in this check; 0 = all were known from the index. */
  readonly decoded: number;
  /** What could not be used and was left out, where that was asked for. */
  readonly leftOut: readonly Problem[];
  /** SHA-256 of every image and mask of the splits, by its name in the folder, such as `mask/a.png`. */
  readonly hashes: ReadonlyMap<string, string>;
}

export interface CheckOptions extends SurveyOptions {
  /** Class names that must hold (a checkpoint's); labels beyond them are problems. */
  readonly classes?: readonly string[];
  /** So many classes, background included, are believed where only the masks tell: however many, and with gaps. */
  readonly believed?: number | undefined;
  /** Leave out images that cannot be used, and list them, instead of throwing; where none is left, it is an error still. */
  readonly leaveOut?: boolean;
}

const MOST_LISTED = 20;

/** Problems of single images; all others concern a set as a whole. */
const OF_ONE_FILE: ReadonlySet<Problem["code"]> = new Set([
  "not-an-image",
  "shared-stem",
  "unpaired",
  "channels-differ",
  "unreadable",
  "size-mismatch",
]);

interface ReadSplit {
  readonly split: SplitName;
  readonly samples: readonly CheckedSample[];
  readonly problems: readonly Problem[];
}

/** Labels that name no class; 255 = ignore is none of them. Beyond those of a network, which no mask is to blame for: one sentence. */
function labelProblems(
  samples: readonly CheckedSample[],
  { classes, classSource }: HeldClasses,
  { folder }: Dataset,
): Problem[] {
  const known = classes.map((name, label) => `${label} ${name}`).join(", ");
  const isBeyond = ([label]: readonly [number, number]) => label >= classes.length && label !== IGNORE_LABEL;
  const beyond = samples.filter(({ labels }) => labels.some(isBeyond));
  const [first, second] = beyond;
  if (classSource === "given" && first && second) {
    const labels = new Set(beyond.flatMap(({ labels: own }) => own.filter(isBeyond).map(([label]) => label)));
    const which = [...labels].sort((a, b) => a - b).join(", ");
    return [
      problem(
        "label-beyond-classes",
        folder,
        `${beyond.length} of ${samples.length} masks hold labels that the network does not know (${which}; first ` +
          `${first.mask}): it has ${classes.length} classes (${known}; 255 = ignore)`,
        "take a network that was trained on these classes, or a data set with its classes",
      ),
    ];
  }
  return samples.flatMap(({ mask, labels }) =>
    labels
      .filter(isBeyond)
      .map(([label, pixels]) =>
        problem(
          "label-beyond-classes",
          mask,
          `holds label ${label} (${pixels} pixels), beyond the ${classes.length} classes (${known}; 255 = ignore)`,
          "correct the mask or name the class in dataset.yaml",
        ),
      ),
  );
}

/** Names where nothing names them: labels 0 .. the largest in any mask. */
function countedClasses(samples: readonly CheckedSample[]): readonly string[] {
  const used = samples.flatMap(({ labels }) =>
    labels.map(([label]) => label).filter((label) => label !== IGNORE_LABEL),
  );
  const largest = Math.max(0, ...used);
  if (largest === 1) return ["background", "foreground"];
  return Array.from({ length: largest + 1 }, (_, label) => (label === 0 ? "background" : `class ${label}`));
}

/** Population mean and standard deviation over all pixels; a channel that never varies gets one grey level. */
function statisticsOf(images: readonly ImageFacts[]): PixelStatistics {
  const pixels = images.reduce((sum, { width, height }) => sum + width * height, 0);
  const total = (pick: (facts: ImageFacts) => number) => images.reduce((sum, facts) => sum + pick(facts), 0);
  const moments = (images[0]?.sums ?? []).map((_, channel) => {
    const first = total(({ sums }) => sums[channel] ?? 0) / pixels;
    const second = total(({ squares }) => squares[channel] ?? 0) / pixels;
    return { mean: first / 255, std: Math.max(Math.sqrt(Math.max(second - first * first, 0)), 1) / 255 };
  });
  return { mean: moments.map(({ mean }) => mean), std: moments.map(({ std }) => std) };
}

const DISPLAY_COLOURS: readonly Rgb[] = [
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
    const [red, green, blue] = DISPLAY_COLOURS[label < 8 ? label : 1 + ((label - 8) % 7)] ?? [255, 255, 255];
    const shade = 0.7 ** (label < 8 ? 0 : 1 + Math.floor((label - 8) / 7));
    return [Math.round(red * shade), Math.round(green * shade), Math.round(blue * shade)];
  });
}

function throwProblems(dataset: Dataset, splits: readonly SplitName[], problems: readonly Problem[]): void {
  const [first] = problems;
  if (first === undefined) return;
  if (problems.length === 1) throw new DataError(first.message);
  const listed = problems.slice(0, MOST_LISTED).map(({ message }) => `  - ${message}`);
  if (problems.length > MOST_LISTED) listed.push(`  - and ${problems.length - MOST_LISTED} more`);
  throw new DataError(`${dataset.folder}: ${problems.length} problems in ${splits.join(", ")}:\n${listed.join("\n")}`);
}

/** Everything found wrong in the splits, in their order: what nobody can train on or measure with. */
export function allProblems(read: readonly ReadSplit[], held: HeldClasses, dataset: Dataset, believed = 0): Problem[] {
  const { classes, classSource } = held;
  const { folder } = dataset;
  const found = read.flatMap(({ split, samples, problems }) => {
    const unmapped = zeroAnd255Problem(folder, join(folder, split), samples);
    return [...problems, ...(unmapped === undefined ? [] : [unmapped]), ...labelProblems(samples, held, dataset)];
  });
  const doubtful =
    classSource === "masks" && classes.length > believed
      ? classNumbersProblem(
          folder,
          read.flatMap(({ samples }) => samples),
        )
      : undefined;
  return doubtful === undefined ? found : [...found, doubtful];
}

interface HeldClasses {
  readonly classes: readonly string[];
  readonly classSource: CheckedDataset["classSource"];
}

/** The classes that hold for a dataset, and who says so. */
export function classesOf(
  dataset: Dataset,
  samples: readonly CheckedSample[],
  given: readonly string[] | undefined,
): HeldClasses {
  if (given !== undefined) return { classes: given, classSource: "given" };
  if (dataset.yaml.classes !== undefined) return { classes: dataset.yaml.classes, classSource: "yaml" };
  return { classes: countedClasses(samples), classSource: "masks" };
}

/** What the check keeps of a surveyed pair. */
export function checkedSample({ imageFacts, maskFacts, ...sample }: SurveyedSample): CheckedSample {
  const { width, height } = imageFacts;
  return { ...sample, width, height, labels: maskFacts.labels, maskDepth: maskFacts.depth };
}

/** A sentence about pictures that stand in two of the splits in use; whoever measures on them measures memory. */
function leakWarning({ folder }: Dataset, { splits }: Survey): string | undefined {
  const groups = equalImages(splits).filter((group) => new Set(group.map(({ split }) => split)).size > 1);
  const [first] = groups;
  if (first === undefined) return undefined;
  const places = first.map(({ sample }) => sample.image).join(" = ");
  return (
    `${folder}: ${groups.length} pictures stand in more than one split (first: ${places}); scores on them mean nothing, ` +
    "svanet data verify lists them all"
  );
}

/**
 * A full check of the splits in use before anything is trained or measured on them: decodes every image and mask of
 * `splits` and checks pairing, sizes, labels and values. What is learnt on the way (sizes, labels, pixel statistics)
 * is kept in an index file: no file is decoded twice while it stays equal. Throws one DataError listing every problem
 * found (the first 20 in words).
 */
export async function checkDataset(
  dataset: Dataset,
  splits: readonly SplitName[],
  options: CheckOptions = {},
): Promise<CheckedDataset> {
  for (const split of splits) samplesOf(dataset, split);
  const survey = await surveyDataset(dataset, splits, options);
  const read = survey.splits.map((one) => ({ ...one, samples: one.samples.map(checkedSample) }));
  const samples = read.flatMap((one) => one.samples);
  const held = classesOf(dataset, samples, options.classes);
  const { classes, classSource } = held;
  const problems = allProblems(read, held, dataset, options.believed);
  const single = options.leaveOut && samples.length > 0 ? problems.filter(({ code }) => OF_ONE_FILE.has(code)) : [];
  throwProblems(
    dataset,
    splits,
    problems.filter((one) => !single.includes(one)),
  );
  if (classes.length < 2) {
    throw new DataError(
      `${dataset.folder}: every mask holds only 0 (background); there is nothing to learn or measure`,
    );
  }
  const { mean, std, colours } = dataset.yaml;
  const training = survey.splits.find(({ split }) => split === "train")?.samples;
  const measured = training === undefined ? undefined : statisticsOf(training.map(({ imageFacts }) => imageFacts));
  const unused = dataset.unusedMasks;
  const warnings = [
    survey.unsaved,
    zeroAnd255Warning(dataset.folder, samples)?.message,
    leakWarning(dataset, survey),
    unused.length > 0
      ? `${dataset.folder}: ${unused.length} masks belong to no image of train, val or test (first: ${unused[0]})`
      : undefined,
  ];
  return {
    folder: dataset.folder,
    name: dataset.name,
    source: sourceOf(dataset.yaml),
    classes,
    classSource,
    colours: colours !== undefined && colours.length === classes.length ? colours : defaultColours(classes.length),
    statistics: mean !== undefined && std !== undefined ? { mean, std } : measured,
    window: pictureWindow(dataset, options).window ?? dataset.yaml.provenance?.window,
    channels: planInUse(dataset, options),
    shown: shownText(survey.splits, pictureWindow(dataset, options).why, dataset.yaml.channels),
    splits: Object.fromEntries(read.map(({ split, samples }) => [split, samples])),
    warnings: warnings.filter((warning) => warning !== undefined),
    leftOut: single,
    decoded: survey.decoded,
    hashes: survey.hashes,
  };
}

/** The pixel statistics of a data set; DataError when neither dataset.yaml nor a training split gives them. */
export function pixelStatistics(dataset: CheckedDataset): PixelStatistics {
  if (dataset.statistics) return dataset.statistics;
  throw new DataError(`${join(dataset.folder, "train")} is needed for the mean and deviation of its pixels`);
}
