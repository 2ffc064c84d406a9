import { readFile } from "node:fs/promises";
import { DataError } from "../errors.ts";
import { replaceFile } from "../files/atomic.ts";
import { requireRegularFile } from "../files/regular.ts";
import { decodePng, encodePng, type PngKind, type PngSamples, type Rgb } from "./codec/png.ts";
import { readStoredPicture, type StoredPicture } from "./formats/picture.ts";
import { type ChosenView, chooseView, shownValues, type WindowWishes } from "./formats/window.ts";
import { type ByteImage, drawn, type Picture } from "./image/image.ts";

/** File name extensions read as images. */
export const IMAGE_EXTENSIONS: ReadonlySet<string> = new Set([".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"]);

/** The file's bytes; a missing or unreadable one is a DataError. */
export async function readBytes(file: string): Promise<Buffer> {
  requireRegularFile(file);
  try {
    return await readFile(file);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const why = code === "ENOENT" ? "there is no such file" : `it cannot be read (${code})`;
    throw new DataError(`${file}: ${why}`);
  }
}

/** How a picture file is to be read. */
export interface PictureOptions extends Pick<WindowWishes, "asked" | "trained" | "dataset"> {
  /** Page of a file with several, from 0. */
  readonly page?: number | undefined;
}

/** A picture with three channels, as networks and people look at it. */
export interface DecodedPicture {
  readonly picture: Picture;
  /** What its values are shown through; undefined for bytes, which are shown as they are. */
  readonly view: ChosenView | undefined;
  readonly stored: StoredPicture;
}

/** Samples of one channel three times. */
function tripled<Samples extends Uint8Array | Float32Array>(samples: Samples): Samples {
  const out = (
    samples instanceof Float32Array ? new Float32Array(samples.length * 3) : new Uint8Array(samples.length * 3)
  ) as Samples;
  for (let at = 0, to = 0; at < samples.length; at++, to += 3) out.fill(samples[at] ?? 0, to, to + 3);
  return out;
}

/**
 * An image file's content in three channels, 0 to 255: bytes as they are stored, deeper samples through a window and not
 * rounded (`chooseView`), grey repeated, alpha dropped (not blended), no colour profile applied, turned upright, as Pillow's
 * `convert("RGB")` after `exif_transpose`. Throws as `readStoredPicture`.
 */
export async function decodePicture(
  bytes: Buffer,
  file: string,
  options: PictureOptions = {},
): Promise<DecodedPicture> {
  const stored = await readStoredPicture(bytes, file, options.page);
  const { samples, width, height, channels, inverted } = stored;
  const threefold = <S extends Uint8Array | Float32Array>(data: S) => (channels === 1 ? tripled(data) : data);
  const size = { width, height, channels: 3 } as const;
  if (samples instanceof Uint8Array) return { picture: { ...size, data: threefold(samples) }, view: undefined, stored };
  const { asked, trained, dataset } = options;
  const slice = { values: samples, width: width * channels };
  const view = chooseView(() => [slice], { asked, trained, dataset, inverted });
  return { picture: { ...size, data: threefold(shownValues(samples, view)) }, view, stored };
}

/** The picture as bytes, to be drawn: `decodePicture` rounded. */
export async function decodeImage(bytes: Buffer, file: string): Promise<ByteImage> {
  return drawn((await decodePicture(bytes, file)).picture);
}

/** Index of the first sample whose pixel has unequal colour channels, -1 where there is none. */
function firstColour({ kind, channels, samples }: PngSamples): number {
  if (kind !== "rgb" && kind !== "rgbAlpha") return -1;
  for (let at = 0; at < samples.length; at += channels) {
    if (samples[at] !== samples[at + 1] || samples[at] !== samples[at + 2]) return at;
  }
  return -1;
}

/** A mask and how its file stores it. */
interface StoredMask {
  readonly mask: ByteImage;
  readonly kind: PngKind;
  /** Bits a sample. */
  readonly depth: number;
}

/**
 * A mask PNG's class indices, one byte a pixel, 255 = ignore: the palette index, the grey value as stored whatever its
 * depth, or the common value of equal RGB channels. Alpha is dropped. Throws DataError naming `file` where it is
 * damaged.
 */
export function decodeMask(bytes: Buffer, file: string): ByteImage {
  return decodeMaskSamples(bytes, file).mask;
}

/** `decodeMask` with what the file says of its storage. */
export function decodeMaskSamples(bytes: Buffer, file: string): StoredMask {
  const png = decodePng(bytes, file);
  const { width, height, channels, samples, kind, depth } = png;
  const coloured = firstColour(png);
  if (coloured >= 0) {
    const colour = [...samples.subarray(coloured, coloured + 3)].join(", ");
    const [row, column] = [Math.floor(coloured / channels / width), (coloured / channels) % width];
    throw new DataError(
      `${file}: the mask holds colours (first: ${colour} at row ${row}, column ${column}), not class indices; ` +
        "write it as grey or palette PNG whose pixel value is the class index (0 background, 255 ignore)",
    );
  }
  const data = new Uint8Array(width * height);
  for (let pixel = 0; pixel < data.length; pixel++) {
    const value = samples[pixel * channels] ?? 0;
    if (value > 255) {
      throw new DataError(
        `${file}: the mask holds the 16-bit value ${value} at row ${Math.floor(pixel / width)}, column ${pixel % width}; ` +
          "a class index lies in 0..254 (255 = ignore), write the mask with 8 bits",
      );
    }
    data[pixel] = value;
  }
  return { mask: { width, height, channels: 1, data }, kind, depth };
}

/** `decodePicture` of a file on disk. */
export async function readPicture(file: string, options: PictureOptions = {}): Promise<DecodedPicture> {
  return decodePicture(await readBytes(file), file, options);
}

/** `decodeImage` of a file on disk. */
export async function readImage(file: string): Promise<ByteImage> {
  return decodeImage(await readBytes(file), file);
}

/** `decodeMask` of a file on disk. */
export async function readMask(file: string): Promise<ByteImage> {
  return decodeMask(await readBytes(file), file);
}

/** Writes grey, RGB or (one channel and `palette`) palette PNG, whole or not at all. */
export async function writePng(file: string, image: ByteImage, palette?: readonly Rgb[]): Promise<void> {
  await replaceFile(file, encodePng(image, palette));
}
