import { basename, join } from "node:path";
import { zipSync } from "fflate";
import { encodePng } from "../../data/codec/png.ts";
import { encodeGrey16 } from "../../data/codec/png-grey16.ts";
import type { Rgb } from "../../data/codec/png-read.ts";
import type { FoundObject, ShownClass } from "../../data/export/found-object.ts";
import { type GeoJsonFeature, geoJsonFeature, geoJsonText } from "../../data/export/geojson.ts";
import { requireRoiSize, roiBytes } from "../../data/export/imagej-roi.ts";
import { labelImage } from "../../data/export/label-image.ts";
import { encodeNiftiLabels } from "../../data/formats/nifti-new.ts";
import type { ByteImage } from "../../data/image/image.ts";
import { DataError } from "../../errors.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { makeInnerFolder } from "../../files/folder.ts";
import { measured, type PixelCertainty } from "../../objects/measure.ts";
import type { PixelSize } from "../../objects/shape.ts";
import { objectsOf, type PartingDepths } from "../../objects/split.ts";
import { CocoFile } from "./coco-file.ts";
import { described, OBJECTS_NAME, ObjectTables } from "./object-tables.ts";

/** Forms in which `predict` leaves what it found. */
export const FORMATS = ["png", "nifti", "coco", "geojson", "rois", "labels", "csv"] as const;
export type Format = (typeof FORMATS)[number];

/** The file that holds COCO's annotations of all inputs. */
const COCO_NAME = "coco.json";

/** Files that all inputs share. */
export const SHARED_NAMES: readonly string[] = [COCO_NAME, OBJECTS_NAME];

/** The form of inputs for which nobody asked for another. */
export const usualFormat = (isScan: boolean): Format => (isScan ? "nifti" : "png");

/** Names, in the folder of results, of what one input leaves in a form; of scans a folder where a file a slice is written. */
export function outputName(format: Format, stem: string, isScan: boolean): string {
  if (format === "coco") return COCO_NAME;
  if (format === "csv") return OBJECTS_NAME;
  if (format === "nifti") return `${stem}.nii.gz`;
  if (format === "geojson") return `${stem}.geojson`;
  if (format === "rois") return `${stem}-rois.zip`;
  const name = format === "png" ? stem : `${stem}-labels`;
  return isScan ? name : `${name}.png`;
}

/** Paths of what was written for one input, by form. */
export type OutputPaths = Partial<Record<Format, string>>;

interface OutputsOptions {
  readonly folder: string;
  /** Undefined: the usual one for each input. */
  readonly formats: readonly Format[] | undefined;
  /** The background first. */
  readonly classes: readonly ShownClass[];
  /** How touching objects are parted; left out, they are not. */
  readonly depths?: PartingDepths | undefined;
}

/** One input: its file, what its results are named by, and whether it is a stack of slices. */
interface OutputSource {
  readonly file: string;
  readonly stem: string;
  readonly isScan: boolean;
  /** Millimetres between its columns and rows, where known. */
  readonly pixelSize?: PixelSize | undefined;
}

/** A mask of class indices, and more of it where that is known. */
export interface FoundMask {
  /** Of a scan, from 0. */
  readonly slice?: number | undefined;
  /** How sure the prediction is of each pixel. */
  readonly certainty?: PixelCertainty | undefined;
  /** 1 where the network sees a border between objects. */
  readonly borders?: Uint8Array | undefined;
}

/** The files that all inputs of a command share. */
interface SharedFiles {
  readonly coco: CocoFile | undefined;
  readonly tables: ObjectTables | undefined;
}

/** Writes what a command's inputs leave, each in every form asked for. */
export class Outputs {
  readonly options: OutputsOptions;
  readonly #shared: SharedFiles;

  constructor(options: OutputsOptions) {
    this.options = options;
    const { folder, formats = [], classes } = options;
    const names = classes.map(({ name }) => name);
    this.#shared = {
      coco: formats.includes("coco") ? new CocoFile(join(folder, COCO_NAME), classes) : undefined,
      tables: formats.includes("csv") ? new ObjectTables(folder, names) : undefined,
    };
  }

  /** Takes the masks of one input. */
  open(source: OutputSource): InputOutputs {
    return new InputOutputs(source, this.options, this.#shared);
  }

  /** Ends the files that all inputs share, where there are some and one input got into them. */
  finish(): void {
    this.#shared.coco?.finish();
    this.#shared.tables?.finish();
  }

  /** Drops those files unless they are finished. */
  discard(): void {
    this.#shared.coco?.discard();
    this.#shared.tables?.discard();
  }
}

/** Forms that tell of single objects. */
const OF_OBJECTS: readonly Format[] = ["coco", "geojson", "rois", "labels", "csv"];

/** Zip archives store a time: always the same, so that equal results are equal files. */
const ZIP_TIME = new Date(1980, 0, 1);

/** The outputs of one input: its mask, or the masks of its slices in their order, then `finish`. */
export class InputOutputs {
  readonly formats: readonly Format[];
  readonly #source: OutputSource;
  readonly #options: OutputsOptions;
  readonly #shared: SharedFiles;
  readonly #features: GeoJsonFeature[] = [];
  readonly #rois: Record<string, Uint8Array> = {};
  readonly #images: Parameters<CocoFile["add"]>[0][] = [];
  readonly #measured: Parameters<ObjectTables["add"]>[0][] = [];
  #mask: ByteImage | undefined;

