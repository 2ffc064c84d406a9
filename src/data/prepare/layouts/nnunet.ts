import { basename, join } from "node:path/posix";
import { z } from "zod";
import { DataError, UsageError } from "../../../errors.ts";
import type { SplitName } from "../../dataset/dataset.ts";
import { namedLabels } from "../nnunet.ts";
import type { Settings } from "../plan.ts";
import { requirePairs } from "../raw-folder.ts";
import { type Case, planCases, requireChannels } from "./cases.ts";
import { asSchema, readJson } from "./json-file.ts";
import { counted, type Layout, like, someOf, unlike } from "./layout.ts";
import { PICTURE_ENDINGS, type RawTree } from "./raw-tree.ts";

const channelTable = z.union([z.record(z.string(), z.string()), z.array(z.string())]);
/** dataset.json of nnU-Net 2 (`channel_names`, `file_ending`), of nnU-Net 1 and of the Decathlon (`modality`). */
export const descriptionSchema = z.looseObject({
  name: z.string().optional(),
  channel_names: channelTable.optional(),
  modality: channelTable.optional(),
  file_ending: z.string().optional(),
  labels: z.unknown().optional(),
  training: z.array(z.unknown()).optional(),
});
export type Description = z.infer<typeof descriptionSchema>;

const foldsSchema = z.array(z.looseObject({ train: z.array(z.string()), val: z.array(z.string()) })).min(1);
const FOLDS = "splits_final.json";
const NIFTI = [".nii.gz", ".nii"];
/** Formats of nnU-Net's readers that are not read here. */
const FOREIGN = [".nrrd", ".mha", ".gipl", ".npy"];
const EXPECTED =
  "imagesTr/CASE_0000.nii.gz (or .png, .tif; _0001 for a second channel), labelsTr/CASE.nii.gz and dataset.json";

/** What dataset.json of a folder says; undefined where there is none. Throws DataError where it is damaged. */
export async function descriptionIn(tree: RawTree, root: string): Promise<Description | undefined> {
  const file = join(root, "dataset.json");
  if (!tree.files.includes(file)) return undefined;
  return asSchema(descriptionSchema, await readJson(tree.path(file)), tree.path(file));
}

/** Names of channels by number, as `channel_names` or `modality` gives them. */
export const channelNamesOf = ({ channel_names: names, modality }: Description): readonly string[] =>
  Object.values(names ?? modality ?? {});

const endingOf = (file: string) =>
  NIFTI.find((ending) => file.toLowerCase().endsWith(ending)) ?? /\.[^.]+$/.exec(file)?.[0] ?? "";
const bare = (file: string) => basename(file).slice(0, -endingOf(file).length);
const isLabelled = (file: string) =>
  PICTURE_ENDINGS.has(endingOf(file).toLowerCase()) || NIFTI.includes(endingOf(file).toLowerCase());

/** Files of a folder by their names without ending. Throws DataError where only formats are there that are not read. */
function filesIn(tree: RawTree, folder: string): ReadonlyMap<string, string> {
  const foreign = tree.filesIn(folder, FOREIGN);
  const files = tree.filesIn(folder, [""]).filter(isLabelled);
  if (files.length === 0 && foreign[0] !== undefined) {
    throw new DataError(
      `${tree.path(foreign[0])}: ${endingOf(foreign[0])} is not read; convert the set to NIfTI (.nii.gz)`,
    );
  }
  return new Map(files.map((file) => [bare(file), file]));
}

/** The channels of the labelled cases, by case and number. */
function channelsOf(images: ReadonlyMap<string, string>, labels: ReadonlySet<string>) {
  const cases = new Map<string, (string | undefined)[]>();
  for (const [name, file] of images) {
    const [, stem = name, number = "0000"] = labels.has(name) ? [] : (/^(.+)_(\d{4})$/.exec(name) ?? []);
    const channels = cases.get(stem) ?? [];
    channels[Number(number)] = file;
    cases.set(stem, channels);
  }
  return cases;
}

/** The cases of `images` and `labels`, such as imagesTr/ and labelsTr/. */
function casesIn(
  tree: RawTree,
  root: string,
  [images, labels]: readonly [string, string],
  split: SplitName | undefined,
): readonly Case[] {
  const labelled = filesIn(tree, join(root, labels));
  const cases = channelsOf(filesIn(tree, join(root, images)), new Set(labelled.keys()));
  requirePairs(tree.path(join(root, images)), [...cases.keys()], [...labelled.keys()]);
  requireChannels(tree.path(join(root, images)), Math.max(...[...cases.values()].map(({ length }) => length)), cases);
  return [...cases].map(([stem, channels]) => ({
    ...{ stem, split, label: tree.path(labelled.get(stem) ?? "") },
    channels: channels.flatMap((file) => (file === undefined ? [] : [{ file: tree.path(file), volume: 0 }])),
  }));
}

