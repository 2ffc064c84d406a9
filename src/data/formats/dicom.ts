import dicomParser from "dicom-parser";
import { DataError } from "../../errors.ts";
import { joinedBytes } from "../codec/joined-bytes.ts";
import { decodeRle } from "./dicom-rle.ts";
import { elementCount, LARGEST_ARRAY, latin1, type ValueSlice, type ValueType, valueReader } from "./values.ts";
import type { Window } from "./window.ts";

type DataSet = dicomParser.DataSet;
export type Vector = readonly [number, number, number];

/** What of a file's header is used; undefined where the file does not say. */
export interface DicomFile {
  readonly file: string;
  readonly transferSyntax: string;
  readonly sopClass: string;
  readonly sopInstance: string;
  readonly series: string;
  readonly patient: string;
  readonly modality: string;
  readonly instanceNumber: number | undefined;
  readonly rows: number;
  readonly columns: number;
  readonly frames: number;
  /** Centre of the first pixel in patient millimetres (x to the left, y to the back, z to the head). */
  readonly position: Vector | undefined;
  /** Directions of a row and of a column. */
  readonly orientation: readonly number[] | undefined;
  /** The window the file asks to be shown with, the first where it names several. */
  readonly window: Window | undefined;
  /** The file says that text is burnt into its pixels (Burned In Annotation). */
  readonly burnedIn: boolean;
  /** How many windows it names. */
  readonly windows: number;
  /** MONOCHROME1: low values are bright, after the window. */
  readonly inverted: boolean;
  readonly data: DataSet;
}

const TAGS = {
  transferSyntax: "x00020010",
  sopClass: "x00080016",
  sopInstance: "x00080018",
  modality: "x00080060",
  patient: "x00100020",
  series: "x0020000e",
  instanceNumber: "x00200013",
  position: "x00200032",
  orientation: "x00200037",
  samples: "x00280002",
  photometric: "x00280004",
  planar: "x00280006",
  frames: "x00280008",
  rows: "x00280010",
  columns: "x00280011",
  bitsAllocated: "x00280100",
  burnedIn: "x00280301",
  bitsStored: "x00280101",
  signed: "x00280103",
  windowCentre: "x00281050",
  windowWidth: "x00281051",
  windowFunction: "x00281056",
  padding: "x00280120",
  paddingLimit: "x00280121",
  modalityTable: "x00283000",
  intercept: "x00281052",
  slope: "x00281053",
  pixels: "x7fe00010",
} as const;

export const SEGMENTATION_CLASS = "1.2.840.10008.5.1.4.1.1.66.4";

const READABLE: ReadonlySet<string> = new Set([
  "1.2.840.10008.1.2", // implicit VR little endian
  "1.2.840.10008.1.2.1", // explicit VR little endian
  "1.2.840.10008.1.2.5", // RLE lossless
]);
const RLE = "1.2.840.10008.1.2.5";

const REFUSED: Readonly<Record<string, string>> = {
  "1.2.840.10008.1.2.1.99": "deflated explicit VR little endian",
  "1.2.840.10008.1.2.2": "explicit VR big endian",
  "1.2.840.10008.1.2.4.50": "JPEG baseline",
  "1.2.840.10008.1.2.4.51": "JPEG extended",
  "1.2.840.10008.1.2.4.57": "JPEG lossless",
  "1.2.840.10008.1.2.4.70": "JPEG lossless, first-order prediction",
  "1.2.840.10008.1.2.4.80": "JPEG-LS lossless",
  "1.2.840.10008.1.2.4.81": "JPEG-LS near-lossless",
  "1.2.840.10008.1.2.4.90": "JPEG 2000 lossless",
  "1.2.840.10008.1.2.4.91": "JPEG 2000",
  "1.2.840.10008.1.2.4.201": "high-throughput JPEG 2000 lossless",
  "1.2.840.10008.1.2.4.202": "high-throughput JPEG 2000 lossless RPCL",
  "1.2.840.10008.1.2.4.203": "high-throughput JPEG 2000",
};

/** The error of every damaged or foreign DICOM file. */
export function dicomError(file: string, what: string): DataError {
  return new DataError(`${file}: the DICOM file is damaged or of a kind that is not read (${what})`);
}

/** Whether bytes start like a DICOM file: 128 bytes of anything, then "DICM". */
export function looksLikeDicom(bytes: Uint8Array): boolean {
  return bytes.length > 132 && latin1(bytes.subarray(128, 132)) === "DICM";
}

function parse(bytes: Uint8Array, file: string): DataSet {
  if (!looksLikeDicom(bytes)) throw dicomError(file, 'no "DICM" at byte 128; is it a DICOM file at all?');
  try {
    return dicomParser.parseDicom(bytes);
  } catch (error) {
    // The library throws strings, objects and errors.
    const inner = typeof error === "object" && error !== null && "exception" in error ? error.exception : error;
    throw dicomError(file, inner instanceof Error ? inner.message : String(inner));
  }
}

