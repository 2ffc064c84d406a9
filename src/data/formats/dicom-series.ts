import { DataError } from "../../errors.ts";
import type { ByteImage } from "../image/image.ts";
import { type DicomFile, decimals, dicomError, SEGMENTATION_CLASS, type Vector } from "./dicom.ts";
import { belongsTo, type FramePosition, type Segmentation } from "./dicom-seg.ts";
import { type ChosenView, rangeText } from "./window.ts";

type Head = Omit<DicomFile, "data">;

const PIXELS = "x7fe00010";
const PIXEL_SPACING = "x00280030";
const SLICE_THICKNESS = "x00180050";
const SLICE_SPACING = "x00180088";

/**
 * Share of the distance of slices by which one may lie beside its place: positions are rounded, to a tenth of a millimetre by
 * some. A missing slice moves one by at least a half.
 */
const OFF_PLACE = 0.2;
/** Share of the distance of slices by which what a header says of it may be wrong. */
const WRONGLY_TOLD = 0.1;
/** Where slices lie this many times their thickness apart some seem to be missing. */
const THIN = 1.95;

/** Names of files that lie beside DICOM files without being any. */
const COMPANIONS = /^(readme|licen[cs]e|version|lockfile|copying|changelog|md5sums?|sha\d+sums?|autorun|makefile)$/i;

/** Whether a file of this name, among DICOM files, is meant as one: it must not be passed over if it cannot be read. */
export function isNamedAsDicom(name: string): boolean {
  return /\.(dcm|dicom|ima)$/i.test(name) || (/^[^.]+$|\.\d+$/.test(name) && !COMPANIONS.test(name));
}

/** Whether a file holds an image; reports, plans and directories do not. Throws DataError for one without its pixels. */
function isImage({ file, rows, columns, sopClass, data }: DicomFile): boolean {
  if (sopClass === SEGMENTATION_CLASS) return false;
  const hasPixels = data.elements[PIXELS] !== undefined;
  if (hasPixels && rows > 0 && columns > 0) return true;
  if (!hasPixels && rows === 0 && columns === 0) return false;
  throw dicomError(
    file,
    hasPixels ? "pixels without rows and columns" : `${columns}x${rows} pixels are announced, none is there`,
  );
}

/** Parts DICOM files into series of images, in the order of first appearance. `T` is what is kept of an image. */
export class SeriesList<T> {
  readonly #series = new Map<string, T[]>();
  readonly #others: { readonly file: string; readonly series: string }[] = [];

  /** Takes a file; one without an image (a report, a directory) is only remembered. Throws DataError for a damaged image. */
  add(dicom: DicomFile, keep: (dicom: DicomFile) => T): void {
    const { file, series, sopClass } = dicom;
    if (isImage(dicom)) this.#series.set(series, [...(this.#series.get(series) ?? []), keep(dicom)]);
    else if (sopClass !== SEGMENTATION_CLASS) this.#others.push({ file, series });
  }

  /** Images by series. Throws DataError for a file of such a series that has none: a slice is never passed over. */
  images(): ReadonlyMap<string, readonly T[]> {
    const cut = this.#others.find(({ series }) => series !== "" && this.#series.has(series));
    if (cut !== undefined) throw dicomError(cut.file, "it belongs to a series of images and holds none");
    return this.#series;
  }
}

type Numbers = readonly number[];

function normalOf(orientation: Numbers): Vector {
  const [rx = 0, ry = 0, rz = 0, cx = 0, cy = 0, cz = 0] = orientation;
  return [ry * cz - rz * cy, rz * cx - rx * cz, rx * cy - ry * cx];
}

const dot = (a: Numbers, b: Numbers) => a.reduce((sum, value, axis) => sum + value * (b[axis] ?? 0), 0);
const lengthOf = (a: Numbers) => Math.hypot(...a);
const minus = (a: Numbers, b: Numbers) => a.map((value, axis) => value - (b[axis] ?? 0));
const millimetres = (value: number) => String(Number(value.toFixed(3)) + 0);

/** Distance along the normal of the slices, undefined without position or orientation. */
function depthOf({ position, orientation }: Head): number | undefined {
  return position === undefined || orientation === undefined ? undefined : dot(position, normalOf(orientation));
}

const differs = (a: Numbers | undefined, b: Numbers | undefined, within: number) =>
  a?.some((value, at) => Math.abs(value - (b?.[at] ?? 0)) > within) === true;