/** Cases with the splits of a fold, those in neither list left out. */
async function folded(tree: RawTree, root: string, cases: readonly Case[], { fold }: Settings) {
  const file = join(root, FOLDS);
  const path = tree.path(file);
  if (!tree.files.includes(file)) {
    if (fold !== undefined) throw new UsageError(`--fold ${fold}: there is no ${path} that says what the folds are`);
    return { cases, notes: [], kept: [] };
  }
  const folds = asSchema(foldsSchema, await readJson(path), path);
  const chosen = folds[fold ?? 0];
  if (chosen === undefined) throw new UsageError(`--fold ${fold}: ${path} has the folds 0 to ${folds.length - 1}`);
  const splits = new Map<string, SplitName>([
    ...chosen.train.map((stem) => [stem, "train"] as const),
    ...chosen.val.map((stem) => [stem, "val"] as const),
  ]);
  const known = new Set(cases.map(({ stem }) => stem));
  const lost = [...splits.keys()].filter((stem) => !known.has(stem));
  if (lost.length > 0) {
    throw new DataError(
      `${path}: fold ${fold ?? 0} names cases that are not in imagesTr/: ${someOf(lost)}; complete the folder`,
    );
  }
  const used = cases.flatMap((one) => {
    const split = one.split ?? splits.get(one.stem);
    return split === undefined ? [] : [{ ...one, split }];
  });
  const out = cases.length - used.length;
  const notes = [
    `Split by fold ${fold ?? 0} of ${folds.length} of ${FOLDS} (--fold chooses), which is kept beside dataset.yaml`,
    ...(out > 0 ? [`${counted(out, "case")} in neither list of the fold left out`] : []),
  ];
  return { cases: used, notes, kept: [path] };
}

const unlabelledNote = (cases: number, channels: number) =>
  `imagesTs/ has ${counted(cases, "case")} without labels, left out${channels === 1 ? ": svanet predict takes them as they are" : ""}`;

/** nnU-Net's raw folders, of its first and its second version. */
export const nnunet: Layout = {
  name: "nnunet",
  title: "nnU-Net",
  summary: "nnU-Net raw, 1 and 2: imagesTr/, labelsTr/, dataset.json, splits_final.json",
  expected: EXPECTED,
  async recognise(tree) {
    const [root, ...others] = tree.foldersWith("imagesTr");
    if (root === undefined) return unlike(0, "there is no folder imagesTr/");
    if (others.length > 0)
      return unlike(0.9, `there are several sets: ${someOf([root, ...others], 6)}; name one with --from`);
    const [images, labels] = [join(root, "imagesTr"), join(root, "labelsTr")];
    if (!tree.has(root, "labelsTr")) return unlike(0.7, `${images}/ is there, ${labels}/ beside it is not`);
    const named = filesIn(tree, images);
    const labelled = new Set(filesIn(tree, labels).keys());
    const [first] = [...named].filter(([name]) => !labelled.has(name) && /_\d{4}$/.test(name));
    if (first === undefined) {
      const [any] = named.values();
      return unlike(
        0.8,
        any === undefined ? `${images}/ holds no image` : `${any}: does not end in a channel's number, as CASE_0000`,
      );
    }
    const described = await descriptionIn(tree, root);
    const version =
      described === undefined
        ? "no dataset.json"
        : described.channel_names
          ? "dataset.json of nnU-Net 2"
          : "dataset.json of nnU-Net 1";
    return like(root, `${first[1]} and ${labels}/ with ${counted(labelled.size, "label")}, ${version}`);
  },
  async plan(tree, root, settings, workers) {
    const described = (await descriptionIn(tree, root)) ?? {};
    const train = casesIn(tree, root, ["imagesTr", "labelsTr"], undefined);
    const hasTest =
      tree.has(root, "imagesTs") && tree.has(root, "labelsTs") && filesIn(tree, join(root, "labelsTs")).size > 0;
    const test = hasTest ? casesIn(tree, root, ["imagesTs", "labelsTs"], "test") : [];
    const unlabelled = hasTest ? 0 : channelsOf(filesIn(tree, join(root, "imagesTs")), new Set()).size;
    const { cases, notes, kept } = await folded(tree, root, [...train, ...test], settings);
    const count = Math.max(...cases.map(({ channels }) => channels.length));
    const named = channelNamesOf(described);
    // One file of a case may hold all channels, as RGB pictures do.
    const channelNames = Array.from(
      { length: count },
      (_, at) => (count > 1 || named.length === 1 ? named[at] : undefined) ?? `channel ${at}`,
    );
    const labels = await namedLabels(tree.path(root));
    const plan = await planCases(
      {
        ...{ raw: tree.raw, root, cases, channelNames, labels },
        volumes: cases.every(({ label }) => NIFTI.includes(endingOf(label).toLowerCase())),
        modality: named.join(", ") || "images",
        notes: [
          ...notes,
          ...(described.labels !== undefined && labels === undefined
            ? ["dataset.json names regions, or numbers with gaps: labels are taken as they are, without its names"]
            : []),
          ...(hasTest ? ["imagesTs/ has labels: it is the test split"] : []),
          ...(unlabelled > 0 ? [unlabelledNote(unlabelled, count)] : []),
        ],
      },
      settings,
      workers,
    );
    return { ...plan, name: described.name ?? basename(join(tree.raw.replaceAll("\\", "/"), root)), kept };
  },
};
