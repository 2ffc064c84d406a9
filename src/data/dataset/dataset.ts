import { readdir } from "node:fs/promises";
import { basename, join, parse, resolve } from "node:path";
import { DataError } from "../../errors.ts";
import { IMAGE_EXTENSIONS } from "../decode.ts";
import type { Window } from "../formats/window.ts";
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
  readonly mask: string;
  /** What the image is shown through where it is no bytes; undefined: its own percentiles. */
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

/** A dataset folder while it is listed. */
interface Listed {
  readonly folder: string;
  readonly masks: MaskFolder;
  readonly yaml: DatasetYaml;
}

function pairUp({ folder, masks, yaml }: Listed, split: SplitName, names: readonly string[]): Listing {
  const problems: Problem[] = [];
  const samples = new Map<string, Sample>();
  for (const name of names) {
    const { name: stem, ext } = parse(name);
    const image = join(folder, split, name);
    const earlier = samples.get(stem);
    if (!IMAGE_EXTENSIONS.has(ext.toLowerCase())) {
      const known = [...IMAGE_EXTENSIONS].join(" ");
      problems.push(problem("not-an-image", image, `no image format we read (${known})`, "convert it or move it away"));
    } else if (earlier !== undefined) {
      const what = `has the same stem as ${earlier.image}, both would share one mask`;
      problems.push(problem("shared-stem", image, what, "rename one"));
    } else {
      const found = masks.maskOf(stem, image);
      if ("mask" in found) samples.set(stem, { stem, image, mask: found.mask, ...placeOf(stem, yaml) });
      else problems.push(found.problem);
    }
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
