import type { Random } from "../../kernels/random.ts";

/** The outline of a synthetic cell as a signed distance: pixels where it is at most 0 belong to the object. */
export interface Shape {
  readonly x: number;
  readonly y: number;
  /** No point of the outline lies farther from (x, y). */
  readonly reach: number;
  /** Pixels to the outline (about), negative inside. */
  distance(x: number, y: number): number;
  /** Brightness above the background where the object is, 0..1 of its contrast. */
  strength(x: number, y: number): number;
}

const between = (walk: Random, low: number, high: number) => low + (high - low) * walk.uniform();

/** An ellipse with half-axes `long` and `short`, turned by `angle`; distance by the scaled norm, exact enough at its edge. */
function ellipse(x: number, y: number, long: number, short: number, angle: number) {
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  return (px: number, py: number) => {
    const along = (cosine * (px - x) + sine * (py - y)) / long;
    const across = (cosine * (py - y) - sine * (px - x)) / short;
    const norm = Math.hypot(along, across);
    const slope = Math.hypot(along / long, across / short);
    return norm === 0 ? -short : ((norm - 1) * norm) / slope;
  };
}

/** A round or oval cell of about `radius` pixels, its body slightly uneven. */
export function cell(walk: Random, x: number, y: number, radius: number): Shape {
  const long = radius * between(walk, 1, 1.3);
  const short = radius * between(walk, 0.8, 1);
  const angle = between(walk, 0, Math.PI);
  const [lightX, lightY] = [between(walk, -0.3, 0.3), between(walk, -0.3, 0.3)];
  const distance = ellipse(x, y, long, short, angle);
  return {
    x,
    y,
    reach: long,
    distance,
    strength: (px, py) =>
      0.82 + (lightX * (px - x) + lightY * (py - y)) / radius - 0.02 * Math.max(-12, distance(px, py)),
  };
}

interface Point {
  readonly x: number;
  readonly y: number;
  readonly half: number;
}

/** A swinging tail from (x, y) in direction `angle`: points with the tail's half width, tapering to the end. */
function tailPoints(walk: Random, x: number, y: number, angle: number, scale: number): Point[] {
  const steps = 12;
  const length = between(walk, 17, 25) * scale;
  const swing = between(walk, 0.25, 0.7) * (walk.uniform() < 0.5 ? -1 : 1);
  const waves = between(walk, 0.8, 1.5) * 2 * Math.PI;
  const points: Point[] = [{ x, y, half: 1.55 * scale }];
  for (let step = 1; step <= steps; step++) {
    const last = points[step - 1] ?? { x, y };
    const heading = angle + swing * Math.sin((waves * step) / steps);
    points.push({
      x: last.x + (Math.cos(heading) * length) / steps,
      y: last.y + (Math.sin(heading) * length) / steps,
      half: (1.55 - (0.55 * step) / steps) * scale,
    });
  }
  return points;
}

/** Distance to the tail's outline: the nearest piece, less its half width there. */
function tailDistance(points: readonly Point[], x: number, y: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let index = 1; index < points.length; index++) {
    const [a, b] = [points[index - 1], points[index]];
    if (a === undefined || b === undefined) continue;
    const [dx, dy] = [b.x - a.x, b.y - a.y];
    const t = Math.min(1, Math.max(0, ((x - a.x) * dx + (y - a.y) * dy) / (dx * dx + dy * dy)));
    const away = Math.hypot(x - a.x - t * dx, y - a.y - t * dy) - (a.half + t * (b.half - a.half));
    least = Math.min(least, away);
  }
  return least;
}

/** A sperm-like object: bright oval head at (x, y), thin dim tail. */
export function swimmer(walk: Random, x: number, y: number, scale: number): Shape {
  const angle = between(walk, 0, 2 * Math.PI);
  const long = between(walk, 4.2, 5.2) * scale;
  const head = ellipse(x, y, long, between(walk, 2.7, 3.3) * scale, angle);
  const points = tailPoints(walk, x + long * 0.8 * Math.cos(angle), y + long * 0.8 * Math.sin(angle), angle, scale);
  const reach = Math.max(long, ...points.map((point) => Math.hypot(point.x - x, point.y - y) + point.half));
  const dim = between(walk, 0.55, 0.7);
  return {
    x,
    y,
    reach,
    distance: (px, py) => Math.min(head(px, py), tailDistance(points, px, py)),
    // The head fades into the tail over about two pixels.
    strength: (px, py) => dim + (1.05 - dim) / (1 + Math.exp(head(px, py) * 2)),
  };
}
