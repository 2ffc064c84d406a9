import { join } from "node:path/posix";
import { DataError } from "../../../errors.ts";
import { IGNORE_LABEL } from "../../../labels.ts";
import type { Rgb } from "../../codec/png-read.ts";
import type { SplitName } from "../../dataset/dataset.ts";
import { readBytes } from "../../decode.ts";
import type { MaskReading } from "../../masks/reading.ts";
import { readingFor } from "../mask-reading.ts";
import { ownData, splitUnits } from "../own-data.ts";
import type { PictureTask, Settings } from "../plan.ts";
import { counted, type Layout, like, someOf, unlike } from "./layout.ts";
import { type RawTree, stemOf } from "./raw-tree.ts";

/** The classes of VOC2007 to VOC2012, in the order of their indices. */
const VOC_CLASSES = [
  "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable",
  "dog horse motorbike person pottedplant sheep sofa train tvmonitor",
].flatMap((line) => line.split(" "));

const EXPECTED =
  "JPEGImages/NAME.jpg, SegmentationClass/NAME.png (palette) and ImageSets/Segmentation/train.txt with a name a line, " +
  "labelmap.txt with the classes where they are not VOC's";

const linesOf = async (tree: RawTree, file: string) =>
  (await readBytes(tree.path(file)))
    .toString("utf8")
    .split("\n")
    .map((line, at) => ({ text: line.trim(), number: at + 1 }));

/** Splits by stem, from ImageSets/Segmentation: train.txt, val.txt, test.txt; without the first two trainval.txt. */
async function splitsIn(tree: RawTree, root: string): Promise<ReadonlyMap<string, SplitName | undefined> | undefined> {
  const folder = join(root, "ImageSets", "Segmentation");
  const lists = tree.filesIn(folder, [".txt"]);
  const own = lists.filter((file) => ["train", "val", "test"].includes(stemOf(file)));
  const used = own.length > 0 ? own : lists.filter((file) => stemOf(file) === "trainval" || stemOf(file) === "default");
  if (used.length === 0) return undefined;
  const splits = new Map<string, SplitName | undefined>();
  for (const file of used) {
    const split = own.length > 0 ? (stemOf(file) as SplitName) : undefined;
    for (const { text, number } of await linesOf(tree, file)) {
      if (text === "") continue;
      const other = splits.get(text);
      if (other !== undefined && other !== split) {
        throw new DataError(
          `${tree.path(file)}, line ${number}: ${text} stands in ${other}.txt too; name it in one of them`,
        );
      }
      splits.set(text, split);
    }
  }
  return splits;
}

interface LabelMap {
  readonly classes: readonly string[];
  readonly colours: readonly Rgb[];
  readonly reading: MaskReading;
}

/** CVAT's labelmap.txt: `name:r,g,b:parts:actions` a line; the background is black. Undefined where there is none. */
async function labelMapIn(tree: RawTree, root: string): Promise<LabelMap | undefined> {
  const file = join(root, "labelmap.txt");
  if (!tree.files.includes(file)) return undefined;
  const entries: { name: string; colour: number }[] = [];
  for (const { text, number } of await linesOf(tree, file)) {
    if (text === "" || text.startsWith("#")) continue;
    const [, name, ...rgb] = /^([^:]+):(\d{1,3}),(\d{1,3}),(\d{1,3})(?::|$)/.exec(text) ?? [];
    const [red = 0, green = 0, blue = 0] = rgb.map(Number);
    if (name === undefined || Math.max(red, green, blue) > 255) {
      throw new DataError(
        `${tree.path(file)}, line ${number}: ${JSON.stringify(text)} is no name:red,green,blue; mend the line`,
      );
    }
    if (red + green + blue > 0) entries.push({ name, colour: red * 65536 + green * 256 + blue });
  }
  const isVoid = (name: string) => /^(void|ignore)$/i.test(name);
  const named = entries.filter(({ name }) => !isVoid(name));
  const classes = named.map(({ colour }, at) => [colour, at + 1] as const);
  const ignored = entries.filter(({ name }) => isVoid(name)).map(({ colour }) => [colour, IGNORE_LABEL] as const);
  return {
    classes: named.map(({ name }) => name),
    colours: [[0, 0, 0], ...named.map(({ colour }): Rgb => [colour >> 16, (colour >> 8) & 255, colour & 255])],
    reading: { kind: "palette", colours: [...classes, ...ignored] },
  };
}

