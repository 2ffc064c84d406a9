import { join } from "node:path";
import type { SetKind, VolumeTask } from "./plan.ts";
import { filesWith, findInside, notThis, requirePairs } from "./raw-folder.ts";
import { splitGroups } from "./splits.ts";

const EXPECTED = "imagesTr/im0.nii.gz ... and labelsTr/lb0.nii.gz ... (the folder train/ of the download)";
const ENDINGS = [".nii.gz", ".nii"];

/** ATLAS: contrast-enhanced MR of the liver, with its tumours. */
export const atlas: SetKind = {
  name: "atlas",
  summary: "MR of the liver, liver and tumour; every 4th slice and the last",
  async plan(raw, settings) {
    const root = await findInside(raw, ({ folders }) => folders.includes("imagesTr") && folders.includes("labelsTr"));
    if (root === undefined) throw await notThis(raw, "ATLAS", EXPECTED);
    const images = (await filesWith(join(root, "imagesTr"), ENDINGS)).filter((name) => /^im\d+\./.test(name));
    const labels = (await filesWith(join(root, "labelsTr"), ENDINGS)).filter((name) => /^lb\d+\./.test(name));
    if (images.length === 0) throw await notThis(join(root, "imagesTr"), "ATLAS", "files im0.nii.gz, im1.nii.gz, ...");
    requirePairs(
      root,
      images.map((name) => name.slice(2)),
      labels.map((name) => name.slice(2)),
    );
    const stemOf = (name: string) => name.slice(0, name.indexOf("."));
    const splitOf = splitGroups(images.map(stemOf), settings, "volumes");
    const tasks = images.map(
      (name): VolumeTask => ({
        kind: "volume",
        split: splitOf(stemOf(name)),
        stem: stemOf(name),
        image: join(root, "imagesTr", name),
        label: join(root, "labelsTr", `lb${name.slice(2)}`),
        slices: { kind: "every", step: 4, last: true },
        window: settings.window,
        largest: 2,
      }),
    );
    return {
      name: "ATLAS",
      classes: ["background", "liver", "tumour"],
      colours: [
        [0, 0, 0],
        [46, 196, 96],
        [230, 57, 70],
      ],
      modality: "MRI",
      licence: "CC BY-NC-SA 4.0; check at atlas-challenge.u-bourgogne.fr",
      source: "Quinton et al., ATLAS, Data 8(5), 79 (2023); atlas-challenge.u-bourgogne.fr",
      tasks,
      notes: [
        "Split by volume, drawn by seed. Slices 0, 4, 8, ... and the last of each volume, from the feet up",
        settings.window === undefined
          ? "Intensity scaled per volume, from its 0.5th to its 99.5th percentile"
          : `Intensity scaled from ${settings.window.low} to ${settings.window.high} in every volume`,
      ],
    };
  },
};
