import { readdir } from "node:fs/promises";
import { basename, join, parse, resolve } from "node:path";
import { DataError } from "../../errors.ts";
import { ARRAY_EXTENSIONS } from "../channel-samples.ts";
import type { ChannelPlan } from "../channels.ts";
import { IMAGE_EXTENSIONS } from "../decode.ts";
import type { Window } from "../formats/window.ts";
import { channelHint, type GroupedFiles, groupChannels, isImageName } from "./channel-files.ts";
import { type DatasetYaml, readDatasetYaml } from "./dataset-yaml.ts";
import { MaskFolder } from "./mask-names.ts";
import { type Problem, problem } from "./problems.ts";
import { type PlaceFacts, placeOf } from "./volumes.ts";

export const SPLIT_NAMES = ["train", "val", "test"] as const;
export type SplitName = (typeof SPLIT_NAMES)[number];

/** One image with its mask; the files exist by name, their content is `checkDataset`'s matter. */
export interface Sample extends PlaceFacts {
  /** File name without extension: the name of its mask, its predictions and its rows. */
  readonly stem: string;
  readonly image: string;
  /** The files of the channels after the first, where each channel has one. */
  readonly further?: readonly string[];
  /** What the channels are; undefined: red, green and blue. */
  readonly channels?: ChannelPlan;
  readonly mask: string;
  /** The file of its single objects, where training on them was asked for. */
  readonly instances?: string | undefined;
  /** What the image is shown through where it is no bytes; undefined: its channels' own, else its own percentiles. */
  readonly window?: Window;
}

/** A dataset folder: `train/`, `val/` and/or `test/` with images, `mask/<same stem>.png` (or .tif), optional `dataset.yaml`. */
export interface Dataset {
  readonly folder: string;
  /** From dataset.yaml, else the folder's name. */
  readonly name: string;
  /** What dataset.yaml says; empty where there is none. */
  readonly yaml: DatasetYaml;
  /** Samples by split, in order of their stems (code units); only splits whose folder exists. */
  readonly splits: Readonly<Partial<Record<SplitName, readonly Sample[]>>>;
  /** Pairing problems by split, found when the folder was listed; `checkDataset` reports them with all others. */
  readonly problems: Readonly<Partial<Record<SplitName, readonly Problem[]>>>;
  /** Names in mask/ that no image of any split asks for. */
  readonly unusedMasks: readonly string[];
}

/** Files that systems leave behind and nobody means as images. */
const STRAY_FILES = new Set(["Thumbs.db", "desktop.ini"]);

async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const names = entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
    // Code units, not the reader's language: the order decides which draws an image gets.
    return names.filter((name) => !name.startsWith(".") && !STRAY_FILES.has(name)).sort(byCodeUnits);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new DataError(`${folder}: the folder cannot be read (${String(error)})`);
  }
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

interface Listing {
  readonly samples: readonly Sample[];
  readonly problems: readonly Problem[];
}

/** What is wrong with a file of a split that is no image. */
function strayProblem(image: string, channels: ChannelPlan | undefined): Problem {
  const ending = parse(image).ext.toLowerCase();
  const known = [...IMAGE_EXTENSIONS].join(" ");
  const isArray = channels === undefined && ARRAY_EXTENSIONS.has(ending);
  const cure = isArray
    ? "name its channels in dataset.yaml, such as channels: [ADC, T2]"
    : "convert it or move it away";
  return problem("not-an-image", image, `no image format we read (${known})`, cure);
}

/** A dataset folder while it is listed. */
interface Listed {
  readonly folder: string;
  readonly masks: MaskFolder;
  readonly yaml: DatasetYaml;
}

/** The image that files of a split are, with its mask; or what is wrong with them. */
function sampleOf(
  { stem, names, problem: wrong }: GroupedFiles,
  files: readonly string[],
  { masks, yaml }: Listed,
): Sample | Problem {
  const { channels } = yaml;
  const [image = "", ...others] = files;
  if (wrong !== undefined) {
    return problem(
      "channels-differ",
      image,
      wrong,
      "add or remove files, or name the channels there are in dataset.yaml",
    );
  }
  const found = masks.maskOf(stem, image);
  if ("mask" in found) {
    const further = others.length > 0 ? { further: others } : {};
    return { stem, image, ...further, ...(channels ? { channels } : {}), mask: found.mask, ...placeOf(stem, yaml) };
  }
  const hint = channels === undefined ? channelHint(names[0] ?? "", (one) => masks.has(one)) : undefined;
  return hint === undefined ? found.problem : problem("unpaired", image, "has no mask", hint);
}

