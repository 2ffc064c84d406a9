import { basename, join } from "node:path/posix";
import { z } from "zod";
import { DataError } from "../../../errors.ts";
import { openNifti } from "../../formats/nifti-file.ts";
import { namedLabels } from "../nnunet.ts";
import { type Case, planCases } from "./cases.ts";
import { asSchema, differenceFrom, readJson } from "./json-file.ts";
import { counted, type Layout, like, someOf, unlike } from "./layout.ts";
import { channelNamesOf, descriptionSchema } from "./nnunet.ts";
import { type RawTree, stemOf } from "./raw-tree.ts";

const schema = descriptionSchema.extend({
  training: z.array(z.looseObject({ image: z.string().min(1), label: z.string().min(1) })).min(1),
  test: z.array(z.unknown()).optional(),
  licence: z.string().optional(),
  reference: z.string().optional(),
});
type Task = z.infer<typeof schema>;

/** The file that dataset.json names as `./imagesTr/a.nii.gz`. */
function fileOf(tree: RawTree, root: string, name: string): string | undefined {
  const file = join(root, name);
  return [file, file.replace(/\.gz$/, ""), `${file}.gz`].find((one) => tree.files.includes(one));
}

/** dataset.json files that list pairs for training, with their folders. */
async function tasksIn(tree: RawTree): Promise<readonly { root: string; file: string; value: unknown }[]> {
  const files = tree.files.filter((file) => basename(file) === "dataset.json");
  const found = await Promise.all(files.map(async (file) => ({ file, value: await readJson(tree.path(file)) })));
  return found
    .filter(({ value }) => Array.isArray(Object(value).training) && Object(value).training.length > 0)
    .map(({ file, value }) => ({ root: file.slice(0, -"dataset.json".length).replace(/\/$/, ""), file, value }));
}

async function casesOf(tree: RawTree, root: string, file: string, { training }: Task): Promise<readonly Case[]> {
  return training.map(({ image, label }, at): Case => {
    const [scan, labels] = [fileOf(tree, root, image), fileOf(tree, root, label)];
    if (scan === undefined || labels === undefined) {
      throw new DataError(
        `${tree.path(file)}: training[${at}] names ${scan === undefined ? image : label}, which is not there; complete the download`,
      );
    }
    const channels = [{ file: tree.path(scan), volume: 0 }];
    return { stem: stemOf(scan.replace(/\.gz$/, "")), channels, label: tree.path(labels), split: undefined };
  });
}

/** The Medical Segmentation Decathlon's tasks: several modalities are volumes of one 4-D file. */
export const decathlon: Layout = {
  name: "decathlon",
  title: "Medical Segmentation Decathlon",
  summary: "Medical Segmentation Decathlon: dataset.json with training pairs, 4-D NIfTI",
  expected:
    'dataset.json with "modality", "labels" and "training" (pairs of image and label), beside imagesTr/ and labelsTr/',
  async recognise(tree) {
    const [own, ...others] = await tasksIn(tree);
    if (own === undefined) return unlike(0, 'no dataset.json has a list "training"');
    if (others.length > 0)
      return unlike(
        0.9,
        `there are several: ${someOf([own, ...others].map(({ file }) => file))}; name one with --from`,
      );
    const differs = differenceFrom(schema, own.value);
    if (differs !== undefined) return unlike(0.8, `${own.file}: ${differs}`);
    const { training } = schema.parse(own.value);
    const [first] = training;
    if (first !== undefined && fileOf(tree, own.root, first.image) === undefined) {
      return unlike(0.9, `${own.file}: training[0] names ${first.image}, which is not there`);
    }
    return like(
      own.root,
      `${own.file} lists ${counted(training.length, "pair")} for training, the first ${first?.image}`,
    );
  },
  async plan(tree, root, settings, workers) {
    const file = join(root, "dataset.json");
    const task = asSchema(schema, await readJson(tree.path(file)), tree.path(file));
    const cases = await casesOf(tree, root, file, task);
    const [first] = cases;
    const volumes = (await openNifti(first?.channels[0]?.file ?? "")).volumes;
    const named = channelNamesOf(task);
    const channelNames = Array.from({ length: volumes }, (_, at) => named[at] ?? `channel ${at}`);
    const several = cases.map((one) => ({
      ...one,
      channels: channelNames.map((_, volume) => ({ file: one.channels[0]?.file ?? "", volume })),
    }));
    const unlabelled = task.test?.length ?? 0;
    const plan = await planCases(
      {
        ...{ raw: tree.raw, root, cases: several, channelNames, volumes: true },
        labels: await namedLabels(tree.path(root)),
        modality: named.join(", ") || "volumes",
        notes: unlabelled > 0 ? [`${counted(unlabelled, "test case")} without labels left out`] : [],
      },
      settings,
      workers,
    );
    const { name, licence, reference } = task;
    return { ...plan, name: name ?? plan.name, licence: licence ?? plan.licence, source: reference ?? plan.source };
  },
};
