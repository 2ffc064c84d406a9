import { DataError } from "../../errors.ts";
import { decodeImage, decodeMask, readBytes } from "../decode.ts";
import type { ValueSlice } from "../formats/values.ts";
import { type ByteImage, filled, type Size } from "../image/image.ts";
import type { Layer } from "./plan.ts";

/**
 * A slice of a label volume as a mask. What is no class index is refused, never rounded: throws DataError for values
 * that are no whole numbers from 0 to `largest`.
 */
export function labelMask({ width, height, values }: ValueSlice, largest: number, file: string): ByteImage {
  const data = new Uint8Array(values.length);
  values.forEach((value, at) => {
    if (!Number.isInteger(value)) {
      throw new DataError(
        `${file}: holds the label ${value}, no whole number; it is a soft mask or a scan. Give the map of class numbers`,
      );
    }
    if (value < 0 || value > largest) {
      throw new DataError(
        `${file}: holds the label ${value}, known are 0 to ${largest}; correct the label or the classes`,
      );
    }
    data[at] = value;
  });
  return { width, height, channels: 1, data };
}

/** A black and white picture's white part: at least half of full brightness in its first channel, JPEG's noise left out. */
async function whiteOf(file: string): Promise<{ size: Size; white: (pixel: number) => boolean }> {
  const image = await decodeImage(await readBytes(file), file);
  return { size: image, white: (pixel) => (image.data[pixel * 3] ?? 0) >= 128 };
}

function requireSize(file: string, size: Size, image: Size, imageFile: string): void {
  if (size.width === image.width && size.height === image.height) return;
  throw new DataError(
    `${file}: the mask has ${size.width}x${size.height} pixels, its image ${imageFile} ${image.width}x${image.height}; ` +
      "restore both from their source",
  );
}

/** The mask painted from a picture's layers. Throws DataError where sizes differ or a file is damaged. */
export async function paintLayers(layers: readonly Layer[], image: Size, imageFile: string): Promise<ByteImage> {
  const mask = filled(image, 1, 0);
  for (const { file, value } of layers) {
    if (value === "labels") {
      const labels = decodeMask(await readBytes(file), file);
      requireSize(file, labels, image, imageFile);
      labels.data.forEach((label, pixel) => {
        if (label !== 0) mask.data[pixel] = label;
      });
      continue;
    }
    const { size, white } = await whiteOf(file);
    requireSize(file, size, image, imageFile);
    for (let pixel = 0; pixel < mask.data.length; pixel++) if (white(pixel)) mask.data[pixel] = value;
  }
  return mask;
}
