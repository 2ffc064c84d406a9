/** The paper's seven data sets, as `svanet data prepare` calls them. */
export const PAPER_SETS = ["fives", "isic2018", "polypgen", "atlas", "kits23", "tissuenet", "spermhealth"] as const;

/** Layouts of one's own data. */
export const OWN_SETS = ["folder", "nifti", "dicom", "npz"] as const;

/** Every name, for a command line that must not load the readers of all formats to show its help. */
export const SET_NAMES = [...PAPER_SETS, ...OWN_SETS] as const;
export type SetName = (typeof SET_NAMES)[number];
