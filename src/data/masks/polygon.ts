import type { Size } from "../image/image.ts";

/** Corners as x, y, x, y, ...; the last is joined to the first. x counts from the left edge of the picture, y from its top. */
export type Ring = readonly number[];

/** Pixels of a shape as runs in rows: start (row * width + column) and length, alternating. */
export type Spans = readonly number[];

/** Pixels in spans. */
export function areaOf(spans: Spans): number {
  let area = 0;
  for (let at = 1; at < spans.length; at += 2) area += spans[at] ?? 0;
  return area;
}

/** Where the rings' edges cross the middle of each row of the picture, by row. */
function crossingsOf(rings: readonly Ring[], height: number): Map<number, number[]> {
  const crossings = new Map<number, number[]>();
  const firstRow = (y: number) => Math.max(0, Math.ceil(y - 0.5));
  for (const ring of rings) {
    for (let at = 0; at + 1 < ring.length; at += 2) {
      const next = (at + 2) % (ring.length - (ring.length % 2));
      const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = [ring[at], ring[at + 1], ring[next], ring[next + 1]];
      const end = Math.min(height, firstRow(Math.max(y1, y2)));
      for (let row = firstRow(Math.min(y1, y2)); row < end; row++) {
        const x = x1 + ((row + 0.5 - y1) * (x2 - x1)) / (y2 - y1);
        const found = crossings.get(row);
        if (found === undefined) crossings.set(row, [x]);
        else found.push(x);
      }
    }
  }
  return crossings;
}

/**
 * The pixels of a polygon with its holes: a pixel belongs to it where its middle, (column + 0.5, row + 0.5), lies inside an odd number of
 * rings. A middle on an edge belongs to what lies right of it or below, so that polygons side by side share no pixel and leave none
 * out. What lies outside the picture is cut off.
 */
export function polygonSpans(rings: readonly Ring[], { width, height }: Size): number[] {
  const spans: number[] = [];
  const column = (x: number) => Math.min(width, Math.max(0, Math.ceil(x - 0.5)));
  for (const [row, found] of [...crossingsOf(rings, height)].sort(([a], [b]) => a - b)) {
    found.sort((a, b) => a - b);
    for (let at = 0; at + 1 < found.length; at += 2) {
      const [from, to] = [column(found[at] ?? 0), column(found[at + 1] ?? 0)];
      if (to > from) spans.push(row * width + from, to - from);
    }
  }
  return spans;
}

/** The pixels of a bitmap of ones and zeros whose upper left corner lies at (`left`, `top`) of the picture. */
export function bitmapSpans(
  bits: ArrayLike<number>,
  bitmap: Size,
  { left, top }: { left: number; top: number },
  size: Size,
): number[] {
  const spans: number[] = [];
  for (let y = Math.max(0, -top); y < Math.min(bitmap.height, size.height - top); y++) {
    let length = 0;
    const last = Math.min(bitmap.width, size.width - left);
    for (let x = Math.max(0, -left); x <= last; x++) {
      const isSet = x < last && bits[y * bitmap.width + x] !== 0;
      if (isSet) length++;
      else if (length > 0) {
        spans.push((y + top) * size.width + left + x - length, length);
        length = 0;
      }
    }
  }
  return spans;
}
