import type { StoredMask, Values } from "./stored-mask.ts";

/** For EXIF's orientations: where the pixel shown at column x, row y stands in a stored picture of w columns and h rows. */
const PLACES: Readonly<Record<number, (x: number, y: number, w: number, h: number) => readonly [number, number]>> = {
  2: (x, y, w) => [w - 1 - x, y],
  3: (x, y, w, h) => [w - 1 - x, h - 1 - y],
  4: (x, y, _w, h) => [x, h - 1 - y],
  5: (x, y) => [y, x],
  6: (x, y, _w, h) => [y, h - 1 - x],
  7: (x, y, w, h) => [w - 1 - y, h - 1 - x],
  8: (x, y, w) => [w - 1 - y, x],
};

/** The mask turned as its orientation tag says, as pictures are; tags other than EXIF's 2 to 8 mean nothing. */
export function upright(mask: StoredMask, orientation: number): StoredMask {
  const place = PLACES[orientation];
  if (place === undefined) return mask;
  const { width, height } = mask;
  const size = orientation > 4 ? { width: height, height: width } : { width, height };
  const turned = (values: Values): Values => {
    const out = values.slice();
    for (let at = 0; at < out.length; at++) {
      const [column, row] = place(at % size.width, Math.floor(at / size.width), width, height);
      out[at] = values[row * width + column] ?? 0;
    }
    return out;
  };
  return { ...mask, ...size, values: turned(mask.values), alpha: mask.alpha && turned(mask.alpha) };
}
