import { isAlphaOnly, type StoredMask, type Values } from "./stored-mask.ts";

/** What one mask holds, without its pixels: enough to decide, over all masks of a set, what the numbers mean. */
export interface MaskLevels
  extends Pick<StoredMask, "file" | "kind" | "mode" | "depth" | "white" | "whiteIsZero" | "exact"> {
  readonly pixels: number;
  /** [value or colour, pixels], ascending, the first `MOST_LEVELS`. */
  readonly counts: readonly (readonly [value: number, pixels: number])[];
  /** Different values; above `MOST_LEVELS` not all are listed. */
  readonly different: number;
  readonly alphaOnly: boolean;
  /** Share of the values other than 0 whose pixels form one connected piece; 0 where there are too few to tell. */
  readonly inOnePiece: number;
  /** Pixels that are neither nearly black nor nearly white: beside an edge between the two, and elsewhere. */
  readonly between: { readonly edge: number; readonly plateau: number };
  /** Nearly white pixels, and the larger part of them that is as good as white. */
  readonly bright: { readonly all: number; readonly white: number };
}

/** Values of one mask that are listed. */
export const MOST_LEVELS = 4096;

/** Fewer values than this, 0 among them, are no sign that objects are numbered. */
const FEWEST_OBJECTS = 3;

/** Shares of white up to and from which a level counts as nearly black, nearly white, and as good as white. */
const DARK = 0.125;
const LIGHT = 0.875;
const WHITE = 0.92;
/** Pixels around an edge that resampling may make grey, and that the blocks of JPEG may. */
const EDGE_WIDTH = 2;
const EDGE_WIDTH_JPEG = 4;

function countsOf(values: Values): Map<number, number> {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** For each pixel whether `is` holds within `radius` rows and columns of it. */
function near(is: (value: number) => boolean, { values, width, height }: StoredMask, radius: number): Uint8Array {
  const spread = (from: ArrayLike<number>, length: number, step: number, start: number, to: Uint8Array) => {
    let last = Number.NEGATIVE_INFINITY;
    for (let at = 0; at < length + radius; at++) {
      if (at < length && from[start + at * step] === 1) last = at;
      const target = at - radius;
      if (target >= 0 && last >= target - radius) to[start + target * step] = 1;
    }
  };
  const found = Uint8Array.from(values, (value) => Number(is(value)));
  const rows = new Uint8Array(found.length);
  for (let row = 0; row < height; row++) spread(found, width, 1, row * width, rows);
  const out = new Uint8Array(found.length);
  for (let column = 0; column < width; column++) spread(rows, height, width, column, out);
  return out;
}

function betweenOf(mask: StoredMask): MaskLevels["between"] {
  const [dark, light] = [mask.white * DARK, mask.white * LIGHT];
  const isBetween = (value: number) => value > dark && value < light;
  if (mask.kind === "colour" || !mask.values.some(isBetween)) return { edge: 0, plateau: 0 };
  const radius = mask.exact ? EDGE_WIDTH : EDGE_WIDTH_JPEG;
  const nearDark = near((value) => value <= dark, mask, radius);
  const nearLight = near((value) => value >= light, mask, radius);
  let [edge, plateau] = [0, 0];
  mask.values.forEach((value, pixel) => {
    if (!isBetween(value)) return;
    if (nearDark[pixel] === 1 && nearLight[pixel] === 1) edge++;
    else plateau++;
  });
  return { edge, plateau };
}

/** Pieces of equal value, joined along edges and corners, by value. */
function piecesByValue({ values, width }: StoredMask): Map<number, number> {
  const parents = new Int32Array(values.length);
  const rootOf = (pixel: number) => {
    let at = pixel;
    while (parents[at] !== at) {
      const parent = parents[at] ?? at;
      parents[at] = parents[parent] ?? parent;
      at = parents[at] ?? at;
    }
    return at;
  };
  values.forEach((value, pixel) => {
    parents[pixel] = pixel;
    const column = pixel % width;
    for (const [offset, inside] of [
      [1, column > 0],
      [width + 1, column > 0],
      [width, true],
      [width - 1, column < width - 1],
    ] as const) {
      const other = pixel - offset;
      if (inside && other >= 0 && values[other] === value) parents[rootOf(pixel)] = rootOf(other);
    }
  });
  const pieces = new Map<number, number>();
  values.forEach((value, pixel) => {
    if (parents[pixel] === pixel) pieces.set(value, (pieces.get(value) ?? 0) + 1);
  });
  return pieces;
}

function shareInOnePiece(mask: StoredMask, different: number): number {
  if (mask.kind === "colour" || different < FEWEST_OBJECTS) return 0;
  const pieces = [...piecesByValue(mask)].filter(([value]) => value !== 0);
  return pieces.filter(([, count]) => count === 1).length / pieces.length;
}

/** Measures one mask. */
export function levelsOf(mask: StoredMask): MaskLevels {
  const { file, kind, mode, depth, white, whiteIsZero, exact, values } = mask;
  const counts = countsOf(values);
  const bright = (share: number) => {
    let pixels = 0;
    for (const [value, count] of counts) if (value >= white * share) pixels += count;
    return kind === "colour" ? 0 : pixels;
  };
  return {
    ...{ file, kind, mode, depth, white, whiteIsZero, exact, pixels: values.length, different: counts.size },
    counts: [...counts].sort(([a], [b]) => a - b).slice(0, MOST_LEVELS),
    alphaOnly: isAlphaOnly(mask),
    inOnePiece: shareInOnePiece(mask, counts.size),
    between: betweenOf(mask),
    bright: { all: bright(LIGHT), white: bright(WHITE) },
  };
}
