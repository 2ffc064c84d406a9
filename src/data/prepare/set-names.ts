/** The paper's seven data sets, as `svanet data prepare` calls them. */
export const PAPER_SETS = ["fives", "isic2018", "polypgen", "atlas", "kits23", "tissuenet", "spermhealth"] as const;

/** Layouts of one's own data. */
export const OWN_SETS = ["folder", "nifti", "dicom", "npz"] as const;

/** Layouts of other programs and of public sets, as `svanet data prepare` calls them, in the order in which they are tried. */
export const LAYOUT_NAMES = [
  "nnunet",
  "decathlon",
  "coco",
  "yolo",
  "voc",
  "dsb2018",
  "labelme",
  "qupath",
  "cellpose",
  "pairs",
] as const;
export type LayoutName = (typeof LAYOUT_NAMES)[number];

/** Every name, for a command line that must not load the readers of all formats to show its help. */
export const SET_NAMES = ["auto", ...PAPER_SETS, ...LAYOUT_NAMES, ...OWN_SETS] as const;
export type SetName = (typeof SET_NAMES)[number];
