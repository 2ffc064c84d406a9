import { DataError } from "../../errors.ts";
import { readBytes } from "../decode.ts";
import type { ValueSlice } from "../formats/values.ts";
import { type ByteImage, filled, type Size } from "../image/image.ts";
import { readStored } from "../masks/read-mask.ts";
import { type MaskReading, readClasses, readLevels } from "../masks/reading.ts";
import { placeIn } from "../masks/stored-mask.ts";
import type { Layer } from "./plan.ts";

const CLASS_NUMBERS: MaskReading = { kind: "classes" };

/** How the numbers of a label array are read: as class numbers from 0 to `largest`, unless someone said otherwise. */
export interface ArrayReading {
  readonly largest: number;
  readonly reading?: MaskReading | undefined;
}

/**
 * A slice of a label array as a mask; numbers within 1e-4 of whole ones are whole. What is no class is refused, never
 * rounded: throws DataError naming `file`, value and place. `slice` stands in the place, of a volume.
 */
export function labelMask(
  { width, height, values, nonFinite }: ValueSlice,
  { largest, reading = CLASS_NUMBERS }: ArrayReading,
  file: string,
  slice?: number,
): ByteImage {
  if (nonFinite > 0) {
    const where = slice === undefined ? "" : ` in slice ${slice}`;
    throw new DataError(`${file}: ${nonFinite} labels${where} are NaN or infinite; write class numbers`);
  }
  const before = slice === undefined ? "" : `slice ${slice}, `;
  const placeOf = (at: number) => before + placeIn(width, at);
  const data = readLevels(values, reading, { file, largest, ignore: false, placeOf });
  return { width, height, channels: 1, data };
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
  for (const { file, value, reading } of layers) {
    const stored = await readStored(await readBytes(file), file);
    requireSize(file, stored, image, imageFile);
    const labels = readClasses(stored, value === "labels" ? (reading ?? CLASS_NUMBERS) : { kind: "white" }, 254);
    labels.data.forEach((label, pixel) => {
      if (label !== 0) mask.data[pixel] = value === "labels" ? label : value;
    });
  }
  return mask;
}
