import type dicomParser from "dicom-parser";
import {
  type DicomFile,
  dicomError,
  guarded,
  orientationOf,
  pixelBytes,
  positionOf,
  SEGMENTATION_CLASS,
  type Vector,
} from "./dicom.ts";

type DataSet = dicomParser.DataSet;

/** Where a frame lies. */
export interface FramePosition {
  /** Images this frame was drawn on, by their SOP instance; empty where it does not say. */
  readonly sources: readonly string[];
  readonly position: Vector | undefined;
  readonly orientation: readonly number[] | undefined;
}

interface SegmentationFrame extends FramePosition {
  readonly segment: number;
  /** One byte a pixel: 1 inside, 0 outside (fractional: at least half of the maximum counts as inside). */
  readonly inside: Uint8Array;
}

export interface Segmentation {
  readonly file: string;
  readonly rows: number;
  readonly columns: number;
  /** Names by segment number. */
  readonly segments: ReadonlyMap<number, string>;
  /** The series it was drawn on; empty where it does not say. */
  readonly series: string;
  readonly fractional: boolean;
  readonly frames: readonly SegmentationFrame[];
}

/** The data sets of a sequence's items, empty where it is missing. */
function items(data: DataSet | undefined, tag: string): readonly DataSet[] {
  const found = data?.elements[tag]?.items ?? [];
  return found.flatMap(({ dataSet }) => (dataSet === undefined ? [] : [dataSet]));
}

const first = (data: DataSet | undefined, tag: string) => items(data, tag)[0];

const TAGS = {
  segments: "x00620002",
  segmentNumber: "x00620004",
  segmentLabel: "x00620005",
  type: "x00620001",
  maximum: "x0062000e",
  shared: "x52009229",
  perFrame: "x52009230",
  identification: "x0062000a",
  referencedSegment: "x0062000b",
  derivation: "x00089124",
  source: "x00082112",
  instance: "x00081155",
  planePosition: "x00209113",
  planeOrientation: "x00209116",
  referencedSeries: "x00081115",
  series: "x0020000e",
  bitsAllocated: "x00280100",
} as const;

/** Bit number `index` of packed pixels: the lowest bit of a byte comes first, frames follow without a gap. */
const bitAt = (bytes: Uint8Array, index: number) => ((bytes[index >> 3] ?? 0) >> (index & 7)) & 1;

function insideOf(bytes: Uint8Array, frame: number, pixels: number, fractional: boolean, maximum: number): Uint8Array {
  const inside = new Uint8Array(pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const at = frame * pixels + pixel;
    inside[pixel] = fractional ? Number(2 * (bytes[at] ?? 0) >= maximum) : bitAt(bytes, at);
  }
  return inside;
}

function segmentNames(dicom: DicomFile): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const item of items(dicom.data, TAGS.segments)) {
    const number = item.uint16(TAGS.segmentNumber) ?? 0;
    if (names.has(number) || number === 0)
      throw dicomError(dicom.file, `segment number ${number} is 0 or occurs twice`);
    names.set(number, item.string(TAGS.segmentLabel) ?? `segment ${number}`);
  }
  if (names.size === 0) throw dicomError(dicom.file, "a segmentation without segments");
  return names;
}

function typeOf({ data, file }: DicomFile): { fractional: boolean; maximum: number; bits: number } {
  const type = data.string(TAGS.type) ?? "";
  const bits = data.uint16(TAGS.bitsAllocated) ?? 0;
  const fractional = type === "FRACTIONAL";
  if ((type !== "BINARY" && !fractional) || bits !== (fractional ? 8 : 1)) {
    throw dicomError(file, `a segmentation of type ${type || "missing"} with ${bits} bits a pixel`);
  }
  return { fractional, maximum: data.uint16(TAGS.maximum) ?? 255, bits };
}

/**
 * Reads a DICOM segmentation object: frames of one segment each, binary (one bit a pixel) or fractional (one byte).
 * Throws DataError where it is none, or damaged.
 */
export function readSegmentation(dicom: DicomFile): Segmentation {
  const { data, file, rows, columns, frames } = dicom;
  if (dicom.sopClass !== SEGMENTATION_CLASS) throw dicomError(file, "it is no segmentation object");
  return guarded(file, () => {
    const { fractional, maximum, bits } = typeOf(dicom);
    const segments = segmentNames(dicom);
    const groups = items(data, TAGS.perFrame);
    const pixels = rows * columns;
    if (groups.length < frames || pixels === 0) {
      throw dicomError(file, `${frames} frames of ${columns}x${rows} with the places of ${groups.length}`);
    }
    const bytes = pixelBytes(dicom, pixels, bits);
    const shared = first(data, TAGS.shared);
    const either = (group: DataSet, tag: string) => first(group, tag) ?? first(shared, tag);
    const frameOf = (group: DataSet, frame: number): SegmentationFrame => {
      const segment = either(group, TAGS.identification)?.uint16(TAGS.referencedSegment) ?? 0;
      if (!segments.has(segment))
        throw dicomError(file, `frame ${frame + 1} belongs to segment ${segment}, which is not listed`);
      const derivations = [...items(group, TAGS.derivation), ...items(shared, TAGS.derivation)];
      const sources = derivations.flatMap((item) =>
        items(item, TAGS.source).map((source) => source.string(TAGS.instance)),
      );
      const [position, orientation] = [either(group, TAGS.planePosition), either(group, TAGS.planeOrientation)];
      return {
        segment,
        sources: sources.filter((uid) => uid !== undefined),
        position: position === undefined ? undefined : positionOf(position),
        orientation: orientation === undefined ? undefined : orientationOf(orientation),
        inside: insideOf(bytes, frame, pixels, fractional, maximum),
      };
    };
    const series = first(data, TAGS.referencedSeries)?.string(TAGS.series) ?? "";
    return { file, rows, columns, segments, series, fractional, frames: groups.slice(0, frames).map(frameOf) };
  });
}

/** Whether two directions agree to a thousandth; unknown ones do. */
function agrees(a: readonly number[] | undefined, b: readonly number[] | undefined): boolean {
  return a === undefined || b === undefined || a.every((value, at) => Math.abs(value - (b[at] ?? 0)) < 1e-3);
}

/** Largest distance in millimetres between a frame and the image it is laid on. */
const NEAREST = 0.05;

/**
 * Whether `frame` belongs to `image`: by the referenced SOP instance where the frame names images, else by position.
 * Throws DataError where it does but is turned against the image.
 */
export function belongsTo(
  frame: FramePosition,
  image: Pick<DicomFile, "position" | "orientation" | "sopInstance" | "file">,
  file: string,
): boolean {
  const { position } = image;
  const near =
    position !== undefined &&
    frame.position !== undefined &&
    Math.hypot(...position.map((value, at) => value - (frame.position?.[at] ?? 0))) < NEAREST;
  const named = frame.sources.includes(image.sopInstance);
  // A frame may be derived from several images, even all of a series: then its position decides among them.
  const decided = frame.sources.length === 1 || frame.position === undefined;
  const belongs = frame.sources.length === 0 ? near : named && (decided || near);
  if (belongs && !agrees(frame.orientation, image.orientation)) {
    throw dicomError(
      file,
      `its frames are turned against ${image.file}; resample the segmentation to the image's grid`,
    );
  }
  return belongs;
}