/** The numbers of a decimal string; undefined where it is missing or holds something else. */
export function decimals(data: DataSet, tag: string, count: number): readonly number[] | undefined {
  const numbers = (data.string(tag) ?? "").split("\\").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  return numbers.length >= count && numbers.slice(0, count).every(Number.isFinite)
    ? numbers.slice(0, count)
    : undefined;
}

/** Image Position (Patient) of a data set. */
export function positionOf(data: DataSet): Vector | undefined {
  const [x, y, z] = decimals(data, TAGS.position, 3) ?? [];
  return x === undefined || y === undefined || z === undefined ? undefined : [x, y, z];
}

/** Image Orientation (Patient) of a data set: six direction cosines. */
export function orientationOf(data: DataSet): readonly number[] | undefined {
  return decimals(data, TAGS.orientation, 6);
}

function windowOf(data: DataSet): Window | undefined {
  const centre = decimals(data, TAGS.windowCentre, 1)?.[0];
  const width = decimals(data, TAGS.windowWidth, 1)?.[0];
  if (centre === undefined || width === undefined || width <= 0) return undefined;
  // The three functions of the standard (PS3.3 C.11.2.1.2 and C.11.2.1.3).
  const exact = { low: centre - width / 2, high: centre + width / 2 };
  const name = data.string(TAGS.windowFunction)?.trim();
  if (name === "SIGMOID") return { ...exact, curve: "sigmoid" };
  if (name === "LINEAR_EXACT") return exact;
  return width <= 1 ? undefined : { low: centre - 0.5 - (width - 1) / 2, high: centre - 0.5 + (width - 1) / 2 };
}

const photometricOf = (data: DataSet) => data.string(TAGS.photometric)?.trim() ?? "";

/** Runs `read` and turns the library's failures on damaged content into a DataError. */
export function guarded<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw dicomError(file, error instanceof Error ? error.message : String(error));
  }
}

function checkSyntax(syntax: string, file: string): void {
  if (READABLE.has(syntax)) return;
  const name = REFUSED[syntax];
  throw dicomError(
    file,
    `transfer syntax ${syntax || "missing"}${name === undefined ? "" : `: ${name}`}; ` +
      "convert it to explicit VR little endian, for example with dcmdjpeg or gdcmconv --raw",
  );
}

/**
 * Parses a file's header through dicom-parser and checks it; pixels are read by `dicomValues`, those of uncompressed
 * and run-length encoded little endian files. Every other transfer syntax is refused by its name. Throws DataError
 * naming `file`.
 */
export function readDicom(bytes: Uint8Array, file: string): DicomFile {
  const data = parse(bytes, file);
  return guarded(file, () => {
    const text = (tag: string) => data.string(tag) ?? "";
    const transferSyntax = text(TAGS.transferSyntax);
    checkSyntax(transferSyntax, file);
    const frames = decimals(data, TAGS.frames, 1)?.[0] ?? 1;
    if (!(Number.isInteger(frames) && frames >= 1)) throw dicomError(file, `${frames} frames`);
    return {
      ...{ file, transferSyntax, frames, data },
      rows: data.uint16(TAGS.rows) ?? 0,
      columns: data.uint16(TAGS.columns) ?? 0,
      sopClass: text(TAGS.sopClass),
      sopInstance: text(TAGS.sopInstance),
      series: text(TAGS.series),
      patient: text(TAGS.patient),
      modality: text(TAGS.modality),
      instanceNumber: decimals(data, TAGS.instanceNumber, 1)?.[0],
      position: positionOf(data),
      orientation: orientationOf(data),
      window: windowOf(data),
      burnedIn: text(TAGS.burnedIn) === "YES",
      windows: data.string(TAGS.windowCentre)?.split("\\").length ?? 0,
      inverted: photometricOf(data) === "MONOCHROME1",
    };
  });
}

interface PixelLayout {
  readonly bits: number;
  readonly type: ValueType;
  readonly values: number;
  /** Bits below the stored ones that are to be kept. */
  readonly stored: number;
  readonly signed: boolean;
}

