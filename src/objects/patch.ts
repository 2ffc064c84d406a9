/** The pixels of one object, cut out with an empty margin of one pixel all round, row by row. */
export interface Patch {
  /** 1 at the object's pixels. */
  readonly inside: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Where the patch's first pixel lies in the image, -1 for the margin outside it. */
  readonly left: number;
  readonly top: number;
}

/** Cuts an object out of an image of `imageWidth` columns; `pixels` are its places there, at least one. */
export function patchOf(pixels: ArrayLike<number>, imageWidth: number): Patch {
  let [top, left, bottom, right] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0, 0];
  for (let i = 0; i < pixels.length; i++) {
    const at = pixels[i] ?? 0;
    const row = Math.floor(at / imageWidth);
    const column = at - row * imageWidth;
    top = Math.min(top, row);
    bottom = Math.max(bottom, row);
    left = Math.min(left, column);
    right = Math.max(right, column);
  }
  const patch = { width: right - left + 3, height: bottom - top + 3, left: left - 1, top: top - 1 };
  const inside = new Uint8Array(patch.width * patch.height);
  for (let i = 0; i < pixels.length; i++) inside[placeIn(patch, pixels[i] ?? 0, imageWidth)] = 1;
  return { ...patch, inside };
}

type Corner = Pick<Patch, "left" | "top" | "width">;

/** The place in a patch of a pixel of an image of `imageWidth` columns. */
export function placeIn({ left, top, width }: Corner, at: number, imageWidth: number): number {
  const row = Math.floor(at / imageWidth);
  return (row - top) * width + (at - row * imageWidth - left);
}

const steps = new Map<number, readonly number[]>();

/** Steps to the eight neighbours of a pixel that is not in the margin: those by a side first, each in reading order. */
export function neighbourSteps(width: number): readonly number[] {
  const known = steps.get(width);
  if (known) return known;
  const made = [-width, -1, 1, width, -width - 1, -width + 1, width - 1, width + 1];
  steps.set(width, made);
  return made;
}
