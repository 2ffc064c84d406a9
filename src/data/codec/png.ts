import { crc32, inflateSync } from "node:zlib";
import { PNG } from "pngjs";
import type { ByteImage } from "../image/image.ts";
import { encodeLabels } from "./png-labels.ts";
import { type PngSamples, type PngUnpacking, type Rgb, readPng } from "./png-read.ts";

const ZLIB: PngUnpacking = {
  crc32: (bytes) => crc32(bytes),
  inflate: (packed, length) => inflateSync(packed, { maxOutputLength: length }),
};

/** {@link readPng} by Node's zlib. */
export const decodePng = (bytes: Uint8Array, file: string): PngSamples => readPng(bytes, file, ZLIB);

/**
 * The image as an 8-bit PNG: RGB for three channels, grey for one. With `palette` a one-channel image is stored as indices
 * into it (`encodeLabels`). No time or text is stored.
 */
export function encodePng(image: ByteImage, palette?: readonly Rgb[]): Buffer {
  if (palette === undefined || image.channels !== 1) return encodePlain(image);
  return Buffer.from(encodeLabels(image, palette));
}

function encodePlain({ width, height, channels, data }: ByteImage): Buffer {
  const colorType = channels === 3 ? 2 : 0;
  const png = new PNG({ width, height });
  png.data = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return PNG.sync.write(png, { colorType, inputColorType: colorType, inputHasAlpha: false, bitDepth: 8 });
}