function layoutOf({ data, rows, columns, frames, file }: DicomFile): PixelLayout {
  const samples = data.uint16(TAGS.samples) ?? 1;
  const photometric = photometricOf(data);
  if (samples !== 1 || !/^MONOCHROME[12]$/.test(photometric)) {
    throw dicomError(
      file,
      `${samples} samples a pixel, ${photometric || "no photometric interpretation"}; grey is read`,
    );
  }
  if (frames !== 1) throw dicomError(file, `${frames} frames in one file; split it into single-frame files`);
  if (data.elements[TAGS.modalityTable] !== undefined) {
    throw dicomError(file, "a modality table (0028,3000) gives its values their meaning; slope and intercept are read");
  }
  const bits = data.uint16(TAGS.bitsAllocated) ?? 0;
  const stored = data.uint16(TAGS.bitsStored) ?? bits;
  const signed = data.uint16(TAGS.signed) === 1;
  if ((bits !== 8 && bits !== 16 && bits !== 32) || stored < 1 || stored > bits) {
    throw dicomError(file, `${stored} bits stored in ${bits} bits a pixel`);
  }
  const values = elementCount([rows, columns]) ?? 0;
  if (values === 0) throw dicomError(file, `an image of ${columns}x${rows} pixels`);
  const names = { 8: "uint8", 16: "uint16", 32: "uint32" } as const;
  return { bits, type: names[bits], values, stored, signed };
}

/** Run lengths undone, frame after frame; one frame may lie in several fragments, several frames have one each. */
function unpackedFrames(dicom: DicomFile, framePixels: number, bytesPerPixel: number): Uint8Array {
  const { data, file, frames } = dicom;
  const element = data.elements[TAGS.pixels];
  const fragments = element?.fragments ?? [];
  if (element === undefined || fragments.length < 1 || (frames > 1 && fragments.length !== frames)) {
    throw dicomError(file, `${frames} frames in ${fragments.length} fragments`);
  }
  const each = frames === 1 ? fragments.length : 1;
  const unpacked = Array.from({ length: frames }, (_, frame) => {
    const packed = dicomParser.readEncapsulatedPixelDataFromFragments(data, element, frame, each);
    return decodeRle(packed, framePixels, bytesPerPixel, (what) => dicomError(file, what));
  });
  return unpacked.length === 1 && unpacked[0] !== undefined ? unpacked[0] : joinedBytes(unpacked);
}

/** Bytes of all frames' pixels, `bits` a pixel: as stored, or run lengths undone. Throws DataError naming the file. */
export function pixelBytes(dicom: DicomFile, framePixels: number, bits: number): Uint8Array {
  const { data, file, transferSyntax, frames } = dicom;
  const element = data.elements[TAGS.pixels];
  if (element === undefined) throw dicomError(file, "it has no pixels");
  const wanted = Math.ceil((frames * framePixels * bits) / 8);
  if (wanted > LARGEST_ARRAY) throw dicomError(file, `pixels of ${wanted} bytes`);
  if (transferSyntax === RLE) {
    if (bits < 8) throw dicomError(file, "run lengths of single bits");
    return unpackedFrames(dicom, framePixels, bits / 8);
  }
  if (element.encapsulatedPixelData === true)
    throw dicomError(file, "its pixels are packed although it says they are not");
  const bytes = data.byteArray.subarray(element.dataOffset, element.dataOffset + element.length);
  if (bytes.length < wanted) throw dicomError(file, `pixels of ${bytes.length} bytes, ${wanted} are announced`);
  return bytes;
}

/** Whether a stored value says that nothing was measured: Pixel Padding Value, or from there to the Range Limit. */
function paddingTest({ data }: DicomFile, signed: boolean): (stored: number) => boolean {
  const read = (tag: string) => (signed ? data.int16(tag) : data.uint16(tag));
  const value = read(TAGS.padding);
  if (value === undefined) return () => false;
  const limit = read(TAGS.paddingLimit) ?? value;
  const [low, high] = [Math.min(value, limit), Math.max(value, limit)];
  return (stored) => stored >= low && stored <= high;
}

/** The image's values with rescale slope and intercept applied, padding as NaN. Throws DataError naming the file. */
export function dicomValues(dicom: DicomFile): ValueSlice {
  return guarded(dicom.file, () => {
    const layout = layoutOf(dicom);
    const bytes = pixelBytes(dicom, layout.values, layout.bits);
    const read = valueReader(bytes, layout.type, true);
    const slope = decimals(dicom.data, TAGS.slope, 1)?.[0] ?? 1;
    const intercept = decimals(dicom.data, TAGS.intercept, 1)?.[0] ?? 0;
    const range = 2 ** layout.stored;
    const isPadding = paddingTest(dicom, layout.signed);
    const values = new Float64Array(layout.values);
    for (let at = 0; at < values.length; at++) {
      // Bits above the stored ones may hold overlays; the highest stored bit is the sign.
      const low = read(at) % range;
      const stored = layout.signed && low >= range / 2 ? low - range : low;
      values[at] = isPadding(stored) ? Number.NaN : stored * slope + intercept;
    }
    return { width: dicom.columns, height: dicom.rows, values, nonFinite: 0 };
  });
}
