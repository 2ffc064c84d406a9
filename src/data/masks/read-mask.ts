import sharp from "sharp";
import { DataError } from "../../errors.ts";
import { decodePng } from "../codec/png.ts";
import { looksLikePng } from "../codec/png-read.ts";
import { pngFrames } from "../formats/picture-source.ts";
import { bmpMask, looksLikeBmp } from "./bmp-mask.ts";
import { pictureMask, severalMasks } from "./picture-mask.ts";
import { labelsIn, type StoredMask } from "./stored-mask.ts";
import { upright } from "./upright.ts";

/** Endings of label pictures whose stored numbers can be read exactly, with or without a palette. */
export const EXACT_MASK_ENDINGS: readonly string[] = [".png", ".tif", ".tiff"];

/** Endings of every picture that `data prepare folder` reads labels from. */
export const MASK_ENDINGS: readonly string[] = [...EXACT_MASK_ENDINGS, ".bmp", ".jpg", ".jpeg", ".webp", ".gif"];

/** What people write behind an image's name to call its mask. */
export const MASK_SUFFIX = /[-_ ](masks?|labels?|seg|segmentation|gt|groundtruth)$/i;

function pngMask(bytes: Buffer, file: string): StoredMask {
  const { width, height, kind: mode, depth, channels, samples, palette } = decodePng(bytes, file);
  const frames = pngFrames(bytes);
  if (frames > 1) throw severalMasks(file, frames);
  const white = 2 ** depth - 1;
  const labels = labelsIn({ width, height, channels, samples }, white, file);
  return { file, width, height, ...labels, mode, depth, white, whiteIsZero: false, exact: true, palette };
}

/** EXIF's orientation of a PNG, which few have; 1 is upright. */
async function orientationOf(bytes: Buffer): Promise<number> {
  return bytes.includes("eXIf") ? ((await sharp(bytes).metadata()).orientation ?? 1) : 1;
}

/**
 * A label picture as its file stores it: PNG and TIFF of any kind and depth, BMP, and what JPEG, WebP and GIF show. The
 * container is told by the content, not by the name. Throws DataError naming `file` where it is damaged.
 */
export async function readStored(bytes: Buffer, file: string): Promise<StoredMask> {
  if (bytes.length === 0) throw new DataError(`${file}: the file is empty; restore it from its source`);
  if (bytes.length < 8)
    throw new DataError(`${file}: the file has only ${bytes.length} bytes; restore it from its source`);
  if (looksLikePng(bytes)) return upright(pngMask(bytes, file), await orientationOf(bytes));
  if (looksLikeBmp(bytes)) return bmpMask(bytes, file);
  return pictureMask(bytes, file);
}