/** How the masks are read: as asked for, by labelmap.txt, else as palette indices, which are VOC's classes in VOC's folders. */
async function readingOf(tree: RawTree, root: string, masks: readonly string[], settings: Settings, workers: number) {
  const map = settings.reading === undefined ? await labelMapIn(tree, root) : undefined;
  if (map !== undefined)
    return { ...map, classes: settings.classes ?? map.classes, note: "Masks are read by the colours of labelmap.txt" };
  const isVoc = /(^|\/)VOC20\d\d$/.test(join(tree.raw.replaceAll("\\", "/"), root));
  const classes = settings.classes ?? (isVoc ? VOC_CLASSES : undefined);
  const files = masks.map((file) => tree.path(file));
  return { ...(await readingFor(tree.path(root), files, { ...settings, classes }, workers)), colours: undefined };
}

/** Pascal VOC's folders, which CVAT and others export too. */
export const voc: Layout = {
  name: "voc",
  title: "Pascal VOC",
  summary: "Pascal VOC: SegmentationClass/, JPEGImages/, ImageSets/Segmentation/",
  expected: EXPECTED,
  async recognise(tree) {
    const [root, ...others] = tree.foldersWith("SegmentationClass");
    if (root === undefined) return unlike(0, "there is no folder SegmentationClass/");
    if (others.length > 0)
      return unlike(0.9, `there are several: ${[root, ...others].join(", ")}; name one with --from`);
    const masks = tree.filesIn(join(root, "SegmentationClass"), [".png"]);
    if (!tree.has(root, "JPEGImages"))
      return unlike(0.8, `${join(root, "JPEGImages")}/ is missing beside SegmentationClass/`);
    if (masks.length === 0) return unlike(0.8, `${join(root, "SegmentationClass")}/ holds no PNG`);
    return like(root, `JPEGImages/ and SegmentationClass/ with ${counted(masks.length, "PNG mask")} are there`);
  },
  async plan(tree, root, settings, workers) {
    const images = new Map(tree.pictures(join(root, "JPEGImages")).map((file) => [stemOf(file), file]));
    const masks = new Map(tree.filesIn(join(root, "SegmentationClass"), [".png"]).map((file) => [stemOf(file), file]));
    const objects = new Map(
      tree.filesIn(join(root, "SegmentationObject"), [".png"]).map((file) => [stemOf(file), file]),
    );
    const splits = await splitsIn(tree, root);
    const stems = splits === undefined ? [...masks.keys()] : [...splits.keys()].filter((stem) => masks.has(stem));
    const unmasked = [...(splits?.keys() ?? [])].filter((stem) => !masks.has(stem));
    const lost = stems.find((stem) => !images.has(stem));
    if (lost !== undefined) {
      throw new DataError(
        `${tree.path(masks.get(lost) ?? "")}: its picture ${join(root, "JPEGImages", lost)}.jpg is missing; complete the download`,
      );
    }
    const used = stems.map((stem) => masks.get(stem) ?? "");
    const { reading, classes, colours, note } = await readingOf(tree, root, used, settings, workers);
    const split = splitUnits(
      stems.map((stem) => ({ stem, split: splits?.get(stem) })),
      settings,
      "pictures",
    );
    const tasks = stems.map((stem, at): PictureTask => {
      const [image = "", mask = "", own] = [images.get(stem), masks.get(stem), objects.get(stem)];
      return {
        ...{ kind: "picture", split: split.of(at), stem, image: tree.path(image), window: settings.window },
        layers: [{ file: tree.path(mask), value: "labels", reading }],
        ...(own === undefined ? {} : { objects: tree.path(own) }),
      };
    });
    const inLists = splits !== undefined && [...splits.values()].every((one) => one !== undefined);
    return {
      ...ownData(tree.raw, "pictures", settings),
      classes: classes === undefined ? undefined : ["background", ...classes],
      ...(colours ? { colours } : {}),
      tasks,
      notes: [
        inLists ? "Split by the lists in ImageSets/Segmentation" : split.note,
        note,
        ...(objects.size > 0 ? ["Objects are those of SegmentationObject/"] : []),
        ...(unmasked.length > 0
          ? [`${counted(unmasked.length, "name")} of the lists without a mask left out: ${someOf(unmasked)}`]
          : []),
        ...(splits !== undefined && masks.size > stems.length
          ? [`${counted(masks.size - stems.length, "mask")} in no list left out`]
          : []),
      ],
    };
  },
};
