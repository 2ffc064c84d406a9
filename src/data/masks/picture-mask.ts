import { DataError } from "../../errors.ts";
import type { TiffPage } from "../codec/tiff.ts";
import { shownSamples, storedSamples } from "../formats/picture-samples.ts";
import { openPicture, type PictureSource } from "../formats/picture-source.ts";
import { labelsIn, type StoredMask, type Values } from "./stored-mask.ts";

/** The error of a mask in a file of several pages, which none can be chosen of. */
export const severalMasks = (file: string, count: number): DataError =>
  new DataError(`${file}: the mask has ${count} pages, one belongs to a picture; export each as a file`);

/** Whether a page keeps the numbers that were written, and these are levels, indices or RGB. */
const isExact = ({ lossy, photometric }: TiffPage) => !lossy && photometric !== "YCbCr" && photometric !== "CMYK";

/** The number of white: the largest of the type, of real numbers 255. */
function whiteOf({ bits, format }: TiffPage): number {
  if (format === "float") return 255;
  return 2 ** (format === "signed" ? bits - 1 : bits) - 1;
}

async function tiffMask(source: PictureSource, page: TiffPage): Promise<StoredMask> {
  const { file, tiff } = source;
  if (tiff === undefined) throw new RangeError(`${file}: a page without a TIFF`);
  const { width, height, channels, samples } = await storedSamples({ ...source, tiff, page });
  const white = whiteOf(page);
  const isPalette = page.photometric === "palette";
  return {
    ...{ file, width, height, white, depth: page.bits, exact: true },
    ...labelsIn({ width, height, channels, samples }, white, file),
    whiteIsZero: page.photometric === "white is zero",
    mode: isPalette ? "palette" : (MODES[channels - 1] ?? "grey"),
    palette: isPalette ? page.palette : undefined,
  };
}

const MODES = ["grey", "greyAlpha", "rgb", "rgbAlpha"] as const;

/** Largest difference of the channels of a pixel that is grey but for the noise of its coding. */
const CHROMA_NOISE = 64;
/** Share of pixels that may differ more. */
const CHROMA_OUTLIERS = 0.001;

/** Grey stored as colour: its first channel, where no more than the noise of the coding sets the channels apart. */
function withoutChromaNoise(samples: Values, channels: number) {
  if (channels < 3) return { samples, channels };
  let coloured = 0;
  const first = samples.slice(0, samples.length / channels);
  for (let pixel = 0; pixel < first.length; pixel++) {
    const [red = 0, green = 0, blue = 0] = samples.subarray(pixel * channels, pixel * channels + 3);
    if (Math.max(red, green, blue) - Math.min(red, green, blue) > CHROMA_NOISE) coloured++;
    first[pixel] = red;
  }
  return coloured > CHROMA_OUTLIERS * first.length ? { samples, channels } : { samples: first, channels: 1 };
}

/** What is shown of a file that does not keep the numbers that were written, or gives no way to them. */
async function drawnMask(source: PictureSource): Promise<StoredMask> {
  const { file, metadata, page } = source;
  const { width, height, channels, samples } = await shownSamples(source);
  const isJpeg = metadata.format === "jpeg" || page?.lossy === true;
  const plain = isJpeg ? withoutChromaNoise(samples, channels) : { samples, channels };
  const white = page === undefined || samples instanceof Uint8Array ? 255 : whiteOf(page);
  const tiffMode = page?.lossy === true ? "lossy tiff" : `${page?.photometric} tiff`;
  return {
    ...{ file, width, height, white, depth: page?.bits ?? 8, whiteIsZero: false },
    ...{ exact: false, palette: undefined },
    ...labelsIn({ width, height, ...plain }, white, file),
    mode: page === undefined ? (metadata.format ?? "unknown format") : tiffMode,
  };
}

/**
 * The labels of a TIFF as stored, of any type of samples: grey, palette indices, RGB; of JPEG, WebP, GIF and a TIFF packed
 * like them what they show. Turned upright. Throws DataError naming `file` where it is damaged, has several pages, or is of
 * a kind that is not read.
 */
export async function pictureMask(bytes: Buffer, file: string): Promise<StoredMask> {
  const source = await openPicture(bytes, file, { several: severalMasks });
  const { page } = source;
  return page !== undefined && isExact(page) ? tiffMask(source, page) : drawnMask(source);
}
