import { join, parse } from "node:path";
import type { SplitName } from "../dataset/dataset.ts";
import type { PictureTask, SetKind } from "./plan.ts";
import { filesWith, findInside, notThis, requirePairs } from "./raw-folder.ts";

const EXPECTED =
  "ISIC2018_Task1-2_Training_Input, ISIC2018_Task1_Training_GroundTruth, ISIC2018_Task1-2_Validation_Input and " +
  "ISIC2018_Task1_Validation_GroundTruth, with ISIC_*.jpg and ISIC_*_segmentation.png";

async function tasksOf(
  raw: string,
  phase: "Training" | "Validation",
  split: SplitName,
): Promise<readonly PictureTask[]> {
  const folderOf = (ending: string, file: string) =>
    findInside(raw, ({ files }, folder) => folder.includes(ending) && files.some((name) => name.endsWith(file)));
  const images = await folderOf(`ISIC2018_Task1-2_${phase}_Input`, ".jpg");
  const masks = await folderOf(`ISIC2018_Task1_${phase}_GroundTruth`, "_segmentation.png");
  if (images === undefined || masks === undefined) throw await notThis(raw, "ISIC 2018 Task 1", EXPECTED);
  const stems = (await filesWith(images, [".jpg"])).map((name) => parse(name).name);
  const masked = (await filesWith(masks, ["_segmentation.png"])).map((name) =>
    name.slice(0, -"_segmentation.png".length),
  );
  requirePairs(`${images} and ${masks}`, stems, masked);
  return stems.map((stem) => ({
    kind: "picture",
    split,
    stem,
    image: join(images, `${stem}.jpg`),
    layers: [{ file: join(masks, `${stem}_segmentation.png`), value: 1 }],
  }));
}

/** ISIC 2018 Task 1: dermatoscopic photographs with lesion masks. */
export const isic2018: SetKind = {
  name: "isic2018",
  summary: "dermatoscopic photographs, lesions (Task 1)",
  async plan(raw) {
    const train = await tasksOf(raw, "Training", "train");
    const test = await tasksOf(raw, "Validation", "test");
    return {
      name: "ISIC 2018",
      classes: ["background", "lesion"],
      colours: [
        [0, 0, 0],
        [255, 176, 0],
      ],
      modality: "dermatoscopy",
      licence: "CC0 (training), CC BY-NC 4.0 (parts); check at challenge.isic-archive.com",
      source: "Codella et al., arXiv:1902.03368 (2019); challenge.isic-archive.com/data/#2018",
      tasks: [...train, ...test],
      notes: [
        "Split as published: the challenge's training pictures train, its validation pictures are the test split",
      ],
    };
  },
};
