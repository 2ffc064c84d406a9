import { join, parse } from "node:path";
import type { Layer, PictureTask, SetKind } from "./plan.ts";
import { filesWith, list, notThis, requirePairs } from "./raw-folder.ts";
import { splitRuns } from "./splits.ts";

const ENDINGS = [".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"];
const EXPECTED =
  "images/ and masks/; a mask is masks/<same stem>.png with the values 0, 1 (normal) and 2 (abnormal), or two white-on-black " +
  "pictures masks/normal/<same stem>.png and masks/abnormal/<same stem>.png, where one without objects may be missing";

async function layersByStem(masks: string): Promise<ReadonlyMap<string, readonly Layer[]>> {
  const layers = new Map<string, Layer[]>();
  const add = (stem: string, layer: Layer) => layers.set(stem, [...(layers.get(stem) ?? []), layer]);
  for (const name of await filesWith(masks, [".png"]))
    add(parse(name).name, { file: join(masks, name), value: "labels" });
  for (const [value, folder] of [
    [1, "normal"],
    [2, "abnormal"],
  ] as const) {
    for (const name of await filesWith(join(masks, folder), ENDINGS)) {
      add(parse(name).name, { file: join(masks, folder, name), value });
    }
  }
  return layers;
}

/** SpermHealth, the paper's private set: microscope frames of sperm, normal and abnormal. */
export const spermhealth: SetKind = {
  name: "spermhealth",
  summary: "microscope frames of sperm, normal and abnormal (the paper's private set)",
  async plan(raw, settings) {
    const images = await filesWith(join(raw, "images"), ENDINGS);
    const layers = await layersByStem(join(raw, "masks"));
    if (images.length === 0 || layers.size === 0 || (await list(raw)) === undefined)
      throw await notThis(raw, "SpermHealth", EXPECTED);
    requirePairs(
      raw,
      images.map((name) => parse(name).name),
      [...layers.keys()],
    );
    const [splits = []] = splitRuns([images.length], settings, "frames");
    const tasks = images.map((name, at): PictureTask => {
      const { name: stem } = parse(name);
      const image = join(raw, "images", name);
      return { kind: "picture", split: splits[at] ?? "train", stem, image, layers: layers.get(stem) ?? [] };
    });
    return {
      name: "SpermHealth",
      classes: ["background", "normal", "abnormal"],
      colours: [
        [0, 0, 0],
        [46, 196, 96],
        [230, 57, 70],
      ],
      modality: "microscopy",
      licence: "private (Prince of Wales Hospital, Hong Kong); not for redistribution",
      source: "the SpermHealth set of the SvANet paper",
      tasks,
      notes: ["Frames come from videos: one run of consecutive frames is held out, its place drawn by seed"],
    };
  },
};
