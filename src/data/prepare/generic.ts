import { join, parse } from "node:path";
import { DataError } from "../../errors.ts";
import { SPLIT_NAMES, type SplitName } from "../dataset/dataset.ts";
import { patientOf } from "../dataset/patients.ts";
import { NpzFile } from "../formats/npz.ts";
import { rangeText } from "../formats/window.ts";
import { readingText } from "../masks/parse-reading.ts";
import { casesOf, ignoringReading, namedLabels } from "./nnunet.ts";
import { largestLabel, ownData, partsOf, requireNamed, splitUnits, type Unit } from "./own-data.ts";
import type { ArrayTask, SetKind, Settings, VolumeTask } from "./plan.ts";
import { filesWith, findInside, list, notThis, requirePairs } from "./raw-folder.ts";
import { splitGroups } from "./splits.ts";

/** A sentence about how labels are read, where someone said so. */
function readingNotes({ reading }: Settings): string[] {
  return reading === undefined ? [] : [`Labels are read by ${readingText(reading)}`];
}

const NIFTI_EXPECTED =
  "imagesTr/NAME_0000.nii.gz and labelsTr/NAME.nii.gz; or images/ and labels/ with equal names (also in train/, val/, test/); " +
  "or folders with image.nii.gz and label.nii.gz";
const VOLUME_ENDINGS = [".nii.gz", ".nii"];
const volumeStem = (name: string) => name.replace(/\.nii(\.gz)?$/i, "");

interface VolumePair extends Unit {
  readonly image: string;
  readonly label: string;
}

async function volumesIn({
  folder,
  split,
}: {
  folder: string;
  split: SplitName | undefined;
}): Promise<readonly VolumePair[]> {
  const { folders = [] } = (await list(folder)) ?? {};
  const pairs: VolumePair[] = [];
  for (const [images, labels] of [
    ["imagesTr", "labelsTr"],
    ["images", "labels"],
    ["images", "masks"],
  ] as const) {
    if (!folders.includes(images) || !folders.includes(labels)) continue;
    const stems = async (inner: string) =>
      new Map((await filesWith(join(folder, inner), VOLUME_ENDINGS)).map((name) => [volumeStem(name), name]));
    const [scans, labelled] = [await stems(images), await stems(labels)];
    const cases = casesOf(join(folder, images), [...scans.keys()], new Set(labelled.keys()));
    requirePairs(folder, [...cases.keys()], [...labelled.keys()]);
    for (const [stem, scan] of cases) {
      const image = join(folder, images, scans.get(scan) ?? "");
      pairs.push({ stem, split, image, label: join(folder, labels, labelled.get(stem) ?? "") });
    }
    return pairs;
  }
  for (const stem of folders) {
    const names = await filesWith(join(folder, stem), VOLUME_ENDINGS);
    const image = names.find((name) => /^(image|imaging|img)\.nii/i.test(name));
    const label = names.find((name) => /^(label|labels|mask|segmentation|seg)\.nii/i.test(name));
    if (image !== undefined && label !== undefined) {
      pairs.push({ stem, split, image: join(folder, stem, image), label: join(folder, stem, label) });
    }
  }
  return pairs;
}

