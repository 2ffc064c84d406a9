import { unzlibSync } from "fflate";
import { crc32 } from "../../data/codec/crc32.ts";
import { looksLikePng, type PngSamples, readPng } from "../../data/codec/png-read.ts";
import { type ChosenView, chooseView, shownValues, viewText, type Window } from "../../data/formats/window.ts";
import type { ByteImage, Size } from "../../data/image/image.ts";
import { DataError } from "../../errors.ts";
import type { Chosen } from "./chosen.ts";
import { contextOf } from "./parts.ts";
import { readDicomFiles, readNifti, scanKind } from "./read-scans.ts";

/** Pixels of the largest image that a page takes: what is drawn and found of it stays near 1 GB of memory. */
export const MOST_PIXELS = 32e6;

/** An image that can be opened. */
export interface Openable {
  readonly name: string;
  readonly open: () => Promise<Chosen>;
}

/** Parts chosen files into images: DICOM files of one choice are slices of one scan, every other file is one image. */
export async function chosenOf(files: readonly File[], trained: Window | undefined): Promise<Openable[]> {
  const kinds = await Promise.all(files.map(async (file) => ({ file, kind: await scanKind(file) })));
  const dicom = kinds.filter(({ kind }) => kind === "dicom").map(({ file }) => file);
  const others = kinds.filter(({ kind }) => kind !== "dicom");
  const opened = others.map(({ file, kind }) => ({
    name: file.name,
    open: () => (kind === "nifti" ? readNifti(file, trained) : readPicture(file, trained)),
  }));
  const [first] = dicom;
  return first ? [{ name: first.name, open: () => readDicomFiles(dicom, trained) }, ...opened] : opened;
}

async function readPicture(file: File, trained: Window | undefined): Promise<Chosen> {
  requireKind(file.name, new Uint8Array(await file.slice(0, 16).arrayBuffer()));
  requireSize(file.name, await sizeOf(file));
  const bytes = new Uint8Array(await file.arrayBuffer());
  const { picture, note } = looksLikePng(bytes)
    ? pngPicture(bytes, file.name, trained)
    : { picture: await decoded(file), note: "" };
  return { name: file.name, slices: 1, pixelSize: undefined, note, picture: async () => picture };
}

/** Throws DataError where a file is none of those that are read. */
function requireKind(name: string, start: Uint8Array): void {
  const text = String.fromCharCode(...start);
  if (text.startsWith("II*\0") || text.startsWith("MM\0*")) {
    throw new DataError(`${name}: this is a TIFF, which browsers do not read; save it as PNG, or use svanet predict`);
  }
  const isJpeg = start[0] === 0xff && start[1] === 0xd8;
  if (looksLikePng(start) || isJpeg || (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP")) return;
  throw new DataError(`${name}: this is no image that is read here; PNG, JPEG, WebP, NIfTI and uncompressed DICOM are`);
}

/** Throws DataError for a picture that is too large for a page. */
function requireSize(name: string, { width, height }: Size): void {
  const pixels = width * height;
  if (pixels <= MOST_PIXELS) return;
  throw new DataError(
    `${name}: ${width}x${height} pixels are ${Math.round(pixels / 1e6)} megapixels; this page takes up to ${MOST_PIXELS / 1e6}: ` +
      "cut it into smaller images, or use svanet predict --tile",
  );
}

/** Sides of an image from its header: the browser decodes the rest only when it is drawn. */
async function sizeOf(file: File): Promise<Size> {
  const address = URL.createObjectURL(file);
  try {
    const image = new Image();
    await new Promise((done, failed) => {
      image.addEventListener("load", done);
      image.addEventListener("error", () => failed(damaged(file.name)));
      image.src = address;
    });
    return { width: image.naturalWidth, height: image.naturalHeight };
  } finally {
    URL.revokeObjectURL(address);
  }
}

const damaged = (name: string) =>
  new DataError(`${name}: the image is damaged or cut short; take it from its source again`);

/** The pixels of a JPEG or WebP as stored, turned upright: no colour profile, no blending, as `svanet predict` reads them. */
async function decoded(file: File): Promise<ByteImage> {
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" } as const;
  const bitmap = await createImageBitmap(file, options).catch(() => {
    throw damaged(file.name);
  });
  const { width, height } = bitmap;
  const context = contextOf(Object.assign(document.createElement("canvas"), { width, height }));
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const rgba = context.getImageData(0, 0, width, height).data;
  const data = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) data.set(rgba.subarray(from, from + 3), to);
  return { width, height, channels: 3, data };
}

const UNPACKING = {
  crc32,
  inflate: (packed: Uint8Array, length: number) => unzlibSync(packed, { out: new Uint8Array(length) }),
};

/** A PNG's own samples, which a canvas would blend with its alpha: as `svanet predict` sees them, deep ones through a window. */
function pngPicture(bytes: Uint8Array, name: string, trained: Window | undefined) {
  const png = readPng(bytes, name, UNPACKING);
  const { width, height } = png;
  if (png.depth < 16) return { picture: { width, height, channels: 3, data: byteSamples(png) } as const, note: "" };
  const values = Float32Array.from({ length: 3 * width * height }, (_, at) => png.samples[sampleOf(png, at)] ?? 0);
  const isGrey = png.channels < 3;
  // A grey picture's distribution is that of its samples: three times each is the same.
  const shown = isGrey ? values.filter((_, at) => at % 3 === 0) : values;
  const view: ChosenView = chooseView(() => [{ values: shown, width: isGrey ? width : 3 * width }], { trained });
  return { picture: { width, height, channels: 3, data: shownValues(values, view) } as const, note: viewText(view) };
}

/** Where sample `at` of a picture in three channels stands among a PNG's: alpha is dropped, grey is repeated. */
function sampleOf({ channels }: PngSamples, at: number): number {
  const pixel = Math.floor(at / 3);
  return channels < 3 ? pixel * channels : pixel * channels + (at % 3);
}

/** Red, green and blue of 8 bits: palettes as the colours they name, grey of fewer bits stretched. */
function byteSamples(png: PngSamples): Uint8Array {
  const { kind, palette, samples, depth } = png;
  const scale = 255 / (2 ** depth - 1);
  return Uint8Array.from({ length: 3 * png.width * png.height }, (_, at) => {
    const sample = samples[sampleOf(png, at)] ?? 0;
    return kind === "palette" ? (palette?.[sample]?.[at % 3] ?? 0) : sample * scale;
  });
}