/** The files of a split as images, each of one file where no channels are named. */
function groupsIn(names: readonly string[], { masks, yaml: { channels } }: Listed): readonly GroupedFiles[] {
  if (channels !== undefined) return groupChannels(names, channels, (stem) => masks.has(stem));
  return names.map((name) => ({ stem: parse(name).name, names: [name], problem: undefined }));
}

function pairUp(listed: Listed, split: SplitName, names: readonly string[]): Listing {
  const { folder, yaml } = listed;
  const path = (name: string) => join(folder, split, name);
  const images = names.filter((name) => isImageName(name, yaml.channels));
  const strays = names.filter((name) => !images.includes(name));
  const problems = strays.map((name) => strayProblem(path(name), yaml.channels));
  const samples = new Map<string, Sample>();
  for (const group of groupsIn(images, listed)) {
    const files = group.names.map(path);
    const earlier = samples.get(group.stem);
    if (earlier !== undefined) {
      const what = `has the same stem as ${earlier.image}, both would share one mask`;
      problems.push(problem("shared-stem", files[0] ?? "", what, "rename one"));
      continue;
    }
    const found = sampleOf(group, files, listed);
    if ("code" in found) problems.push(found);
    else samples.set(found.stem, found);
  }
  return { samples: [...samples.values()].sort((a, b) => byCodeUnits(a.stem, b.stem)), problems };
}

/**
 * Lists a dataset folder and reads its dataset.yaml; decodes nothing. Throws DataError where the folder, all splits or
 * `mask/` are missing, or dataset.yaml is wrong.
 */
export async function openDataset(folder: string): Promise<Dataset> {
  const expected = "a dataset folder holds train/, val/ and/or test/ with images and mask/ with <same stem>.png";
  if ((await namesIn(folder)) === undefined) {
    throw new DataError(`${folder}: there is no such folder; ${expected}`);
  }
  const yaml = (await readDatasetYaml(join(folder, "dataset.yaml"))) ?? {};
  const listed = await Promise.all(
    SPLIT_NAMES.map(async (split) => [split, await namesIn(join(folder, split))] as const),
  );
  const present = listed.filter(([, names]) => names !== undefined);
  if (present.length === 0) throw new DataError(`${folder}: has none of train/, val/, test/; ${expected}`);
  const masks = await namesIn(join(folder, "mask"));
  if (masks === undefined) throw new DataError(`${folder}: has no folder mask/; ${expected}`);
  const maskFolder = new MaskFolder(folder, masks);
  const splits: Partial<Record<SplitName, readonly Sample[]>> = {};
  const problems: Partial<Record<SplitName, readonly Problem[]>> = {};
  for (const [split, names] of present) {
    const listing = pairUp({ folder, masks: maskFolder, yaml }, split, names ?? []);
    splits[split] = listing.samples;
    problems[split] = listing.problems;
  }
  return {
    folder,
    name: yaml.name ?? basename(resolve(folder)),
    yaml,
    splits,
    problems,
    unusedMasks: maskFolder.unused(),
  };
}

/** The samples of a split. Throws DataError naming the splits there are when it is missing or empty. */
export function samplesOf(dataset: Dataset, split: SplitName): readonly Sample[] {
  const samples = dataset.splits[split];
  if (samples === undefined) {
    const present = Object.keys(dataset.splits).join(", ");
    throw new DataError(
      `${dataset.folder}: there is no split "${split}" (found: ${present}); create ${split}/ or name another`,
    );
  }
  if (samples.length === 0 && (dataset.problems[split] ?? []).length === 0) {
    throw new DataError(
      `${join(dataset.folder, split)}: the folder has no images (${[...IMAGE_EXTENSIONS].join(" ")})`,
    );
  }
  return samples;
}
