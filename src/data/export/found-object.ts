/** One object of a mask, as other programs are told of it. */
export interface FoundObject {
  /** Its class's index, at least 1. */
  readonly class: number;
  /** Places of its pixels in the mask, `row * width + column`, each once, in any order. */
  readonly pixels: ArrayLike<number>;
  /** How sure it is, 0 to 1, where that was asked for. */
  readonly score?: number | undefined;
  /** What was measured of it, by names with units. */
  readonly measurements?: Readonly<Record<string, number>> | undefined;
}

/** A class as other programs show it. */
export interface ShownClass {
  readonly name: string;
  /** Red, green, blue, 0 to 255. */
  readonly colour: readonly [red: number, green: number, blue: number];
}

/** Columns and rows that an object covers; `right` and `bottom` are the first ones beyond it. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The smallest box round an object in a mask of `width` columns. */
export function boxOf({ pixels }: FoundObject, width: number): Box {
  let [left, top, right, bottom] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0, 0];
  for (let i = 0; i < pixels.length; i++) {
    const at = pixels[i] ?? 0;
    const row = Math.floor(at / width);
    const column = at - row * width;
    left = Math.min(left, column);
    right = Math.max(right, column + 1);
    top = Math.min(top, row);
    bottom = Math.max(bottom, row + 1);
  }
  return { left, top, right, bottom };
}
