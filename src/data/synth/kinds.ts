import { UsageError } from "../../errors.ts";
import { suggestion } from "../../nearest.ts";
import type { Rgb } from "../codec/png-read.ts";
import { cellsKind } from "./cells.ts";
import { ctPicture } from "./ct.ts";
import { lesionPicture } from "./lesions.ts";
import { polypPicture } from "./polyps.ts";
import { spermPicture } from "./sperm.ts";
import type { Stratum } from "./stratum.ts";
import { vesselPicture } from "./vessels.ts";
import type { SynthKind } from "./write.ts";

const SIZES = { least: 64, most: 2048, usual: 256 } as const;
const BLACK: Rgb = [0, 0, 0];

type Picture = (seed: number, index: number, side: number, stratum: Stratum) => ReturnType<SynthKind["picture"]>;

/** Without a stratum all three occur equally often. */
const mixed =
  (picture: Picture): SynthKind["picture"] =>
  (seed, index, side, stratum = "mixed") =>
    picture(seed, index, side, stratum);

/** Every kind of procedural dataset. */
export const SYNTH_KINDS: readonly SynthKind[] = [
  cellsKind,
  {
    kind: "sperm",
    summary: "stained sperm, normal and deformed, on a slide with debris",
    name: "Synthetic sperm",
    classes: ["background", "normal", "abnormal"],
    colours: [BLACK, [0, 158, 255], [220, 38, 127]],
    modality: "procedural bright-field microscopy",
    sizes: SIZES,
    picture: mixed(spermPicture),
  },
  {
    kind: "vessels",
    summary: "fundus photographs with branching vessel trees",
    name: "Synthetic fundus vessels",
    classes: ["background", "vessel"],
    colours: [BLACK, [0, 200, 120]],
    modality: "procedural fundus photography",
    sizes: SIZES,
    picture: mixed(vesselPicture),
  },
  {
    kind: "lesions",
    summary: "pigmented skin lesions under a dermatoscope, with hairs and gel bubbles",
    name: "Synthetic skin lesions",
    classes: ["background", "lesion"],
    colours: [BLACK, [255, 176, 0]],
    modality: "procedural dermoscopy",
    sizes: SIZES,
    picture: mixed(lesionPicture),
  },
  {
    kind: "polyps",
    summary: "polyps on a folded, glistening bowel wall",
    name: "Synthetic polyps",
    classes: ["background", "polyp"],
    colours: [BLACK, [0, 200, 120]],
    modality: "procedural colonoscopy",
    sizes: SIZES,
    picture: mixed(polypPicture),
  },
  {
    kind: "ct",
    summary: "CT-like slices of the abdomen: liver and the tumour in it",
    name: "Synthetic CT",
    classes: ["background", "liver", "tumour"],
    colours: [BLACK, [255, 176, 0], [220, 38, 127]],
    modality: "procedural computed tomography",
    sizes: SIZES,
    picture: mixed(ctPicture),
  },
];

/** The kind of that name. Throws UsageError with the nearest one. */
export function synthKind(kind: string): SynthKind {
  const found = SYNTH_KINDS.find((one) => one.kind === kind);
  if (found !== undefined) return found;
  const names = SYNTH_KINDS.map((one) => one.kind);
  throw new UsageError(`there is no kind of pictures "${kind}". ${suggestion(kind, names)}`);
}
