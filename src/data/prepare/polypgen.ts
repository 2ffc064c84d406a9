import { join, parse } from "node:path";
import type { PictureTask, SetKind } from "./plan.ts";
import { filesWith, findInside, notThis, requirePairs } from "./raw-folder.ts";
import { splitRuns } from "./splits.ts";

const EXPECTED = "data_C1 to data_C6, each with images_Cx/*.jpg and masks_Cx/*_mask.jpg (positive single frames)";

interface Frame {
  readonly stem: string;
  readonly image: string;
  readonly mask: string;
}

async function framesOf(root: string, centre: string): Promise<readonly Frame[]> {
  const [images, masks] = [
    join(root, `data_${centre}`, `images_${centre}`),
    join(root, `data_${centre}`, `masks_${centre}`),
  ];
  const names = await filesWith(images, [".jpg", ".jpeg", ".png"]);
  const masked = new Map(
    (await filesWith(masks, [".jpg", ".jpeg", ".png"])).map((name) => [parse(name).name.replace(/_mask$/i, ""), name]),
  );
  requirePairs(
    join(root, `data_${centre}`),
    names.map((name) => parse(name).name),
    [...masked.keys()],
  );
  return names.map((name) => {
    const { name: stem } = parse(name);
    return { stem, image: join(images, name), mask: join(masks, masked.get(stem) ?? "") };
  });
}

/** PolypGen: single colonoscopy frames with polyps from six hospitals. */
export const polypgen: SetKind = {
  name: "polypgen",
  summary: "colonoscopy frames of six hospitals, polyps (positive single frames)",
  async plan(raw, settings) {
    const root = await findInside(raw, ({ folders }) => folders.some((name) => /^data_C\d$/.test(name)));
    if (root === undefined) throw await notThis(raw, "PolypGen", EXPECTED);
    const centres = await Promise.all(["C1", "C2", "C3", "C4", "C5", "C6"].map((centre) => framesOf(root, centre)));
    const splits = splitRuns(
      centres.map(({ length }) => length),
      settings,
      "frames",
    );
    const seen = new Map<string, number>();
    for (const { stem } of centres.flat()) seen.set(stem, (seen.get(stem) ?? 0) + 1);
    const tasks = centres.flatMap((frames, centre) =>
      frames.map(
        ({ stem, image, mask }, frame): PictureTask => ({
          kind: "picture",
          split: splits[centre]?.[frame] ?? "train",
          stem: seen.get(stem) === 1 ? stem : `C${centre + 1}_${stem}`,
          image,
          layers: [{ file: mask, value: 1 }],
        }),
      ),
    );
    return {
      name: "PolypGen",
      classes: ["background", "polyp"],
      colours: [
        [0, 0, 0],
        [255, 176, 0],
      ],
      modality: "colonoscopy",
      licence: "CC BY-NC 4.0 or as Synapse states it; check at syn26376615",
      source: "Ali et al., PolypGen, Scientific Data 10, 75 (2023); Synapse syn26376615",
      tasks,
      notes: [
        "The names do not tell the patient: of each hospital one run of consecutive frames is held out, its place drawn by seed, " +
          "so that at most the frames at its two ends may share a patient with train",
        "Masks are JPEG: a pixel is polyp where it is at least half bright",
      ],
    };
  },
};
