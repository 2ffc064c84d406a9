import { basename, join } from "node:path/posix";
import { DataError } from "../../../errors.ts";
import { ownData, splitUnits } from "../own-data.ts";
import type { PictureTask } from "../plan.ts";
import { counted, type Layout, like, someOf, unlike } from "./layout.ts";
import { folderOf, type RawTree, stemOf } from "./raw-tree.ts";

/** Folders ID that hold images/ID.png and masks/. */
function casesIn(tree: RawTree): readonly string[] {
  return tree.foldersWith("masks").filter((folder) => tree.has(folder, "images"));
}

/** The one picture of a case, which has its name; undefined where the case is of another layout. */
function imageOf(tree: RawTree, folder: string): string | undefined {
  const own = tree.pictures(join(folder, "images")).filter((image) => folderOf(image) === join(folder, "images"));
  return own.length === 1 && own[0] !== undefined && stemOf(own[0]) === basename(folder) ? own[0] : undefined;
}

/** The 2018 Data Science Bowl's layout: a folder a picture, a mask file a nucleus. */
export const dsb2018: Layout = {
  name: "dsb2018",
  title: "Kaggle's Data Science Bowl 2018",
  summary: "Data Science Bowl 2018: a folder a picture, a mask file an object",
  expected: "stage1_train/ID/images/ID.png and stage1_train/ID/masks/*.png, one white-on-black file an object",
  async recognise(tree) {
    const cases = casesIn(tree).filter((folder) => folder !== "");
    const [first] = cases;
    if (first === undefined) return unlike(0, "no folder holds images/ and masks/ of one picture");
    const odd = cases.find((folder) => imageOf(tree, folder) === undefined);
    if (odd !== undefined) {
      return unlike(
        cases.length > 3 ? 0.7 : 0.3,
        `${join(odd, "images")}/ does not hold one picture called ${basename(odd)}`,
      );
    }
    const masks = tree.pictures(join(first, "masks")).length;
    return like(
      "",
      `${counted(cases.length, "folder")} such as ${first}/ with images/${basename(first)}.* and ${counted(masks, "file")} in masks/`,
    );
  },
  async plan(tree, _root, settings) {
    const cases = casesIn(tree);
    const empty = cases.filter((folder) => tree.pictures(join(folder, "masks")).length === 0);
    const split = splitUnits(
      cases.map((folder) => ({ stem: basename(folder), split: undefined })),
      settings,
      "pictures",
    );
    const tasks = cases.map((folder, at): PictureTask => {
      const image = imageOf(tree, folder);
      if (image === undefined) {
        throw new DataError(
          `${tree.path(folder)}: images/ does not hold one picture called ${basename(folder)}; complete the download`,
        );
      }
      const layers = tree.pictures(join(folder, "masks")).map((file) => ({ file: tree.path(file), value: 1 }));
      const { window } = settings;
      return {
        ...{ kind: "picture", split: split.of(at), stem: basename(folder), image: tree.path(image) },
        ...{ layers, instances: true, window },
      };
    });
    const unlabelled = tree.foldersWith("images").filter((folder) => !tree.has(folder, "masks"));
    return {
      ...ownData(tree.raw, "microscopy", settings),
      classes: ["background", ...(settings.classes ?? ["nucleus"])],
      tasks,
      notes: [
        split.note,
        "Each mask file is one object",
        ...(empty.length > 0 ? [`${counted(empty.length, "picture")} without mask files: all background`] : []),
        ...(unlabelled.length > 0
          ? [`${counted(unlabelled.length, "folder")} without masks/ left out: ${someOf(unlabelled)}`]
          : []),
      ],
    };
  },
};
