import type { Random } from "../../kernels/random.ts";
import { between } from "./canvas.ts";

/** A round irregular form whose area is known, as distances in pixels, at most 0 inside. */
export interface Blob {
  readonly x: number;
  readonly y: number;
  /** No point of the outline lies farther from (x, y). */
  readonly reach: number;
  /** Distance from the centre over the outline's there: 1 on the outline. */
  ratio(x: number, y: number): number;
  /** Pixels to the outline along the ray from the centre, negative inside. */
  distance(x: number, y: number): number;
}

export interface BlobShape {
  /** Height of each harmonic from the second on, in shares of the radius, before its random sign and phase. */
  readonly harmonics: readonly number[];
  /** Length over width. */
  readonly aspect: number;
  /** Radians. */
  readonly angle: number;
}

/**
 * A form about (x, y) whose area is exactly pi * radius^2: a circle with harmonics, drawn out to `aspect`. The radius is
 * R (1 + sum a_k cos(k t + p_k)) / sqrt(1 + sum a_k^2 / 2), since half the integral of its square is then pi R^2.
 */
export function blob(walk: Random, x: number, y: number, radius: number, shape: BlobShape): Blob {
  const waves = shape.harmonics.map((height, k) => ({
    order: k + 2,
    height: height * between(walk, 0.4, 1),
    phase: between(walk, 0, 2 * Math.PI),
  }));
  const norm = radius / Math.sqrt(1 + waves.reduce((sum, { height }) => sum + height * height, 0) / 2);
  const stretch = Math.sqrt(shape.aspect);
  const [cosine, sine] = [Math.cos(shape.angle), Math.sin(shape.angle)];
  const most = (1 + waves.reduce((sum, { height }) => sum + height, 0)) * norm * Math.max(stretch, 1 / stretch);
  const polar = (px: number, py: number) => {
    const along = (cosine * (px - x) + sine * (py - y)) / stretch;
    const across = (cosine * (py - y) - sine * (px - x)) * stretch;
    const theta = Math.atan2(across, along);
    const edge =
      norm * waves.reduce((sum, { order, height, phase }) => sum + height * Math.cos(order * theta + phase), 1);
    return { own: Math.hypot(along, across), edge };
  };
  return {
    x,
    y,
    reach: most,
    ratio: (px, py) => {
      const { own, edge } = polar(px, py);
      return own / edge;
    },
    distance: (px, py) => {
      const { own, edge } = polar(px, py);
      // In pixels of the picture, not of the drawn-out plane.
      const real = Math.hypot(px - x, py - y);
      return own === 0 ? -edge : real * (1 - edge / own);
    },
  };
}

/** A point of a stroke with half its width there. */
export interface StrokePoint {
  readonly x: number;
  readonly y: number;
  readonly half: number;
}

/** Where a pixel lies beside a stroke. */
interface StrokePlace {
  /** Pixels to the outline, negative inside. */
  readonly distance: number;
  /** Pixels to the middle line. */
  readonly off: number;
  readonly half: number;
  /** 0 at the stroke's start, 1 at its end. */
  readonly along: number;
}

/** Calls `visit` for each pixel within `margin` of each piece of a stroke; a pixel may come up for several pieces. */
export function alongStroke(
  side: number,
  points: readonly StrokePoint[],
  margin: number,
  visit: (pixel: number, place: StrokePlace) => void,
): void {
  for (let index = 1; index < points.length; index++) {
    const [a, b] = [points[index - 1], points[index]];
    if (a === undefined || b === undefined) continue;
    const reach = Math.max(a.half, b.half) + margin;
    const [dx, dy] = [b.x - a.x, b.y - a.y];
    const square = dx * dx + dy * dy || 1;
    const [left, right] = [
      Math.max(0, Math.floor(Math.min(a.x, b.x) - reach)),
      Math.min(side - 1, Math.max(a.x, b.x) + reach),
    ];
    const [top, bottom] = [
      Math.max(0, Math.floor(Math.min(a.y, b.y) - reach)),
      Math.min(side - 1, Math.max(a.y, b.y) + reach),
    ];
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const t = Math.min(1, Math.max(0, ((x - a.x) * dx + (y - a.y) * dy) / square));
        const half = a.half + t * (b.half - a.half);
        const off = Math.hypot(x - a.x - t * dx, y - a.y - t * dy);
        if (off - half > margin) continue;
        visit(y * side + x, { distance: off - half, off, half, along: (index - 1 + t) / (points.length - 1) });
      }
    }
  }
}
