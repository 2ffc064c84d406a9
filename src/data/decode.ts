import { readFile } from "node:fs/promises";
import { DataError } from "../errors.ts";
import { replaceFile } from "../files/atomic.ts";
import { requireRegularFile } from "../files/regular.ts";
import { encodePng } from "./codec/png.ts";
import type { Rgb } from "./codec/png-read.ts";
import { readStoredPicture, type StoredPicture } from "./formats/picture.ts";
import { type ChosenView, chooseView, shownValues, type WindowWishes } from "./formats/window.ts";
import { type ByteImage, drawn, type Picture } from "./image/image.ts";
import { readStored } from "./masks/read-mask.ts";
import { readClasses } from "./masks/reading.ts";

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

/**
 * A label picture's classes, one byte a pixel, 255 = ignore: the palette index, the grey value as stored whatever its
 * depth, or the common value of equal RGB channels. Throws DataError naming `file` where it is damaged or holds anything
 * else: colours, numbers beyond 254, what JPEG has left of them.
 */
export async function decodeMask(bytes: Buffer, file: string): Promise<ByteImage> {
  return readClasses(await readStored(bytes, file), { kind: "classes" }, 254);
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
