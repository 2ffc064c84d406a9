import { atlas } from "./atlas.ts";
import { fives } from "./fives.ts";
import { folderKind, niftiKind, npzKind } from "./generic.ts";
import { dicomKind } from "./generic-dicom.ts";
import { isic2018 } from "./isic2018.ts";
import { kits23 } from "./kits23.ts";
import type { SetKind } from "./plan.ts";
import { polypgen } from "./polypgen.ts";
import { spermhealth } from "./spermhealth.ts";
import { tissuenet } from "./tissuenet.ts";

/** Everything `svanet data prepare` knows: the paper's seven sets, then four kinds of one's own data. */
export const SET_KINDS: readonly SetKind[] = [
  ...[fives, isic2018, polypgen, atlas, kits23, tissuenet, spermhealth],
  ...[folderKind, niftiKind, dicomKind, npzKind],
];
