import type { Random } from "../../kernels/random.ts";
import { between, smooth } from "./canvas.ts";
import { type Blob, type BlobShape, blob } from "./outline.ts";

/** A trunk in cross-section. */
export interface Body {
  readonly side: number;
  /** Centre and half axes in pixels. */
  readonly x: number;
  readonly y: number;
  readonly wide: number;
  readonly high: number;
  readonly outline: Blob;
  /** Pixels of fat under the skin, and of muscle under the fat. */
  readonly fat: number;
  readonly wall: number;
}

/** Pixels to the inner side of the wall, negative in the cavity; behind, the wall is thicker. */
export function toCavity(body: Body, x: number, y: number): number {
  const behind = smooth(0.25, 0.8, (y - body.y) / body.high);
  return body.outline.distance(x, y) + body.fat + body.wall * (1 + 1.6 * behind) + 0.008 * body.side;
}

/** Places within the body: -1 to 1 across and down. */
export const place = (body: Body, across: number, down: number) =>
  [body.x + across * body.wide, body.y + down * body.high] as const;

/** The outline of an organ: rough, longer than wide, turned. */
export const form = (walk: Random, aspect: number, angle: number, rough = 0.06): BlobShape => ({
  harmonics: [rough, rough * 0.8, rough * 0.6, rough * 0.4].map((height) => height * between(walk, 0.5, 1)),
  aspect,
  angle,
});

/** A trunk of random proportions in a square picture of `side` pixels. */
export function drawBody(walk: Random, side: number): Body {
  const wide = between(walk, 0.44, 0.475) * side;
  const high = wide * between(walk, 0.72, 0.84);
  const [x, y] = [side / 2 + between(walk, -0.01, 0.01) * side, side * between(walk, 0.48, 0.51)];
  const outline = blob(walk, x, y, Math.sqrt(wide * high), {
    harmonics: [0.03, 0.015, 0.01],
    aspect: wide / high,
    angle: 0,
  });
  return {
    side,
    x,
    y,
    wide,
    high,
    outline,
    fat: between(walk, 0.02, 0.05) * side,
    wall: between(walk, 0.022, 0.03) * side,
  };
}
