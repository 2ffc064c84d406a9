import sharp from "sharp";
import { DataError } from "../../errors.ts";
import { decodePng } from "../codec/png.ts";
import { bmpMask, looksLikeBmp } from "./bmp-mask.ts";
import { labelsIn, type StoredMask } from "./stored-mask.ts";
import { tiffMask } from "./tiff-mask.ts";
import { upright } from "./upright.ts";

/** Endings of label pictures whose stored numbers can be read exactly, with or without a palette. */
export const EXACT_MASK_ENDINGS: readonly string[] = [".png", ".tif", ".tiff"];

/** Endings of every picture that `data prepare folder` reads labels from. */
export const MASK_ENDINGS: readonly string[] = [...EXACT_MASK_ENDINGS, ".bmp", ".jpg", ".jpeg", ".webp", ".gif"];

/** What people write behind an image's name to call its mask. */
export const MASK_SUFFIX = /[-_ ](masks?|labels?|seg|segmentation|gt|groundtruth)$/i;

const isPng = (bytes: Buffer) => bytes.readUInt32BE(0) === 0x89504e47;
const isTiff = (bytes: Buffer) => ["II*\0", "MM\0*", "II+\0", "MM\0+"].includes(bytes.toString("latin1", 0, 4));

function pngMask(bytes: Buffer, file: string): StoredMask {
  const { width, height, kind: mode, depth, channels, samples, palette } = decodePng(bytes, file);
  const white = 2 ** depth - 1;
  const labels = labelsIn({ width, height, channels, samples }, white, file);
  return { file, width, height, ...labels, mode, depth, white, exact: true, palette };
}

/** EXIF's orientation of a PNG, which few have; 1 is upright. */
async function orientationOf(bytes: Buffer): Promise<number> {
  return bytes.includes("eXIf") ? ((await sharp(bytes).metadata()).orientation ?? 1) : 1;
}

/** Largest difference of the channels of a pixel that is grey but for the noise of its coding. */
const CHROMA_NOISE = 64;
/** Share of pixels that may differ more. */
const CHROMA_OUTLIERS = 0.001;

/** JPEG, WebP and GIF: what their decoders show, since the numbers that were written are not kept, or not to be had. */
async function drawnMask(bytes: Buffer, file: string): Promise<StoredMask> {
  try {
    const picture = sharp(bytes, { failOn: "error", ignoreIcc: true });
    const { format = "", pages = 1 } = await picture.metadata();
    if (pages > 1) throw new DataError(`${file}: the mask has ${pages} pages, one belongs to a picture`);
    const { data, info } = await picture
      .autoOrient()
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    const all = new Uint8Array(data.buffer, data.byteOffset, data.length);
    const greyed = format === "jpeg" ? withoutChromaNoise(all, channels) : { samples: all, channels };
    const labels = labelsIn({ width, height, ...greyed }, 255, file);
    return { file, width, height, ...labels, mode: format, depth: 8, white: 255, exact: false, palette: undefined };
  } catch (error) {
    if (error instanceof DataError) throw error;
    const why = error instanceof Error ? error.message.split("\n").join("; ") : String(error);
    throw new DataError(`${file}: the mask is damaged, cut short or of an unknown format (${why}); export it as PNG`);
  }
}

/** Grey stored as colour: its first channel, where no more than the noise of the coding sets the channels apart. */
function withoutChromaNoise(samples: Uint8Array, channels: number) {
  if (channels < 3) return { samples, channels };
  let coloured = 0;
  const first = new Uint8Array(samples.length / channels);
  for (let pixel = 0; pixel < first.length; pixel++) {
    const [red = 0, green = 0, blue = 0] = samples.subarray(pixel * channels, pixel * channels + 3);
    if (Math.max(red, green, blue) - Math.min(red, green, blue) > CHROMA_NOISE) coloured++;
    first[pixel] = red;
  }
  return coloured > CHROMA_OUTLIERS * first.length ? { samples, channels } : { samples: first, channels: 1 };
}

/**
 * A label picture as its file stores it: PNG and TIFF of any kind and depth, BMP, and what JPEG, WebP and GIF show. The
 * container is told by the content, not by the name. Throws DataError naming `file` where it is damaged.
 */
export async function readStored(bytes: Buffer, file: string): Promise<StoredMask> {
  if (bytes.length === 0) throw new DataError(`${file}: the file is empty; restore it from its source`);
  if (bytes.length < 8)
    throw new DataError(`${file}: the file has only ${bytes.length} bytes; restore it from its source`);
  if (isPng(bytes)) return upright(pngMask(bytes, file), await orientationOf(bytes));
  if (isTiff(bytes)) return tiffMask(bytes, file);
  if (looksLikeBmp(bytes)) return bmpMask(bytes, file);
  return drawnMask(bytes, file);
}
