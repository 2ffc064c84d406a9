import sharp, { type Metadata } from "sharp";
import { DataError, UsageError } from "../../errors.ts";
import { looksLikePng } from "../codec/png-read.ts";
import { looksLikeTiff, readTiff, type TiffFile, type TiffPage } from "../codec/tiff.ts";
import { requireDecodable } from "./picture-size.ts";
import type { ValueType } from "./values.ts";

/** A file with what is known of it before its samples are decoded. */
export interface PictureSource {
  readonly file: string;
  readonly bytes: Buffer;
  readonly metadata: Partial<Metadata>;
  readonly tiff: TiffFile | undefined;
  readonly page: TiffPage | undefined;
  /** The decoder's number of the page. */
  readonly index: number;
}

/** The error of every picture that cannot be decoded. */
export const damagedPicture = (file: string, error: unknown) => {
  const why = error instanceof Error ? error.message.split("\n").join("; ") : String(error);
  return new DataError(
    `${file}: the image is damaged, cut short or of an unknown format (${why}); restore the file from its source`,
  );
};

/** Frames of an animated PNG (its acTL chunk), 1 of other files; decoders show the first and do not tell. */
export function pngFrames(bytes: Buffer): number {
  if (!looksLikePng(bytes)) return 1;
  for (let at = 8; at + 12 <= bytes.length; ) {
    const name = bytes.toString("latin1", at + 4, at + 8);
    if (name === "acTL") return bytes.readUInt32BE(at + 8);
    if (name === "IDAT") return 1;
    at += 12 + bytes.readUInt32BE(at);
  }
  return 1;
}

/** Which page of a file is to be read. */
export interface PageChoice {
  /** Counted from 0; undefined: the only one. */
  readonly page?: number | undefined;
  /** The error where the file has `count` pages and none is chosen: which one is meant, only people know. */
  readonly several: (file: string, count: number) => DataError;
}

/** The page that is to be read. */
function chosenPage(file: string, count: number, { page, several }: PageChoice): number {
  if (page === undefined && count > 1) throw several(file, count);
  const chosen = page ?? 0;
  if (chosen >= count) {
    const there = count === 1 ? "only page 0" : `the pages 0 to ${count - 1}`;
    throw new UsageError(`--page ${chosen}: ${file} has ${there}`);
  }
  return chosen;
}

/** The place of a TIFF's picture, refused by name where it would be read as something else. */
function tiffPage(tiff: TiffFile, file: string, choice: PageChoice): TiffPage {
  const own = tiff.pages[chosenPage(file, tiff.count, choice)];
  if (own === undefined) throw onlyFirst(file, "an ImageJ stack behind one header");
  requireReadableTiff(file, own);
  return own;
}

const onlyFirst = (file: string, what: string) =>
  new DataError(`${file}: ${what}, of which only page 0 can be read; store its pages in files of their own`);

/** Reads the headers of a picture file and refuses by name what would be read as something else. */
export async function openPicture(bytes: Buffer, file: string, choice: PageChoice): Promise<PictureSource> {
  if (bytes.length === 0) throw new DataError(`${file}: the file is empty; restore it from its source`);
  if (looksLikeTiff(bytes)) {
    const tiff = readTiff(bytes, file);
    const own = tiffPage(tiff, file, choice);
    // 64-bit samples are read here: the decoder refuses even the header.
    const metadata = own.bits === 64 ? {} : await metadataOf(bytes, file, own.index);
    requireDecodable(bytes, file, own);
    return { file, bytes, tiff, page: own, index: own.index, metadata };
  }
  const frames = pngFrames(bytes);
  const metadata = await metadataOf(bytes, file, 0);
  const index = chosenPage(file, frames > 1 ? frames : (metadata.pages ?? 1), choice);
  requireDecodable(bytes, file, metadata);
  if (frames > 1 && index > 0) throw onlyFirst(file, "an animated PNG");
  if (metadata.space === "lab" || metadata.space === "labs") {
    throw new DataError(`${file}: its colours are CIELAB, which is not read; convert it to RGB`);
  }
  return { file, bytes, tiff: undefined, page: undefined, index, metadata };
}

async function metadataOf(bytes: Buffer, file: string, page: number): Promise<Metadata> {
  try {
    return await sharp(bytes, { page, limitInputPixels: false }).metadata();
  } catch (error) {
    throw damagedPicture(file, error);
  }
}

/** Samples a pixel that are shown, by what they mean. */
const SHOWN_SAMPLES: Readonly<Record<string, number>> = {
  "white is zero": 1,
  "black is zero": 1,
  palette: 1,
  RGB: 3,
  YCbCr: 3,
  CMYK: 4,
};
const READABLE_BITS: ReadonlySet<number> = new Set([1, 2, 4, 8, 16, 32, 64]);

function requireReadableTiff(file: string, { samples, photometric, hasAlpha, bits, format }: TiffPage): void {
  const shown = SHOWN_SAMPLES[photometric];
  if (shown === undefined) {
    throw new DataError(`${file}: a TIFF of kind "${photometric}" is not read; convert it to grey or RGB`);
  }
  if (samples !== shown + (hasAlpha ? 1 : 0)) {
    throw new DataError(
      `${file}: ${samples} channels where "${photometric}" has ${shown}: which ones are to be seen cannot be known; ` +
        "write them as grey or RGB pictures",
    );
  }
  if (!READABLE_BITS.has(bits) || format === "other" || (photometric === "CMYK" && bits !== 8)) {
    const kind = format === "other" ? "complex or unknown samples" : `samples of ${bits} bits, ${photometric}`;
    throw new DataError(`${file}: ${kind} are not read; convert it to 8, 16 or 32 bits of grey or RGB`);
  }
}

/** The type of the samples; undefined where they are shown as they are, bytes or less. */
export function sampleType({ metadata, page }: PictureSource): ValueType | undefined {
  if (page !== undefined) {
    if (page.bits < 8 || (page.bits === 8 && page.format === "unsigned")) return undefined;
    if (page.photometric === "palette" || page.photometric === "CMYK" || page.photometric === "YCbCr") return undefined;
    const start = { unsigned: "uint", signed: "int", float: "float", other: "uint" }[page.format];
    return `${start}${page.bits}` as ValueType;
  }
  return metadata.depth === "ushort" ? "uint16" : undefined;
}

/** How the file stores its colours. */
export function modeOf({ metadata, page }: PictureSource): string {
  if (metadata.isPalette === true) return "palette";
  const grey = (page?.samples ?? metadata.channels ?? 1) <= 2;
  const colour = metadata.space === "cmyk" ? "cmyk" : grey ? "grey" : "rgb";
  const alpha = page === undefined ? metadata.hasAlpha : page.hasAlpha;
  return alpha ? (grey ? "greyAlpha" : `${colour}a`) : colour;
}