/** Throws DataError where an image cannot lie in one stack with the first of its series. */
function requireLike(image: DicomFile, head: DicomFile): void {
  if (image.rows !== head.rows || image.columns !== head.columns) {
    const sizes = `${image.columns}x${image.rows} pixels in a series of ${head.columns}x${head.rows}`;
    throw dicomError(image.file, `${sizes} (${head.file})`);
  }
  if (differs(image.orientation, head.orientation, 1e-3)) {
    throw dicomError(image.file, `its direction differs from ${head.file} of the same series`);
  }
  const [own, first] = [image, head].map(({ data }) => decimals(data, PIXEL_SPACING, 2));
  if (first !== undefined && differs(own, first, 1e-3 * (first[0] ?? 1))) {
    throw dicomError(
      image.file,
      `pixels of ${own?.join(" x ")} mm in a series of ${first.join(" x ")} mm (${head.file})`,
    );
  }
  if ((depthOf(image) === undefined) !== (depthOf(head) === undefined)) {
    const without = depthOf(image) === undefined ? image : head;
    throw dicomError(without.file, "it says no position or direction, others of the same series do");
  }
}

/** How far a sorted series is from slices at equal distances; undefined where the files give no positions. */
interface Sampling {
  /** Distance of the first and the last slice divided by the number of steps, in millimetres. */
  readonly step: number;
  /** Largest distance of a slice from where equal steps would have it. */
  readonly offPlace: number;
  /** Largest difference of a step from the mean one: what ITK reports. */
  readonly nonuniformity: number;
  /** Places along the normal, in millimetres. */
  readonly places: readonly number[];
}

function samplingOf(sorted: readonly Head[]): Sampling | undefined {
  const positions = sorted.flatMap(({ position }) => (position === undefined ? [] : [position]));
  const [first, last] = [positions[0], positions.at(-1)];
  if (first === undefined || last === undefined || positions.length < 2 || positions.length < sorted.length)
    return undefined;
  const step = minus(last, first).map((value) => value / (positions.length - 1));
  const offPlace = positions.map((position, at) =>
    lengthOf(
      minus(
        minus(position, first),
        step.map((value) => value * at),
      ),
    ),
  );
  const steps = positions.slice(1).map((position, at) => lengthOf(minus(position, positions[at] ?? first)));
  return {
    step: lengthOf(step),
    offPlace: Math.max(...offPlace),
    nonuniformity: Math.max(...steps.map((length) => Math.abs(length - lengthOf(step)))),
    places: sorted.map((image) => depthOf(image) ?? 0),
  };
}

const isUneven = ({ step, offPlace }: Sampling) => offPlace > OFF_PLACE * step;

/** Places of a few slices; of many the two at the widest gap. */
function placesText(sorted: readonly Head[], { places }: Sampling): string {
  if (places.length <= 12) return `slices lie at ${places.map(millimetres).join(", ")} mm along their normal`;
  const gaps = places.slice(1).map((place, at) => place - (places[at] ?? 0));
  const widest = gaps.indexOf(Math.max(...gaps));
  const end = (at: number) => `${sorted[at]?.file} at ${millimetres(places[at] ?? 0)} mm`;
  return `the widest gap lies between ${end(widest)} and ${end(widest + 1)}`;
}

/**
 * A DICOM series' images in the order of their positions along the slices' normal, or of their instance numbers where
 * none has a position. Throws DataError where sizes, directions or spacings differ, where two images lie at one place, and,
 * unless `allowGaps`, where they do not lie at equal distances: something is missing, or NIfTI cannot hold it.
 */
export function sortSeries(images: readonly DicomFile[], allowGaps = false): readonly DicomFile[] {
  const [head] = images;
  if (head === undefined) return [];
  for (const image of images) requireLike(image, head);
  const known = depthOf(head) !== undefined;
  const keyed = images.map((image) => ({ image, key: (known ? depthOf(image) : image.instanceNumber) ?? 0 }));
  keyed.sort((a, b) => a.key - b.key);
  keyed.forEach(({ image, key }, at) => {
    const before = keyed[at - 1];
    if (before === undefined || Math.abs(before.key - key) >= 1e-4) return;
    const what = known ? "place" : "instance number";
    throw new DataError(
      `${image.file}: has the same ${what} as ${before.image.file} in one series; keep repetitions in separate folders, or as ` +
        "separate series",
    );
  });
  const sorted = keyed.map(({ image }) => image);
  const sampling = samplingOf(sorted);
  if (sampling !== undefined && isUneven(sampling) && !allowGaps) {
    throw new DataError(
      `${sorted[0]?.file}: non-uniform sampling or missing slices in its series, maximum nonuniformity ` +
        `${millimetres(sampling.nonuniformity)} mm: ${placesText(sorted, sampling)}; add the slices that are missing, or ` +
        "--allow-gaps takes those that are there",
    );
  }
  return sorted;
}

