import { fromArrayBuffer, type GeoTIFFImage } from "geotiff";
import { DataError } from "../../errors.ts";
import type { Rgb } from "../codec/png.ts";
import { labelsIn, type StoredMask, type Values } from "./stored-mask.ts";
import { upright } from "./upright.ts";

/** Values of the tag PhotometricInterpretation. */
const PHOTOMETRIC = { whiteIsZero: 0, blackIsZero: 1, rgb: 2, palette: 3 } as const;
const COLOUR_FORMATS: ReadonlySet<number> = new Set(Object.values(PHOTOMETRIC));
/** Old-style and new-style JPEG inside TIFF, and lossy codecs that have numbers of their own. */
const LOSSY_COMPRESSION: ReadonlySet<number> = new Set([6, 7, 33003, 33005, 34712, 50001]);
/** Tag NewSubfileType: a smaller version of another picture, or a mask of transparency. */
const REDUCED_OR_MASK = 1 | 4;
/** As many pixels as a PNG may have. */
const MOST_PIXELS = 2 ** 29;

const unreadable = (file: string, what: string) =>
  new DataError(`${file}: the TIFF is damaged or of a kind that is not read as a mask (${what}); export it as PNG`);

/** Runs `read` and turns the library's failures on damaged content into a DataError. */
async function guarded<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw unreadable(file, error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error));
  }
}

async function tag(
  image: GeoTIFFImage,
  name: "PhotometricInterpretation" | "Compression" | "NewSubfileType" | "Orientation",
) {
  return image.fileDirectory.hasTag(name) ? Number(await image.fileDirectory.loadValue(name)) : undefined;
}

/** The one picture of the file; thumbnails and smaller versions of it are no pages. */
async function onlyPage(bytes: Buffer, file: string): Promise<GeoTIFFImage> {
  const whole = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  const tiff = await fromArrayBuffer(whole);
  const count = await tiff.getImageCount();
  const pages: GeoTIFFImage[] = [];
  for (let index = 0; index < count; index++) {
    const image = await tiff.getImage(index);
    if (((await tag(image, "NewSubfileType")) ?? 0) & REDUCED_OR_MASK) continue;
    pages.push(image);
  }
  const [page] = pages;
  if (page === undefined) throw unreadable(file, "it holds no picture");
  if (pages.length > 1) {
    throw new DataError(`${file}: the mask has ${pages.length} pages, one belongs to a picture; export each as a file`);
  }
  return page;
}

async function paletteOf(image: GeoTIFFImage, file: string): Promise<Rgb[]> {
  const map = (await image.fileDirectory.loadValue("ColorMap")) as ArrayLike<number> | undefined;
  if (map === undefined) throw unreadable(file, "a palette picture without a palette");
  const count = Math.floor(map.length / 3);
  const channel = (at: number) => (map[at] ?? 0) >> 8;
  return Array.from(
    { length: count },
    (_, index): Rgb => [channel(index), channel(count + index), channel(2 * count + index)],
  );
}

/** The number of white: the largest of the type, of real numbers 255. */
function whiteOf(image: GeoTIFFImage): number {
  const [bits, format] = [image.getBitsPerSample(), image.getSampleFormat()];
  if (format === 3) return 255;
  return 2 ** (format === 2 ? bits - 1 : bits) - 1;
}

/** Size and kind of the picture, checked before its pixels are unpacked. */
async function layoutOf(image: GeoTIFFImage, file: string) {
  const [width, height, channels] = [image.getWidth(), image.getHeight(), image.getSamplesPerPixel()];
  const photometric = (await tag(image, "PhotometricInterpretation")) ?? PHOTOMETRIC.blackIsZero;
  if (!(width * height > 0 && width * height <= MOST_PIXELS)) throw unreadable(file, `${width}x${height} pixels`);
  if (!COLOUR_FORMATS.has(photometric) || channels > 4) {
    throw unreadable(file, `photometric interpretation ${photometric} with ${channels} samples a pixel`);
  }
  const palette = photometric === PHOTOMETRIC.palette ? await paletteOf(image, file) : undefined;
  return { width, height, channels, palette, inverted: photometric === PHOTOMETRIC.whiteIsZero };
}

const MODES = ["grey", "greyAlpha", "rgb", "rgbAlpha"] as const;

/**
 * The labels of a TIFF as stored, of any integer or real type: grey, palette indices, RGB. Throws DataError naming `file`
 * where it is damaged, has several pages, or is of another kind.
 */
export function tiffMask(bytes: Buffer, file: string): Promise<StoredMask> {
  return guarded(file, async () => {
    const image = await onlyPage(bytes, file);
    const { width, height, channels, palette, inverted } = await layoutOf(image, file);
    const [depth, white] = [image.getBitsPerSample(), whiteOf(image)];
    const raster = (await image.readRasters({ interleave: true })) as Values;
    if (raster.length !== width * height * channels) throw unreadable(file, "fewer pixels than announced");
    // White is 0 as on fax paper: every reader of pictures shows, and means, the complement.
    const samples = inverted ? raster.map((value) => white - value) : raster;
    const mask = {
      ...{ file, width, height, depth, white, palette },
      ...labelsIn({ width, height, channels, samples }, white, file),
      mode: palette === undefined ? (MODES[channels - 1] ?? "grey") : "palette",
      exact: !LOSSY_COMPRESSION.has((await tag(image, "Compression")) ?? 1),
    };
    return upright(mask, (await tag(image, "Orientation")) ?? 1);
  });
}
