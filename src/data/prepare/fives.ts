import { join, parse } from "node:path";
import { DataError } from "../../errors.ts";
import type { PictureTask, SetKind } from "./plan.ts";
import { filesWith, findInside, notThis, requirePairs } from "./raw-folder.ts";

const EXPECTED = 'train/ and test/, each with "Original" and "Ground truth" holding PNG files such as 12_A.png';
const CLASSES: Readonly<Record<string, number>> = { A: 1, D: 2, G: 3, N: 4 };

async function tasksOf(root: string, split: "train" | "test"): Promise<readonly PictureTask[]> {
  const [images, masks] = [join(root, split, "Original"), join(root, split, "Ground truth")];
  const names = await filesWith(images, [".png"]);
  requirePairs(join(root, split), names, await filesWith(masks, [".png"]));
  return names.map((name) => {
    const { name: stem } = parse(name);
    const value = CLASSES[/_([ADGN])$/.exec(stem)?.[1] ?? ""];
    if (value === undefined) {
      throw new DataError(`${join(images, name)}: the name does not end in _A, _D, _G or _N, which tells the disease`);
    }
    const layers = [{ file: join(masks, name), value }];
    // Numbers start at 1 in both splits; the authors' own preparation names them so too.
    return { kind: "picture", split, stem: `${stem}_${split}`, image: join(images, name), layers };
  });
}

/**
 * FIVES: 800 fundus photographs with vessel masks; the disease, and with it the vessels' class, stands in the file
 * name.
 */
export const fives: SetKind = {
  name: "fives",
  summary: "fundus photographs, vessels in four disease classes by file name",
  async plan(raw) {
    const root = await findInside(raw, ({ folders }) => folders.includes("train") && folders.includes("test"));
    const tasks = root === undefined ? [] : [...(await tasksOf(root, "train")), ...(await tasksOf(root, "test"))];
    if (tasks.length === 0) throw await notThis(raw, "FIVES", EXPECTED);
    return {
      name: "FIVES",
      classes: ["background", "amd", "dr", "glaucoma", "healthy"],
      colours: [
        [0, 0, 0],
        [230, 57, 70],
        [46, 196, 96],
        [255, 209, 59],
        [58, 134, 255],
      ],
      modality: "ophthalmoscopy",
      licence: "CC BY 4.0 as figshare states it; check at the source",
      source: "Jin et al., FIVES, Scientific Data 9, 475 (2022); figshare 19688169",
      tasks,
      notes: [
        "Split as published. Vessel pixels carry the class of the eye's disease, from the letter in the file name",
      ],
    };
  },
};
