import type { Rgb } from "../codec/png-read.ts";
import type { SplitName } from "../dataset/dataset.ts";
import type { Window } from "../formats/window.ts";
import type { MaskReading } from "../masks/reading.ts";
import type { SetName } from "./set-names.ts";
import type { Shape } from "./shapes.ts";

/** What the command line decides. */
export interface Settings {
  readonly seed: number;
  /** Grey window for scans; undefined: the set's own. */
  readonly window?: Window | undefined;
  /** Page of the pictures, counted from 0, for the kind folder. */
  readonly page?: number | undefined;
  /**
   * Shares of the patients, volumes or frames that become test and val where the source does not fix the split. `val`
   * undefined: a tenth where there are enough.
   */
  readonly test: number;
  readonly val?: number | undefined;
  /** Names of the classes without the background, for the generic kinds. */
  readonly classes?: readonly string[] | undefined;
  /** Every how many slices, for the generic kinds. */
  readonly every: number;
  /** What the numbers of masks mean, for the generic kinds; undefined: decided by the masks. */
  readonly reading?: MaskReading | undefined;
  /** Pair labels with scans by the order of their voxels where their places in the patient disagree. */
  readonly trustOrder?: boolean | undefined;
  /** Take DICOM series whose slices do not lie at equal distances. */
  readonly allowGaps?: boolean | undefined;
  /** Up to three of several channels a case, by number or by the name that dataset.json gives them: red, green, blue. */
  readonly channels?: readonly string[] | undefined;
  /** Store scans' own values instead of grey levels. */
  readonly keepValues?: boolean | undefined;
  /** Which fold of splits_final.json decides train and val. */
  readonly fold?: number | undefined;
}

/** A file painted into a mask: white (above half) becomes `value`, or its numbers give the classes. */
export interface FileLayer {
  readonly file: string;
  readonly value: number | "labels";
  /** How numbers are read; undefined: they are the classes. */
  readonly reading?: MaskReading;
}

/** Objects drawn in an annotation file, named for messages. */
export interface ShapesLayer {
  readonly file: string;
  readonly shapes: readonly Shape[];
}

export type Layer = FileLayer | ShapesLayer;

interface Common {
  readonly split: SplitName;
  /** Name of the files to write, or the start of their names where a task writes several. */
  readonly stem: string;
}

/** A picture copied as it is, with a mask painted from one or more files, later ones on top. */
export interface PictureTask extends Common {
  readonly kind: "picture";
  readonly image: string;
  /** Grey pictures that become its green and blue, `image` being its red; it is written as PNG then. */
  readonly channels?: readonly string[] | undefined;
  readonly layers: readonly Layer[];
  /** Whether objects are kept: every layer with a value is one, every shape, and every number of layers of instances. */
  readonly instances?: boolean | undefined;
  /** A label picture whose numbers are the objects, where the layers do not tell them; 255 of its 8 bits is none. */
  readonly objects?: string | undefined;
  /** The page to take of a file with several, counted from 0; it is written as PNG. */
  readonly page?: number | undefined;
  /** What a page of more than 8 bits is shown through. */
  readonly window?: Window | undefined;
}

export type SliceChoice =
  /** Every `step`-th slice from the first, and the last one too where `last`. */
  | { readonly kind: "every"; readonly step: number; readonly last: boolean }
  /** ceil(share x slices) of the slices from `from` to `to` (shares of the volume), drawn by seed and number. */
  | {
      readonly kind: "share";
      readonly share: number;
      readonly from: number;
      readonly to: number;
      readonly seed: number;
      readonly number: number;
    };

/** One volume of a NIfTI file (4-D ones have several), and its own window where it has one. */
export interface VolumeChannel {
  readonly file: string;
  readonly volume: number;
  readonly window?: Window | undefined;
}

/** Axial slices of a NIfTI volume with its label volume. Without a window: the volume's own percentiles. */
export interface VolumeTask extends Common {
  readonly kind: "volume";
  readonly image: string;
  /** What becomes red, green and blue; of one the slices are grey. Undefined: the first volume of `image`. */
  readonly channels?: readonly VolumeChannel[] | undefined;
  readonly label: string;
  readonly slices: SliceChoice;
  readonly window?: Window | undefined;
  /** Slices are stored as values, not as they are shown. */
  readonly keepValues?: boolean | undefined;
  /** Largest label allowed. */
  readonly largest: number;
  readonly reading?: MaskReading | undefined;
  /** Voxels are paired by number where the places in the headers disagree. */
  readonly trustOrder?: boolean | undefined;
}

