/** The version of {@link ReportData}: a page shows the one it was built with and no other. */
export const REPORT_VERSION = 1;

/** Everything a report shows, as one JSON document: no NaN, no undefined in lists; what is missing is null or left out. */
export interface ReportData {
  readonly version: typeof REPORT_VERSION;
  readonly title: string;
  /** When it was collected: UTC, ISO 8601. */
  readonly made: string;
  /** The program that collected it, with its version. */
  readonly program: string;
  readonly runs: readonly ReportRun[];
  /** What differs between the runs, and what all have in common. */
  readonly settings: SettingsTable;
  /** The tables of studies, as `ablate`, `compare` and `cv` have printed them. */
  readonly tables: readonly ReportTable[];
  /** The evaluated images of all runs, each once. */
  readonly images: readonly ReportImage[];
  readonly grids: readonly PictureGrid[];
  readonly features: readonly FeaturePicture[];
  /** Sentences on what could not be read. */
  readonly notes: readonly string[];
}

/** One training run. */
export interface ReportRun {
  /** Its folder's name, made unique. */
  readonly name: string;
  /** The folder as a command names it. */
  readonly folder: string;
  /** What it trains, in words; runs that differ by seed, fold or machine alone share it. */
  readonly group: string;
  readonly seed: number;
  /** Updates done, and those of the whole run; null where the length is not known yet. */
  readonly step: number;
  readonly steps: number | null;
  /** The command that repeats it. */
  readonly repeat: string;
  readonly environment: RunEnvironment | null;
  readonly curves: RunCurves;
  readonly evaluation: RunEvaluation | null;
  readonly roc: RunRoc | null;
}

/** Who trained: of the last process that worked on the run. */
export interface RunEnvironment {
  /** What was typed. */
  readonly command: string;
  readonly started: string;
  /** How many processes worked on it. */
  readonly sessions: number;
  readonly svanet: string;
  readonly commit: string | null;
  readonly node: string;
  readonly system: string;
  readonly cpu: string;
  readonly adapter: string | null;
}

/** Numbers over the updates of a run, columns of equal length. */
export interface RunCurves {
  /** Of training steps, each the mean of up to `per` steps, at the last of them. */
  readonly train: {
    readonly step: readonly number[];
    readonly loss: readonly (number | null)[];
    readonly rate: readonly (number | null)[];
    readonly per: number;
  };
  /** Of validations: percent, the loss in nats. */
  readonly val: { readonly step: readonly number[] } & Readonly<Record<ValidationScore, readonly (number | null)[]>>;
}

/** What is drawn of a validation. */
export const VALIDATION_SCORES = ["loss", "foregroundDice", "mDice", "mIoU"] as const;
export type ValidationScore = (typeof VALIDATION_SCORES)[number];

/** Scores of a run's checkpoint on one split. */
export interface RunEvaluation {
  /** The data set's name: evaluations of one are shown together. */
  readonly set: string;
  readonly split: string;
  /** `native`, or the size all images were stretched to. */
  readonly scoredAt: string;
  /** The file it was read from, below the run's folder. */
  readonly file: string;
  /** Names, the background first. */
  readonly classes: readonly string[];
  /** Percent by stratum and metric, images as a number. */
  readonly strata: Readonly<Record<string, Readonly<Record<StratumMetric, number | null>>>>;
  /** Pixels of all images, [label][prediction]; null where the counts were not kept. */
  readonly confusion: readonly (readonly number[])[] | null;
  /** The images by their place in {@link ReportData.images}, and the mean Dice of each one's classes, percent. */
  readonly images: readonly number[];
  readonly dice: readonly (number | null)[];
}

/** What is shown of a stratum. */
export const STRATUM_METRICS = ["images", "mDice", "mIoU", "sensitivity", "f2", "foregroundDice"] as const;
export type StratumMetric = (typeof STRATUM_METRICS)[number];

/** The ROC curve of the foreground, thinned to what a picture can show; fractions. */
export interface RunRoc {
  readonly set: string;
  readonly split: string;
  readonly scoredAt: string;
  readonly falsePositiveRate: readonly number[];
  readonly truePositiveRate: readonly number[];
  /** Under the whole curve. */
  readonly area: number;
}

/** An evaluated image. */
export interface ReportImage {
  readonly set: string;
  readonly split: string;
  readonly name: string;
  /** Percent of the image that its largest object takes. */
  readonly share: number;
  /** A small picture as data URL; null where none was made. */
  readonly thumbnail: string | null;
}

/** Settings of the runs. */
export interface SettingsTable {
  /** Names of the settings that differ, and by run (in the order of the runs) their values. */
  readonly differing: readonly { readonly name: string; readonly values: readonly string[] }[];
  readonly common: readonly { readonly name: string; readonly value: string }[];
}

/** A cell as it is printed; `bold` marks the best of a column. */
export interface ReportCell {
  readonly text: string;
  readonly bold?: boolean;
}

/** A table of text. */
export interface ReportTable {
  readonly title: string;
  /** What it shows, over what. */
  readonly caption: string;
  readonly columns: readonly { readonly title: string; readonly align: "left" | "right" }[];
  readonly rows: readonly (readonly ReportCell[])[];
  readonly notes: readonly string[];
}

/** Why an image is in a grid. */
export type GridReason = "worst" | "smallest" | "median" | "best" | "named";

/** The same images as several networks segment them. */
export interface PictureGrid {
  readonly set: string;
  readonly split: string;
  /** The networks in the order of the pictures, and the run each is of. */
  readonly networks: readonly { readonly group: string; readonly run: string }[];
  readonly rows: readonly GridRow[];
}

/** One image of a grid. Pictures are data URLs. */
export interface GridRow {
  readonly name: string;
  readonly reason: GridReason;
  /** Percent of the image that its largest object takes. */
  readonly share: number;
  readonly image: ZoomedPicture;
  readonly truth: ZoomedPicture;
  readonly networks: readonly (ZoomedPicture & { readonly dice: number | null })[];
}

/** A picture, and an enlarged part of it. */
export interface ZoomedPicture {
  readonly whole: string;
  readonly zoomed: string;
}

/** A page that `svanet features` drew. */
export interface FeaturePicture {
  /** The map's name, which is its file's. */
  readonly name: string;
  readonly picture: string;
}