  constructor(source: OutputSource, options: OutputsOptions, shared: SharedFiles) {
    this.#source = source;
    this.#options = options;
    this.#shared = shared;
    this.formats = options.formats ?? [usualFormat(source.isScan)];
  }

  /** Whether it asks how sure the prediction is of each pixel. */
  get measures(): boolean {
    return this.#has("csv");
  }

  /** Takes a mask of class indices. Throws DataError where a form cannot hold it. */
  add(mask: ByteImage, found: FoundMask = {}): void {
    const { file } = this.#source;
    const { slice } = found;
    const place = slice === undefined ? file : `${file}, slice ${slice}`;
    if (this.#has("rois")) requireRoiSize(place, mask);
    if (slice === undefined) this.#mask = mask;
    else if (this.#has("png")) this.#writeSlice("png", slice, encodePng(mask, this.#colours));
    if (!OF_OBJECTS.some((format) => this.#has(format))) return;
    const objects = this.#objectsOf(mask, found);
    if (this.#has("coco")) this.#images.push({ name: basename(file), ...sizeOf(mask), slice, objects });
    if (this.#has("geojson"))
      this.#features.push(...objects.map((object) => geoJsonFeature(object, mask.width, this.#classOf(object), slice)));
    if (this.#has("rois")) this.#addRois(objects, mask.width, slice);
    if (this.#has("labels")) this.#writeLabels(objects, mask, place, slice);
  }

  /** A mask's objects; measured where a table is asked for, so that the other forms tell the same of them. */
  #objectsOf(mask: ByteImage, { slice, certainty, borders }: FoundMask): FoundObject[] {
    const { classes, depths } = this.#options;
    const found = objectsOf(mask.data, mask, classes.length, { depths, borders });
    if (!this.#has("csv")) return found;
    const objects = measured(found, mask, { pixelSize: this.#source.pixelSize, certainty });
    this.#measured.push({ name: basename(this.#source.file), ...sizeOf(mask), slice, objects });
    return objects.map(described);
  }

  /** Writes what is one file an input and gives all paths. A scan's NIfTI file is made by whoever knows its geometry. */
  finish(encodeScan?: () => Buffer): OutputPaths {
    const mask = this.#mask;
    if (mask && this.#has("png")) writeFileAtomic(this.#path("png"), encodePng(mask, this.#colours));
    if (mask && this.#has("nifti")) writeFileAtomic(this.#path("nifti"), flatNifti(mask, this.#source.file));
    if (encodeScan && this.#has("nifti")) writeFileAtomic(this.#path("nifti"), encodeScan());
    if (this.#has("geojson")) writeFileAtomic(this.#path("geojson"), geoJsonText(this.#features));
    if (this.#has("rois")) writeFileAtomic(this.#path("rois"), zipSync(this.#rois, { mtime: ZIP_TIME }));
    for (const image of this.#images) this.#shared.coco?.add(image);
    for (const image of this.#measured) this.#shared.tables?.add(image);
    return Object.fromEntries(this.formats.map((format) => [format, this.#path(format)]));
  }

  #has(format: Format): boolean {
    return this.formats.includes(format);
  }

  get #colours(): Rgb[] {
    return this.#options.classes.map(({ colour }) => colour);
  }

  #path(format: Format): string {
    return join(this.#options.folder, outputName(format, this.#source.stem, this.#source.isScan));
  }

  #classOf(object: FoundObject): ShownClass {
    return this.#options.classes[object.class] ?? { name: `class ${object.class}`, colour: [255, 255, 255] };
  }

  #writeSlice(format: "png" | "labels", slice: number, bytes: Buffer): void {
    const folder = this.#path(format);
    makeInnerFolder(folder);
    writeFileAtomic(join(folder, `${this.#source.stem}_${String(slice).padStart(4, "0")}.png`), bytes);
  }

  #writeLabels(objects: readonly FoundObject[], mask: ByteImage, place: string, slice: number | undefined): void {
    const bytes = encodeGrey16(labelImage(objects, mask, place), mask.width, mask.height);
    if (slice === undefined) writeFileAtomic(this.#path("labels"), bytes);
    else this.#writeSlice("labels", slice, bytes);
  }

  #addRois(objects: readonly FoundObject[], width: number, slice: number | undefined): void {
    for (const [index, object] of objects.entries()) {
      const shown = this.#classOf(object);
      const numbers = [...(slice === undefined ? [] : [slice + 1]), index + 1].map((n) => String(n).padStart(4, "0"));
      // An archive's names are paths.
      const name = `${numbers.join("-")}-${shown.name.replaceAll(/[/\\:]/g, "_")}.roi`;
      this.#rois[name] = roiBytes(object, width, shown, slice);
    }
  }
}

const sizeOf = ({ width, height }: ByteImage) => ({ width, height });

/** NIfTI-1 counts in 16 bits. */
const MOST_NIFTI_SIDE = 32_767;

/** A picture's mask as a NIfTI volume of one slice and voxels of 1 mm, upright in viewers that show axial slices. */
function flatNifti({ width, height, data }: ByteImage, file: string): Buffer {
  if (Math.max(width, height) > MOST_NIFTI_SIDE) {
    throw new DataError(
      `${file}: ${width}x${height} pixels; NIfTI-1 ends at ${MOST_NIFTI_SIDE} a side: use --format png or geojson`,
    );
  }
  return encodeNiftiLabels(data, [width, height, 1], [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0]);
}
