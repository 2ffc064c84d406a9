import { join, parse } from "node:path";
import { DataError } from "../../errors.ts";
import { SPLIT_NAMES, type SplitName } from "../dataset/dataset.ts";
import { IMAGE_EXTENSIONS } from "../decode.ts";
import { MASK_ENDINGS, MASK_SUFFIX } from "../masks/read-mask.ts";
import { type ReadMasks, readingFor } from "./mask-reading.ts";
import { casesOf, ignoringReading, namedLabels } from "./nnunet.ts";
import { ownData, partsOf, splitUnits, type Unit } from "./own-data.ts";
import type { PictureTask, SetKind, Settings } from "./plan.ts";
import { filesWith, list, notThis, requirePairs } from "./raw-folder.ts";

const IMAGE_ENDINGS = [...IMAGE_EXTENSIONS];
const EXPECTED =
  "images/ and masks/ (or labels/), masks named as their images, with _mask or with _segmentation behind; " +
  "or train/, val/, test/, each with images/ and masks/; or imagesTr/ and labelsTr/; or a dataset folder";
const IMAGE_FOLDERS = ["images", "image", "imgs", "imagestr"];
const MASK_FOLDERS = ["masks", "mask", "labels", "label", "labelstr"];

interface Pair extends Unit {
  readonly image: string;
  readonly mask: string;
}

/** Two folders whose files belong together. */
interface Place {
  readonly images: string;
  readonly masks: string;
  readonly split: SplitName | undefined;
}

const named = (folders: readonly string[], names: readonly string[]) =>
  folders.find((folder) => names.includes(folder.toLowerCase()));

/** Where images and masks lie: side by side, in each split, or as in a dataset folder, whose splits share mask/. */
export async function placesIn(raw: string): Promise<readonly Place[]> {
  const places: Place[] = [];
  for (const { folder, split } of await partsOf(raw)) {
    const { folders = [] } = (await list(folder)) ?? {};
    const [images, masks] = [named(folders, IMAGE_FOLDERS), named(folders, MASK_FOLDERS)];
    if (images === undefined || masks === undefined) continue;
    places.push({ images: join(folder, images), masks: join(folder, masks), split });
  }
  if (places.length > 0) return places;
  const { folders = [] } = (await list(raw)) ?? {};
  const masks = named(folders, MASK_FOLDERS);
  if (masks === undefined) return [];
  return SPLIT_NAMES.filter((split) => folders.includes(split)).map((split) => ({
    ...{ images: join(raw, split), masks: join(raw, masks), split },
  }));
}

/** Masks of a folder by the stem of their image. */
async function masksByStem(folder: string): Promise<ReadonlyMap<string, string>> {
  const byStem = new Map<string, string>();
  for (const name of await filesWith(folder, MASK_ENDINGS)) {
    const stem = parse(name).name.replace(MASK_SUFFIX, "");
    const other = byStem.get(stem);
    if (other !== undefined) {
      throw new DataError(
        `${join(folder, other)} and ${join(folder, name)}: both are masks of ${stem}; rename one of them`,
      );
    }
    byStem.set(stem, name);
  }
  return byStem;
}

async function pairsIn(raw: string): Promise<readonly Pair[]> {
  const places = await placesIn(raw);
  const masks = new Map<string, ReadonlyMap<string, string>>();
  const asked = new Map<string, string[]>();
  const pairs: Pair[] = [];
  for (const place of places) {
    const byStem = masks.get(place.masks) ?? (await masksByStem(place.masks));
    masks.set(place.masks, byStem);
    const files = await filesWith(place.images, IMAGE_ENDINGS);
    const fileOf = new Map(files.map((name) => [parse(name).name, name]));
    const cases = casesOf(place.images, [...fileOf.keys()], new Set(byStem.keys()));
    asked.set(place.masks, [...(asked.get(place.masks) ?? []), ...cases.keys()]);
    for (const [stem, image] of cases) {
      const files = {
        image: join(place.images, fileOf.get(image) ?? ""),
        mask: join(place.masks, byStem.get(stem) ?? ""),
      };
      pairs.push({ split: place.split, stem, ...files });
    }
  }
  for (const [folder, stems] of asked) requirePairs(folder, stems, [...(masks.get(folder) ?? new Map()).keys()]);
  return pairs;
}

/** What the masks mean: as asked for, else as dataset.json and every pixel of all of them say. */
async function readingOf(raw: string, pairs: readonly Pair[], settings: Settings, workers: number): Promise<ReadMasks> {
  const described = await namedLabels(raw);
  const classes = settings.classes ?? described?.classes;
  const ignoring = settings.reading === undefined ? ignoringReading(described) : undefined;
  if (ignoring !== undefined) {
    const note = `Mask values are class numbers; ${described?.ignore} is ignored, as dataset.json says`;
    return { reading: ignoring, note, classes };
  }
  const masks = pairs.map(({ mask }) => mask);
  return readingFor(raw, masks, { ...settings, classes }, workers);
}

/** Anyone's own pictures with masks. */
export const folderKind: SetKind = {
  name: "folder",
  summary: "your own pictures: images/ and masks/",
  async plan(raw, settings, workers) {
    const pairs = await pairsIn(raw);
    if (pairs.length === 0) throw await notThis(raw, "a folder of pictures", EXPECTED);
    const { reading, note, classes } = await readingOf(raw, pairs, settings, workers);
    const split = splitUnits(pairs, settings, "pictures");
    const tasks = pairs.map(
      ({ stem, image, mask }, at): PictureTask => ({
        ...{ kind: "picture", split: split.of(at), stem, image },
        layers: [{ file: mask, value: "labels", reading }],
        ...{ page: settings.page, window: settings.window },
      }),
    );
    const own = ownData(raw, "pictures", settings);
    return {
      ...own,
      classes: classes === undefined ? undefined : ["background", ...classes],
      tasks,
      notes: [split.note, note],
    };
  },
};
