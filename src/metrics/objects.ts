import { IGNORE_LABEL } from "../labels.ts";
import { flood, type Picture } from "./components.ts";
import type { Labels } from "./totals.ts";

/**
 * How an object's area is measured: `release` is the authors' rule (closing, then the polygon through the outer border's
 * pixel centres with holes filled), `pixels` the number of pixels.
 */
export const AREA_RULES = ["release", "pixels"] as const;
export type AreaRule = (typeof AREA_RULES)[number];

interface Box {
  top: number;
  left: number;
  bottom: number;
  right: number;
}

/** The closing reaches this far. */
const WINDOW = 2;

/**
 * Combines each cell with the two before it along one axis; cells outside the picture take no part. `any` is a dilation,
 * otherwise an erosion.
 */
function sweep({ cells, height, width }: Picture, stride: number, any: boolean): Picture {
  const out = new Uint8Array(cells.length);
  for (let i = 0; i < cells.length; i++) {
    const position = stride === 1 ? i % width : Math.floor(i / width);
    let value = cells[i] ?? 0;
    for (let back = 1; back <= Math.min(WINDOW, position); back++) {
      const other = cells[i - back * stride] ?? 0;
      value = any ? value | other : value & other;
    }
    out[i] = value;
  }
  return { cells: out, height, width };
}

/**
 * Closing with a 3x3 window anchored at its last cell (a 2x2 square applied twice, as the authors call it): the result is
 * displaced by two pixels towards larger indices, clipped at the lower right border and grown at the upper left one.
 */
function close(mask: Picture): Picture {
  const dilated = sweep(sweep(mask, 1, true), mask.width, true);
  return sweep(sweep(dilated, 1, false), mask.width, false);
}

/** Bounding box of every foreground value. */
function boxes(labels: Labels, width: number): Map<number, Box> {
  const found = new Map<number, Box>();
  for (let i = 0; i < labels.length; i++) {
    const value = labels[i] ?? 0;
    if (value === 0 || value === IGNORE_LABEL) continue;
    const row = Math.floor(i / width);
    const column = i - row * width;
    const box = found.get(value);
    if (!box) {
      found.set(value, { top: row, bottom: row, left: column, right: column });
      continue;
    }
    box.bottom = row;
    if (column < box.left) box.left = column;
    if (column > box.right) box.right = column;
  }
  return found;
}

/**
 * The pixels of one value, cut out with room for the closing. A margin of two above and left keeps the picture's border
 * rule from acting at the cut: the closing gives nothing there in either case.
 */
function cut(labels: Labels, value: number, box: Box, height: number, width: number): Picture {
  const top = Math.max(0, box.top - WINDOW);
  const left = Math.max(0, box.left - WINDOW);
  const rows = Math.min(height, box.bottom + WINDOW + 1) - top;
  const columns = Math.min(width, box.right + WINDOW + 1) - left;
  const cells = new Uint8Array(rows * columns);
  for (let i = 0; i < cells.length; i++) {
    const row = Math.floor(i / columns);
    cells[i] = labels[(top + row) * width + left + i - row * columns] === value ? 1 : 0;
  }
  return { cells, height: rows, width: columns };
}

/** One component with a margin of one empty cell all round. */
function isolate(component: readonly number[], width: number): Picture {
  let [top, left, bottom, right] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0, 0];
  for (const cell of component) {
    const row = Math.floor(cell / width);
    const column = cell - row * width;
    top = Math.min(top, row);
    bottom = Math.max(bottom, row);
    left = Math.min(left, column);
    right = Math.max(right, column);
  }
  const columns = right - left + 3;
  const mask = { cells: new Uint8Array((bottom - top + 3) * columns), height: bottom - top + 3, width: columns };
  for (const cell of component) {
    const row = Math.floor(cell / width);
    mask.cells[(row - top + 1) * columns + (cell - row * width) - left + 1] = 1;
  }
  return mask;
}

/**
 * Area inside the polygon through the pixel centres of a component's outer border: every square between four centres adds
 * 1 when all four are inside and 1/2 when three are. Holes are inside.
 */
function outlineArea(component: readonly number[], width: number): number {
  const mask = isolate(component, width);
  const OUTSIDE = 2;
  flood(mask, 0, 0, OUTSIDE, false);
  const solid = (cell: number) => (mask.cells[cell] === OUTSIDE ? 0 : 1);
  let halves = 0;
  for (let cell = 0; cell + mask.width + 1 < mask.cells.length; cell++) {
    // The empty margin makes squares that wrap round a row's end empty as well.
    const inside = solid(cell) + solid(cell + 1) + solid(cell + mask.width) + solid(cell + mask.width + 1);
    if (inside >= 3) halves += inside - 2;
  }
  return halves / 2;
}

/**
 * Areas of all objects (8-connected components) of every foreground class, each as a percentage of the image, by class in
 * ascending order. `labels` is `[height, width]` at the mask file's own resolution; 0 and 255 are no objects. Under the
 * release rule a class may have an empty list (its pixels lost at the border) and areas may be 0 (single pixels, lines).
 */
export function objectAreas(labels: Labels, height: number, width: number, rule: AreaRule): Map<number, number[]> {
  const areas = new Map<number, number[]>();
  const found = [...boxes(labels, width)].sort(([one], [two]) => one - two);
  for (const [value, box] of found) {
    const picture = cut(labels, value, box, height, width);
    const mask = rule === "release" ? close(picture) : picture;
    const shares: number[] = [];
    for (let start = 0; start < mask.cells.length; start++) {
      if (mask.cells[start] !== 1) continue;
      const component = flood(mask, start, 1, 0, true);
      const area = rule === "release" ? outlineArea(component, mask.width) : component.length;
      shares.push((100 * area) / labels.length);
    }
    areas.set(value, shares);
  }
  return areas;
}
