import { DataError } from "../../errors.ts";
import type { FoundObject } from "./found-object.ts";

/** Objects that 16 bits can number. */
const MOST_OBJECTS = 65_535;

/**
 * Each object's number at its pixels, from 1 on in their order; 0 elsewhere. `[height, width]`. Throws DataError, naming `file`,
 * for more objects than 16 bits can number.
 */
export function labelImage(
  objects: readonly FoundObject[],
  { width, height }: { readonly width: number; readonly height: number },
  file: string,
): Uint16Array {
  if (objects.length > MOST_OBJECTS) {
    throw new DataError(
      `${file}: ${objects.length} objects were found, and a label image of 16 bits numbers ${MOST_OBJECTS}; ` +
        "use --format coco or geojson, cut the image into parts, or remove specks by --postprocess",
    );
  }
  const labels = new Uint16Array(width * height);
  objects.forEach(({ pixels }, index) => {
    for (let i = 0; i < pixels.length; i++) labels[pixels[i] ?? 0] = index + 1;
  });
  return labels;
}
