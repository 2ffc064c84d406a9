import type { Labels } from "./totals.ts";

/** A small picture, row-major. */
export interface Picture {
  readonly cells: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/** Grows a region from `start` over cells equal to `wanted`, overwriting them with `paint`; returns the cells reached. */
export function flood(
  { cells, height, width }: Picture,
  start: number,
  wanted: number,
  paint: number,
  diagonal: boolean,
): number[] {
  const reached = [start];
  cells[start] = paint;
  for (let next = 0; next < reached.length; next++) {
    const cell = reached[next] ?? 0;
    const row = Math.floor(cell / width);
    const column = cell - row * width;
    for (let r = Math.max(0, row - 1); r <= Math.min(height - 1, row + 1); r++) {
      for (let c = Math.max(0, column - 1); c <= Math.min(width - 1, column + 1); c++) {
        const neighbour = r * width + c;
        if (cells[neighbour] !== wanted || (!diagonal && r !== row && c !== column)) continue;
        cells[neighbour] = paint;
        reached.push(neighbour);
      }
    }
  }
  return reached;
}

/**
 * The 8-connected components of the pixels labelled `value`, in the order of their first pixels; each the places of its
 * pixels in `labels`, which is `[height, width]`.
 */
export function components(labels: Labels, value: number, height: number, width: number): number[][] {
  const cells = new Uint8Array(labels.length);
  for (let at = 0; at < cells.length; at++) if (labels[at] === value) cells[at] = 1;
  const found: number[][] = [];
  for (let start = cells.indexOf(1); start >= 0; start = cells.indexOf(1, start + 1)) {
    found.push(flood({ cells, height, width }, start, 1, 0, true));
  }
  return found;
}
