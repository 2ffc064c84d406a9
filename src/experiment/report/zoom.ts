import { encodeWebp } from "../../data/codec/webp.ts";
import { type ByteImage, crop } from "../../data/image/image.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import type { ZoomedPicture } from "./data.ts";
import { dataUrl } from "./thumbnails.ts";

/** A square of an image in its pixels. */
export interface Square {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Part of the shorter side that is enlarged. */
const PART = 1 / 3;
/** Pixels of a picture's longer side on the page. */
const SIDE = 320;
const QUALITY = 80;

/**
 * The square, a third of the shorter side, with the most pixels that some masks label otherwise than the truth, each mask counted;
 * without any that with the most foreground. Of equal ones the first from the top, then from the left.
 */
export function worstSquare(truth: ByteImage, masks: readonly ByteImage[]): Square {
  const { width, height } = truth;
  const wrong = Float64Array.from(truth.data, (label, at) =>
    label === IGNORE_LABEL ? 0 : masks.reduce((count, { data }) => count + (data[at] === label ? 0 : 1), 0),
  );
  const isRight = wrong.every((count) => count === 0);
  const weights = isRight
    ? Float64Array.from(truth.data, (label) => Number(label > 0 && label !== IGNORE_LABEL))
    : wrong;
  const side = Math.max(1, Math.round(Math.min(width, height) * PART));
  const sums = summed(weights, width, height);
  const sumAt = (left: number, top: number) => {
    const at = (x: number, y: number) => sums[y * (width + 1) + x] ?? 0;
    return at(left + side, top + side) - at(left, top + side) - at(left + side, top) + at(left, top);
  };
  let best = { left: 0, top: 0, sum: -1 };
  for (let top = 0; top + side <= height; top++) {
    for (let left = 0; left + side <= width; left++) {
      const sum = sumAt(left, top);
      if (sum > best.sum) best = { left, top, sum };
    }
  }
  return { left: best.left, top: best.top, width: side, height: side };
}

/** Sums of all values above and to the left, with a row and a column of zeros first. */
function summed(values: Float64Array, width: number, height: number): Float64Array {
  const sums = new Float64Array((width + 1) * (height + 1));
  for (let y = 0; y < height; y++) {
    let row = 0;
    for (let x = 0; x < width; x++) {
      row += values[y * width + x] ?? 0;
      sums[(y + 1) * (width + 1) + x + 1] = (sums[y * (width + 1) + x + 1] ?? 0) + row;
    }
  }
  return sums;
}

/** A picture and the part of it that is enlarged, for a page. */
export async function zoomedPicture(picture: ByteImage, square: Square): Promise<ZoomedPicture> {
  const page = async (image: ByteImage) =>
    dataUrl("webp", await encodeWebp(image, { within: { width: SIDE, height: SIDE }, quality: QUALITY }));
  return { whole: await page(picture), zoomed: await page(crop(picture, square)) };
}
