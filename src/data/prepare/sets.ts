import { atlas } from "./atlas.ts";
import { fives } from "./fives.ts";
import { niftiKind, npzKind } from "./generic.ts";
import { dicomKind } from "./generic-dicom.ts";
import { folderKind } from "./generic-folder.ts";
import { isic2018 } from "./isic2018.ts";
import { kits23 } from "./kits23.ts";
import type { SetKind } from "./plan.ts";
import { polypgen } from "./polypgen.ts";
import { SET_NAMES, type SetName } from "./set-names.ts";
import { spermhealth } from "./spermhealth.ts";
import { tissuenet } from "./tissuenet.ts";

const KINDS: Readonly<Record<SetName, SetKind>> = {
  ...{ fives, isic2018, polypgen, atlas, kits23, tissuenet, spermhealth },
  ...{ folder: folderKind, nifti: niftiKind, dicom: dicomKind, npz: npzKind },
};

/**
 * Everything `svanet data prepare` knows: the paper's seven sets, then four kinds of one's own data. A name without its
 * kind does not compile.
 */
export const SET_KINDS: readonly SetKind[] = SET_NAMES.map((name) => KINDS[name]);
