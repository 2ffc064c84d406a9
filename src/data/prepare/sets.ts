import { atlas } from "./atlas.ts";
import { fives } from "./fives.ts";
import { niftiKind, npzKind } from "./generic.ts";
import { dicomKind } from "./generic-dicom.ts";
import { folderKind } from "./generic-folder.ts";
import { isic2018 } from "./isic2018.ts";
import { kits23 } from "./kits23.ts";
import { autoKind, LAYOUTS } from "./layouts/auto.ts";
import { namedKind } from "./layouts/layout.ts";
import type { SetKind } from "./plan.ts";
import { polypgen } from "./polypgen.ts";
import { type LayoutName, SET_NAMES, type SetName } from "./set-names.ts";
import { spermhealth } from "./spermhealth.ts";
import { tissuenet } from "./tissuenet.ts";

const LAYOUT_KINDS = Object.fromEntries(LAYOUTS.map((layout) => [layout.name, namedKind(layout)])) as Record<
  LayoutName,
  SetKind
>;

const KINDS: Readonly<Record<SetName, SetKind>> = {
  ...{ auto: autoKind, ...LAYOUT_KINDS },
  ...{ fives, isic2018, polypgen, atlas, kits23, tissuenet, spermhealth },
  ...{ folder: folderKind, nifti: niftiKind, dicom: dicomKind, npz: npzKind },
};

/**
 * Everything `svanet data prepare` knows: `auto`, the paper's seven sets, the layouts of other programs, four kinds of one's own data.
 * A name without its kind does not compile; a layout's name without its layout fails test/unit/data/layouts.test.ts.
 */
export const SET_KINDS: readonly SetKind[] = SET_NAMES.map((name) => KINDS[name]);
