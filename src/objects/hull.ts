export type Point = readonly [x: number, y: number];

/** Twice the signed area of a triangle; above 0 where `c` lies to the right of the way from `a` to `b` on the screen. */
const turn = ([ax, ay]: Point, [bx, by]: Point, [cx, cy]: Point): number =>
  (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);

/** Half of a hull: the points, sorted by x, that the chain keeps. */
function chain(points: readonly Point[]): Point[] {
  const kept: Point[] = [];
  for (const point of points) {
    for (let length = kept.length; length > 1; length = kept.length) {
      const [one, two] = [kept[length - 2], kept[length - 1]];
      if (one === undefined || two === undefined || turn(one, two, point) > 0) break;
      kept.pop();
    }
    kept.push(point);
  }
  return kept.slice(0, -1);
}

/** Corners of the convex hull of at least three points that are not on one line (Andrew's monotone chain). */
export function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort(([ax, ay], [bx, by]) => ax - bx || ay - by);
  return [...chain(sorted), ...chain(sorted.toReversed())];
}

/** The largest distance between two corners of a convex hull, and its smallest width between two parallel lines. */
export function feretDiameters(hull: readonly Point[]): { readonly max: number; readonly min: number } {
  let [max, min] = [0, Number.POSITIVE_INFINITY];
  for (const [index, from] of hull.entries()) {
    const to = hull[(index + 1) % hull.length] ?? from;
    const side = Math.hypot(to[0] - from[0], to[1] - from[1]);
    let reach = 0;
    for (const point of hull) {
      max = Math.max(max, Math.hypot(point[0] - from[0], point[1] - from[1]));
      reach = Math.max(reach, Math.abs(turn(from, to, point)) / side);
    }
    min = Math.min(min, reach);
  }
  return { max, min };
}
