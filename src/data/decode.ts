import { readFile, writeFile } from "node:fs/promises";
import sharp from "sharp";
import { DataError } from "../errors.ts";
import { decodePng, encodePng, type PngKind, type PngSamples, type Rgb } from "./codec/png.ts";
import type { ByteImage } from "./image/image.ts";

// One thread a file: parallelism comes from the workers, and a fixed order of threads would only add overhead.
sharp.concurrency(1);
sharp.cache(false);

/** File name extensions read as images. */
export const IMAGE_EXTENSIONS: ReadonlySet<string> = new Set([".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"]);

/** The file's bytes; a missing or unreadable one is a DataError. */
export async function readBytes(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const why = code === "ENOENT" ? "there is no such file" : `it cannot be read (${code})`;
    throw new DataError(`${file}: ${why}`);
  }
}

/**
 * An image file's content as RGB bytes: grey repeated in three channels, 16-bit values scaled to 8, alpha dropped (not
 * blended), no colour profile applied and no orientation flag followed, as Pillow's `convert("RGB")`. Throws DataError
 * naming `file` where it is damaged.
 */
export async function decodeImage(bytes: Buffer, file: string): Promise<ByteImage> {
  if (bytes.length === 0) throw new DataError(`${file}: the file is empty; restore it from its source`);
  try {
    const { data, info } = await sharp(bytes, { failOn: "error", ignoreIcc: true })
      .removeAlpha()
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    const bytesOut = new Uint8Array(data.buffer, data.byteOffset, data.length);
    if (channels === 3) return { width, height, channels, data: bytesOut };
    const rgb = new Uint8Array(width * height * 3).map((_, at) => bytesOut[Math.floor(at / 3) * channels] ?? 0);
    return { width, height, channels: 3, data: rgb };
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n").join("; ") : String(error);
    throw new DataError(
      `${file}: the image is damaged, cut short or of an unknown format (${why}); restore the file from its source`,
    );
  }
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

/** `decodeImage` of a file on disk. */
export async function readImage(file: string): Promise<ByteImage> {
  return decodeImage(await readBytes(file), file);
}

/** `decodeMask` of a file on disk. */
export async function readMask(file: string): Promise<ByteImage> {
  return decodeMask(await readBytes(file), file);
}

/** Writes grey, RGB or (one channel and `palette`) palette PNG. */
export async function writePng(file: string, image: ByteImage, palette?: readonly Rgb[]): Promise<void> {
  await writeFile(file, encodePng(image, palette));
}
