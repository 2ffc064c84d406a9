import { join } from "node:path";
import type { SplitName } from "../dataset/dataset.ts";
import type { ArrayTask, SetKind } from "./plan.ts";
import { filesWith, findInside, notThis } from "./raw-folder.ts";
import { TISSUE_NOTE } from "./run-arrays.ts";

const EXPECTED =
  'tissuenet_v1.1_train.npz, tissuenet_v1.1_val.npz and tissuenet_v1.1_test.npz with the arrays "X" and "y"';
const NAMED = /^tissuenet.*_(train|val|test)\.npz$/i;

/** TissueNet: fluorescence images of tissue, cells and their nuclei. */
export const tissuenet: SetKind = {
  name: "tissuenet",
  summary: "fluorescence images of tissue, cell and nucleus",
  async plan(raw) {
    const root = await findInside(raw, ({ files }) => files.some((name) => NAMED.test(name)));
    if (root === undefined) throw await notThis(raw, "TissueNet", EXPECTED);
    const files = (await filesWith(root, [".npz"])).filter((name) => NAMED.test(name));
    const tasks = files.map((name): ArrayTask => {
      const split = (NAMED.exec(name)?.[1] ?? "train").toLowerCase() as SplitName;
      const file = join(root, name);
      return {
        kind: "array",
        split,
        stem: `tissue-${split}`,
        file,
        image: "X",
        label: "y",
        layout: "tissue",
        largest: 2,
      };
    });
    const splits = tasks.map(({ split }) => split);
    if (!splits.includes("train") || !splits.includes("test") || new Set(splits).size !== splits.length) {
      throw await notThis(root, "TissueNet", `one version's files: ${EXPECTED}`);
    }
    return {
      name: "TissueNet",
      classes: ["background", "cell", "nucleus"],
      colours: [
        [0, 0, 0],
        [58, 134, 255],
        [46, 196, 96],
      ],
      modality: "fluorescence microscopy",
      licence: "modified Apache 2.0, non-commercial; check at datasets.deepcell.org",
      source: "Greenwald et al., Nature Biotechnology 40, 555-565 (2022); datasets.deepcell.org",
      tasks,
      notes: ["Split as published", TISSUE_NOTE],
    };
  },
};