/** Anyone's own NIfTI volumes with label volumes. */
export const niftiKind: SetKind = {
  name: "nifti",
  summary: "your own NIfTI volumes with label volumes, by axial slices",
  async plan(raw, given) {
    const described = await namedLabels(raw);
    const classes = given.classes ?? described?.classes;
    const settings = { ...given, classes, reading: given.reading ?? ignoringReading(described) };
    requireNamed(settings);
    const pairs = (await Promise.all((await partsOf(raw)).map(volumesIn))).flat();
    if (pairs.length === 0) throw await notThis(raw, "NIfTI volumes", NIFTI_EXPECTED);
    // A volume is a unit of its own: several scans of a patient go together only where names tell.
    const named = pairs.map((pair) => ({ ...pair, patient: patientOf(pair.stem) ?? pair.stem }));
    const splitOf = named.every(({ split }) => split !== undefined)
      ? undefined
      : splitGroups(
          named.map(({ patient }) => patient),
          settings,
          "volumes",
        );
    const tasks = named.map(
      ({ stem, split, patient, image, label }): VolumeTask => ({
        kind: "volume",
        split: split ?? splitOf?.(patient) ?? "train",
        stem,
        image,
        label,
        slices: { kind: "every", step: settings.every, last: false },
        window: settings.window,
        largest: largestLabel(settings),
        reading: settings.reading,
        trustOrder: settings.trustOrder,
      }),
    );
    return {
      ...ownData(raw, "volumes", settings),
      tasks,
      notes: [
        ...readingNotes(settings),
        splitOf === undefined ? "Split by the folders train, val and test" : "Split by volume, drawn by seed",
        settings.window === undefined
          ? "Intensity scaled per volume, from its 0.5th to its 99.5th percentile"
          : `Intensity scaled from ${settings.window.low} to ${settings.window.high}`,
      ],
    };
  },
};

const IMAGE_ARRAYS = ["X", "x", "images", "image", "imgs", "img", "data"];
const LABEL_ARRAYS = ["y", "Y", "labels", "label", "masks", "mask", "seg"];
const NPZ_EXPECTED =
  `npz files with an image array (${IMAGE_ARRAYS.join(", ")}) and a label array (${LABEL_ARRAYS.join(", ")}): one file a patient, ` +
  "or stacks named train.npz, val.npz, test.npz";

/** Anyone's own npz arrays of images and labels. */
export const npzKind: SetKind = {
  name: "npz",
  summary: "your own NumPy archives: images and class numbers",
  async plan(raw, settings) {
    requireNamed(settings);
    const root = await findInside(raw, ({ files }) => files.some((name) => name.toLowerCase().endsWith(".npz")));
    if (root === undefined) throw await notThis(raw, "NumPy archives", NPZ_EXPECTED);
    const files = await filesWith(root, [".npz"]);
    const units = files.map((name) => ({
      stem: parse(name).name,
      split: SPLIT_NAMES.find((split) => new RegExp(`(^|[-_.])${split}$`, "i").test(parse(name).name)),
    }));
    if (files.length === 1 && units[0]?.split === undefined) {
      throw new DataError(
        `${join(root, files[0] ?? "")}: one stack whose patients are not known cannot be split; write one file a patient, or ` +
          "train.npz, val.npz and test.npz",
      );
    }
    const { of, note } = splitUnits(units, settings, "files");
    const tasks = await Promise.all(
      files.map(async (name, at): Promise<ArrayTask> => {
        const file = join(root, name);
        const npz = await NpzFile.open(file);
        await npz.close();
        const image = IMAGE_ARRAYS.find((candidate) => npz.names.includes(candidate));
        const label = LABEL_ARRAYS.find((candidate) => npz.names.includes(candidate));
        if (image === undefined || label === undefined) {
          throw new DataError(
            `${file}: holds the arrays ${npz.names.join(", ") || "(none)"}; expected are ${NPZ_EXPECTED}`,
          );
        }
        const stem = parse(name).name;
        return {
          kind: "array",
          split: of(at),
          stem,
          file,
          image,
          label,
          layout: "plain",
          largest: largestLabel(settings),
          window: settings.window,
          reading: settings.reading,
        };
      }),
    );
    return {
      ...ownData(raw, "arrays", settings),
      tasks,
      notes: [
        note,
        ...readingNotes(settings),
        settings.window === undefined
          ? "Arrays of whole numbers from 0 to 255 stay, others are scaled per image from their 0.5th to their 99.5th percentile"
          : `Values scaled from ${rangeText(settings.window)}`,
      ],
    };
  },
};