/**
 * What should be known about the places of a sorted series: uneven steps that were allowed, or a distance that the header
 * does not tell. `asNifti`: they are written to a NIfTI file.
 */
export function spacingNotes(name: string, sorted: readonly DicomFile[], asNifti: boolean): readonly string[] {
  const [head] = sorted;
  const sampling = samplingOf(sorted);
  if (head === undefined || sampling === undefined) return [];
  const step = millimetres(sampling.step);
  if (isUneven(sampling)) {
    const nifti = `; NIfTI holds one distance only and says every ${step} mm, so what it shows between the first and the last slice `;
    return [`${name}: ${placesText(sorted, sampling)}${asNifti ? `${nifti}lies elsewhere in the patient` : ""}`];
  }
  const told = decimals(head.data, SLICE_SPACING, 1)?.[0];
  if (told !== undefined && Math.abs(Math.abs(told) - sampling.step) > WRONGLY_TOLD * sampling.step) {
    return [
      `${name}: slices lie ${step} mm apart, their headers say ${millimetres(Math.abs(told))} mm; some may be missing`,
    ];
  }
  const thickness = decimals(head.data, SLICE_THICKNESS, 1)?.[0] ?? 0;
  if (told === undefined && thickness > 0 && sampling.step > THIN * thickness) {
    return [`${name}: slices lie ${step} mm apart and are ${millimetres(thickness)} mm thick; some may be missing`];
  }
  return [];
}

/** Where a frame of a segmentation lies, without its pixels. */
export interface FramePlace extends FramePosition {
  /** Whether any pixel of it is inside. */
  readonly shows: boolean;
}

/** The frames that show something and lie on none of `images`, counted from 1: what is drawn there would be lost. */
export function framesElsewhere(
  frames: readonly FramePlace[],
  images: readonly Head[],
  file: string,
): readonly number[] {
  return frames.flatMap((frame, at) =>
    frame.shows && !images.some((image) => belongsTo(frame, image, file)) ? [at + 1] : [],
  );
}

/** Sentences where a series' files name more windows than the one that was taken. */
export function windowNotes(name: string, { window }: ChosenView, images: readonly DicomFile[]): string[] {
  const [first] = images;
  if (first?.window !== window) return [];
  const others = images.filter((image) => image.window?.low !== window.low || image.window.high !== window.high);
  const lists = first.windows > 1 ? [`${name}: the first of ${first.windows} windows in its files was taken`] : [];
  const [other] = others;
  if (other === undefined) return lists;
  const named = other.window === undefined ? "no window" : `the window ${rangeText(other.window)}`;
  return [...lists, `${name}: the first slice's window was taken for all; ${others.length} name another (${named})`];
}

/**
 * The class mask of one image: each segment's class painted where its frames lie, in order of segment numbers (higher ones
 * on top). `classOf` maps a segment's name to its class.
 */
export function maskOf(
  image: DicomFile,
  segmentations: readonly Segmentation[],
  classOf: (label: string) => number,
): ByteImage {
  const { rows, columns } = image;
  const data = new Uint8Array(rows * columns);
  for (const { file, frames, segments, rows: height, columns: width } of segmentations) {
    const mine = frames.filter((frame) => belongsTo(frame, image, file)).sort((a, b) => a.segment - b.segment);
    if (mine.length > 0 && (height !== rows || width !== columns)) {
      throw dicomError(file, `frames of ${width}x${height} on images of ${columns}x${rows} (${image.file})`);
    }
    for (const { segment, inside } of mine) {
      const value = classOf(segments.get(segment) ?? "");
      inside.forEach((bit, pixel) => {
        if (bit === 1) data[pixel] = value;
      });
    }
  }
  return { width: columns, height: rows, channels: 1, data };
}