/** Items of two arrays of an npz file. */
export interface ArrayTask extends Common {
  readonly kind: "array";
  readonly file: string;
  readonly image: string;
  readonly label: string;
  /** `tissue`: two channels and two label maps as TissueNet has them; `plain`: grey or RGB with class indices. */
  readonly layout: "tissue" | "plain";
  readonly largest: number;
  /** Of plain arrays; undefined: bytes stay, others are shown each from their percentiles. */
  readonly window?: Window | undefined;
  readonly reading?: MaskReading | undefined;
}

/** A DICOM series with segmentation objects. */
export interface SeriesTask extends Common {
  readonly kind: "series";
  readonly images: readonly string[];
  readonly segmentations: readonly string[];
  /** Class names without the background; a segment's name is looked up here. */
  readonly segments: readonly string[];
  readonly every: number;
  readonly window?: Window | undefined;
  /** As of a volume. */
  readonly keepValues?: boolean | undefined;
  readonly allowGaps?: boolean | undefined;
}

export type Task = PictureTask | VolumeTask | ArrayTask | SeriesTask;

/** Where a task writes, and with which colours. */
export interface Destination {
  /** Undefined: nothing is written, classes are counted. */
  readonly folder: string | undefined;
  /** Colours by class; undefined: masks are written as grey. */
  readonly palette: readonly Rgb[] | undefined;
}

/** How much of a class masks hold. */
export interface ClassCount {
  readonly label: number;
  readonly pixels: number;
  /** Pictures in which it occurs. */
  readonly images: number;
}

export interface TaskResult {
  /** Files written or found finished, relative to the folder. */
  readonly files: readonly string[];
  /** By label, ascending, 255 = ignore included. */
  readonly classes: readonly ClassCount[];
  /** What a person should know: values replaced, windows chosen. */
  readonly notes: readonly string[];
  /** The volume that the files are slices of, where they are: its name, and its spacing where that is known. */
  readonly volume?: TaskVolume | undefined;
}

/** A volume that was cut into slices `<name>_<number>`; millimetres between columns, rows and slices. */
export interface TaskVolume {
  readonly name: string;
  readonly spacing?: readonly [column: number, row: number, slice: number] | undefined;
}

/** What a preparation will do, decided before anything is written: tasks that threads can carry out in any order. */
export interface PreparationPlan {
  readonly name: string;
  /** Background first; undefined where only the masks tell. */
  readonly classes: readonly string[] | undefined;
  readonly colours?: readonly Rgb[];
  readonly modality: string;
  readonly licence: string;
  readonly source: string;
  readonly tasks: readonly Task[];
  /** How images, labels and splits were made, in sentences. */
  readonly notes: readonly string[];
  /** What the folder was recognised as, and by what, where nobody named the kind. */
  readonly recognised?: { readonly as: SetName; readonly sentence: string } | undefined;
  /** Small files of the source that are kept beside dataset.yaml, as they are. */
  readonly kept?: readonly string[] | undefined;
}

/** A data set that can be prepared. */
export interface SetKind {
  readonly name: SetName;
  readonly summary: string;
  /**
   * Reads names, headers and, of pictures, the masks' values in `raw`, with `workers` threads where there are many; writes
   * nothing. Throws DataError naming what was expected and found.
   */
  plan(raw: string, settings: Settings, workers: number): Promise<PreparationPlan>;
}

/** The raw files a task reads. */
export function filesOf(task: Task): readonly string[] {
  switch (task.kind) {
    case "picture":
      return [
        ...[task.image, ...(task.channels ?? []), ...task.layers.map(({ file }) => file)],
        ...(task.objects === undefined ? [] : [task.objects]),
      ];
    case "volume":
      return [...new Set([task.image, ...(task.channels ?? []).map(({ file }) => file), task.label])];
    case "array":
      return [task.file];
    case "series":
      return [...task.images, ...task.segmentations];
  }
}
