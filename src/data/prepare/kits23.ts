import { join } from "node:path";
import { DataError } from "../../errors.ts";
import type { SetKind, VolumeTask } from "./plan.ts";
import { filesWith, findInside, list, notThis } from "./raw-folder.ts";
import { splitGroups } from "./splits.ts";

const EXPECTED = "case_00000/ ... (in dataset/), each with imaging.nii.gz and segmentation.nii.gz";
/** Abdominal soft tissue: level 40, width 400 Hounsfield units. */
const SOFT_TISSUE = { low: -160, high: 240 };

/** KiTS23: CT of the kidneys, with tumours and cysts. */
export const kits23: SetKind = {
  name: "kits23",
  summary: "CT of the kidneys, kidney, tumour and cyst; about 2 % of the slices",
  async plan(raw, settings) {
    const root = await findInside(raw, ({ folders }) => folders.some((name) => /^case_\d{5}$/.test(name)));
    if (root === undefined) throw await notThis(raw, "KiTS23", EXPECTED);
    const cases = ((await list(root))?.folders ?? []).filter((name) => /^case_\d{5}$/.test(name));
    const fileOf = async (name: string, stem: string) => {
      const [file] = await filesWith(join(root, name), [`${stem}.nii.gz`, `${stem}.nii`]);
      if (file !== undefined) return join(root, name, file);
      const cure = stem === "imaging" ? "; the repository fetches scans separately (kits23_download_data)" : "";
      throw new DataError(`${join(root, name)}: has no ${stem}.nii.gz${cure}`);
    };
    const splitOf = splitGroups(cases, settings, "cases");
    const window = settings.window ?? SOFT_TISSUE;
    const tasks = await Promise.all(
      cases.map(
        async (name): Promise<VolumeTask> => ({
          kind: "volume",
          split: splitOf(name),
          stem: name,
          image: await fileOf(name, "imaging"),
          label: await fileOf(name, "segmentation"),
          slices: {
            kind: "share",
            share: 0.02,
            from: 0.15,
            to: 0.85,
            seed: settings.seed,
            number: Number(name.slice(5)),
          },
          window,
          largest: 3,
        }),
      ),
    );
    return {
      name: "KiTS23",
      classes: ["background", "kidney", "tumour", "cyst"],
      colours: [
        [0, 0, 0],
        [46, 196, 96],
        [230, 57, 70],
        [58, 134, 255],
      ],
      modality: "CT",
      licence: "CC BY-NC-SA 4.0; check at kits-challenge.org/kits23",
      source: "Heller et al., KiTS21, arXiv:2307.01984 (2023); kits-challenge.org/kits23",
      tasks,
      notes: [
        "Split by case, drawn by seed. Of each case 2 % of the axial slices (rounded up), drawn by seed between 15 % and 85 % of the volume",
        `Shown from ${window.low} to ${window.high} HU${settings.window === undefined ? " (soft tissue; --window chooses another, the authors' program cuts at 0,255)" : ""}`,
      ],
    };
  },
};
