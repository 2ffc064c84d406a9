import { basename, join, parse, resolve } from "node:path";
import { DataError, UsageError } from "../../errors.ts";
import { SPLIT_NAMES, type SplitName } from "../dataset/dataset.ts";
import { patientOf } from "../dataset/patients.ts";
import { decodeImage, IMAGE_EXTENSIONS, readBytes } from "../decode.ts";
import { NpzFile } from "../formats/npz.ts";
import { rangeText } from "../formats/window.ts";
import type { ArrayTask, Layer, PictureTask, PreparationPlan, SetKind, Settings, VolumeTask } from "./plan.ts";
import { filesWith, findInside, list, notThis, requirePairs } from "./raw-folder.ts";
import { type Shares, splitGroups, splitRuns } from "./splits.ts";

/** What every generic plan says about itself. */
export function ownData(raw: string, modality: string, settings: Settings): Omit<PreparationPlan, "tasks" | "notes"> {
  return {
    name: basename(resolve(raw)),
    classes: settings.classes === undefined ? undefined : ["background", ...settings.classes],
    modality,
    licence: "not stated; add it",
    source: basename(resolve(raw)),
  };
}

/** Largest class index: by the names given, else whatever a mask can hold. */
const largestLabel = ({ classes }: Settings) => classes?.length ?? 254;

/** The folders a layout may stand in: the raw folder, or train/, val/, test/ inside it. */
async function partsOf(raw: string): Promise<readonly { folder: string; split: SplitName | undefined }[]> {
  const folders = (await list(raw))?.folders ?? [];
  const splits = SPLIT_NAMES.filter((name) => folders.includes(name));
  if (splits.length === 0) return [{ folder: raw, split: undefined }];
  return splits.map((split) => ({ folder: join(raw, split), split }));
}

interface Unit {
  readonly stem: string;
  readonly split: SplitName | undefined;
}

/** Splits for units whose folders do not tell: by what their names say about patients, else by runs. */
function splitUnits(
  units: readonly Unit[],
  shares: Shares,
  what: string,
): { of: (at: number) => SplitName; note: string } {
  const fixed = units.every(({ split }) => split !== undefined);
  if (fixed) return { of: (at) => units[at]?.split ?? "train", note: "Split by the folders train, val and test" };
  const patients = units.map(({ stem }) => patientOf(stem));
  if (patients.every((patient) => patient !== undefined)) {
    const splitOf = splitGroups(patients, shares, "patients");
    return {
      of: (at) => splitOf(patients[at] ?? ""),
      note: "Split by the patient that the file names tell, drawn by seed",
    };
  }
  const [runs = []] = splitRuns([units.length], shares, what);
  return {
    of: (at) => runs[at] ?? "train",
    note: "The names do not tell the patient: one run of consecutive files is held out, its place drawn by seed",
  };
}

const PICTURE_ENDINGS = [...IMAGE_EXTENSIONS];
const FOLDER_EXPECTED =
  "images/ and masks/ (or labels/), masks named as their images, with _mask or with _segmentation behind; " +
  "or train/, val/, test/, each with images/ and masks/";

/** Masks of at most this many files decide whether masks are black and white or hold class numbers. */
const PROBES = 16;

async function isBlackAndWhite(files: readonly string[]): Promise<boolean> {
  if (files.some((file) => !file.toLowerCase().endsWith(".png"))) return true; // JPEG's noise holds no class numbers
  const step = Math.max(1, Math.floor(files.length / PROBES));
  const values = new Set<number>();
  for (const file of files.filter((_, at) => at % step === 0).slice(0, PROBES)) {
    for (const value of (await decodeImage(await readBytes(file), file)).data) values.add(value);
  }
  return values.has(255) && [...values].every((value) => value === 0 || value === 255);
}

async function pairsOf({ folder, split }: { folder: string; split: SplitName | undefined }) {
  const { folders = [] } = (await list(folder)) ?? {};
  const masks = ["masks", "mask", "labels", "label"].find((name) => folders.includes(name));
  const images = ["images", "image", "imgs"].find((name) => folders.includes(name));
  if (masks === undefined || images === undefined) return [];
  const names = await filesWith(join(folder, images), PICTURE_ENDINGS);
  const masked = new Map(
    (await filesWith(join(folder, masks), PICTURE_ENDINGS)).map((name) => [
      parse(name).name.replace(/_(mask|segmentation|label|gt)$/i, ""),
      join(folder, masks, name),
    ]),
  );
  requirePairs(
    folder,
    names.map((name) => parse(name).name),
    [...masked.keys()],
  );
  return names.map((name) => {
    const { name: stem } = parse(name);
    return { split, stem, image: join(folder, images, name), mask: masked.get(stem) ?? "" };
  });
}

/** Anyone's own pictures with masks. */
export const folderKind: SetKind = {
  name: "folder",
  summary: "your own pictures: images/ and masks/",
  async plan(raw, settings) {
    const pairs = (await Promise.all((await partsOf(raw)).map(pairsOf))).flat();
    if (pairs.length === 0) throw await notThis(raw, "a folder of pictures", FOLDER_EXPECTED);
    const white = await isBlackAndWhite(pairs.map(({ mask }) => mask));
    const { of, note } = splitUnits(pairs, settings, "pictures");
    const layer = (file: string): Layer => ({ file, value: white ? 1 : "labels" });
    const tasks = pairs.map(
      ({ stem, image, mask }, at): PictureTask => ({
        kind: "picture",
        split: of(at),
        stem,
        image,
        layers: [layer(mask)],
        page: settings.page,
        window: settings.window,
      }),
    );
    const own = ownData(raw, "pictures", settings);
    const classes = own.classes ?? (white ? ["background", "foreground"] : undefined);
    if (white && classes?.length !== 2) {
      throw new UsageError(
        `the masks in ${raw} are black and white, --classes names ${(classes?.length ?? 1) - 1} classes; name one`,
      );
    }
    return {
      ...own,
      classes,
      tasks,
      notes: [note, white ? "Masks are black and white: the white part is class 1" : "Mask values are class numbers"],
    };
  },
};

const NIFTI_EXPECTED =
  "imagesTr/NAME_0000.nii.gz and labelsTr/NAME.nii.gz; or images/ and labels/ with equal names (also in train/, val/, test/); " +
  "or folders with image.nii.gz and label.nii.gz";
const VOLUME_ENDINGS = [".nii.gz", ".nii"];
const volumeStem = (name: string) => name.replace(/\.nii(\.gz)?$/i, "").replace(/_0000$/, "");

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
    const names = new Map(
      (await filesWith(join(folder, images), VOLUME_ENDINGS)).map((name) => [volumeStem(name), name]),
    );
    const labelled = new Map(
      (await filesWith(join(folder, labels), VOLUME_ENDINGS)).map((name) => [volumeStem(name), name]),
    );
    requirePairs(folder, [...names.keys()], [...labelled.keys()]);
    for (const [stem, name] of names) {
      pairs.push({
        stem,
        split,
        image: join(folder, images, name),
        label: join(folder, labels, labelled.get(stem) ?? ""),
      });
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
  async plan(raw, settings) {
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
      }),
    );
    return {
      ...ownData(raw, "volumes", settings),
      tasks,
      notes: [
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
        };
      }),
    );
    return {
      ...ownData(raw, "arrays", settings),
      tasks,
      notes: [
        note,
        settings.window === undefined
          ? "Arrays of whole numbers from 0 to 255 stay, others are scaled per image from their 0.5th to their 99.5th percentile"
          : `Values scaled from ${rangeText(settings.window)}`,
      ],
    };
  },
};
