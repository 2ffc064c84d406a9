import { type Random, random } from "../../kernels/random.ts";
import type { Rgb } from "../codec/png-read.ts";
import type { BytePair } from "../image/augment.ts";
import { filled } from "../image/image.ts";
import { between, Canvas, clamp, mix, noise, smooth } from "./canvas.ts";
import { type Blob, blob } from "./outline.ts";
import { drawSize, inside, type Stratum } from "./stratum.ts";

interface Scene {
  readonly canvas: Canvas;
  readonly walk: Random;
  /** The lumen's centre, in shares of the side. */
  readonly lumen: readonly [number, number];
}

/** The wall: brighter where it is near, crossed by folds that stand round the lumen. */
function paintWall({ canvas, walk, lumen }: Scene): void {
  const wall = mix([0.86, 0.5, 0.4], [0.8, 0.42, 0.36], walk.uniform());
  const deep = mix([0.42, 0.14, 0.1], [0.3, 0.1, 0.09], walk.uniform());
  const warp = noise(walk, 2.5, 2);
  const patches = noise(walk, 4, 3);
  const grain = noise(walk, 40, 2);
  const vessels = noise(walk, 7, 3);
  const folds = between(walk, 0.55, 1.05);
  const presence = noise(walk, 2.2, 1);
  const phase = between(walk, 0, 6);
  const hole = between(walk, 0.05, 0.13);
  canvas.fill((u, v) => {
    const [dx, dy] = [u - lumen[0], v - lumen[1]];
    const angle = Math.atan2(dy, dx);
    const away = Math.hypot(dx, dy) * (1 + 0.2 * Math.sin(3 * angle + phase)) + 0.07 * warp(u, v);
    // Folds lie closer together towards the lumen, as they do in perspective.
    const wave = folds * Math.log(Math.max(0.02, away)) * 1.9 + phase + 0.5 * Math.sin(2 * angle + phase);
    const ridge = Math.sin(wave * Math.PI);
    const here = smooth(-0.5, 0.35, presence(u, v));
    const crest = here * smooth(0.2, 1, ridge) * smooth(0.1, 0.3, away);
    // Behind a crest it falls off steeply and stays in shadow for a while.
    const behind = Math.sin(wave * Math.PI - 0.9);
    const valley = here * smooth(0.1, 1, -behind) * smooth(hole + 0.05, hole + 0.28, away);
    const near = smooth(hole * 0.6, 0.5 + hole, away);
    const light = clamp(
      0.12 + 0.9 * near - 0.3 * valley + 0.15 * crest + 0.07 * patches(u, v) + 0.02 * grain(u, v),
      0.02,
      1.25,
    );
    const red = 0.1 * smooth(0.12, 0.0, Math.abs(vessels(u, v))) * near;
    const colour = mix(deep, wall, clamp(light));
    return [
      colour[0] * (0.5 + 0.5 * light),
      (colour[1] - red * 0.7) * (0.5 + 0.5 * light),
      (colour[2] - red * 0.6) * (0.5 + 0.5 * light),
    ];
  });
}

/** Shadow at the foot, then the dome, lit from the camera and a little from above. */
function paintPolyp({ canvas, walk }: Scene, polyp: Blob, radius: number): void {
  const { side } = canvas;
  const flesh: Rgb = mix([0.86, 0.4, 0.34], [0.78, 0.32, 0.3], walk.uniform());
  const pits = noise(walk, (7 * side) / radius / 2, 2);
  const patches = noise(walk, (1.8 * side) / radius / 2, 2);
  const rough = between(walk, 0.05, 0.16);
  const [lightX, lightY] = [between(walk, -0.35, 0.35), between(walk, -0.5, -0.1)];
  const foot = Math.max(1.5, radius * 0.16);
  canvas.around(polyp.x, polyp.y, polyp.reach + 3 * foot, (pixel, dx, dy) => {
    const distance = polyp.distance(polyp.x + dx, polyp.y + dy);
    if (distance > 0)
      canvas.shade(pixel, 1 - 0.38 * Math.exp(-distance / foot) * clamp(0.65 + (0.5 * dy) / radius, 0.2, 1));
  });
  canvas.around(polyp.x, polyp.y, polyp.reach + 2, (pixel, dx, dy) => {
    const [x, y] = [polyp.x + dx, polyp.y + dy];
    const cover = smooth(0.8, -0.8, polyp.distance(x, y));
    if (cover === 0) return;
    const ratio = Math.min(1, polyp.ratio(x, y));
    const height = Math.sqrt(1 - 0.92 * ratio * ratio);
    const facing = height + 0.55 * ((lightX * dx + lightY * dy) / radius);
    const bump = rough * pits(x / side, y / side) + 0.08 * patches(x / side, y / side);
    const light = clamp(0.4 + 0.62 * facing + bump, 0.15, 1.2);
    const pale = mix(flesh, [0.95, 0.62, 0.52], clamp(0.35 * patches(x / side, y / side) + 0.1));
    canvas.blend(
      pixel,
      [pale[0] * light, pale[1] * light * (1 - 0.5 * bump), pale[2] * light * (1 - 0.4 * bump)],
      cover,
    );
  });
}

/** Glints of the lamp on wet tissue: small, white, sharp. */
function paintGlints({ canvas, walk }: Scene, polyp: Blob, radius: number): void {
  const { side } = canvas;
  const glint = (x: number, y: number, size: number) => {
    const form = blob(walk, x, y, size, {
      harmonics: [0.3, 0.25, 0.15, 0.1],
      aspect: between(walk, 1, 3),
      angle: between(walk, 0, 3.1),
    });
    canvas.around(x, y, form.reach + 4, (pixel, dx, dy) => {
      const distance = form.distance(x + dx, y + dy);
      canvas.blend(
        pixel,
        [1, 0.98, 0.94],
        0.95 * smooth(0.7, -0.5, distance) + 0.25 * Math.exp(-Math.max(0, distance) / 2),
      );
    });
  };
  for (let count = 2 + walk.integer(4); count > 0; count--) {
    const angle = between(walk, Math.PI, 2 * Math.PI);
    const off = radius * between(walk, 0.1, 0.6);
    glint(
      polyp.x + Math.cos(angle) * off,
      polyp.y + Math.sin(angle) * off,
      Math.max(0.6, radius * between(walk, 0.03, 0.08)),
    );
  }
  for (let count = 6 + walk.integer(14); count > 0; count--) {
    const [x, y] = inside(walk, side, 0.06 * side);
    glint(x, y, between(walk, 0.002, 0.009) * side);
  }
}

/** The scope's black frame: cut corners, at times a black field for text. */
function paintFrame({ canvas, walk }: Scene, polyp: Blob): void {
  const { side } = canvas;
  const free = polyp.x - polyp.reach > 0.3 * side || polyp.y + polyp.reach < 0.74 * side;
  const cut = between(walk, 0.06, 0.2);
  const field = walk.uniform() < 0.4 && free;
  for (let pixel = 0; pixel < side * side; pixel++) {
    const [u, v] = [(pixel % side) / side, Math.floor(pixel / side) / side];
    const corner = Math.min(u, 1 - u) + Math.min(v, 1 - v);
    if (corner < cut || (field && u < 0.3 && v > 0.74)) canvas.blend(pixel, [0.02, 0.02, 0.025], 1);
  }
}

/**
 * Colonoscopy with one polyp: a wet pink wall with folds that runs into a dark lumen, and a lit dome on it. Picture
 * `index` of `seed`: RGB and a mask with 0 everything else, 1 polyp.
 */
export function polypPicture(seed: number, index: number, side: number, stratum: Stratum): BytePair {
  const walk = random(seed, "polyps", index);
  const { share } = drawSize(walk, stratum, 32);
  const radius = Math.sqrt(((share / 100) * side * side) / Math.PI);
  const [x, y] = inside(walk, side, Math.min(0.46 * side, radius * 1.3 + 0.16 * side));
  const polyp = blob(walk, x, y, radius, {
    harmonics: [0.07, 0.06, 0.04, 0.025, 0.015].map((height) => height * between(walk, 0.5, 1.3)),
    aspect: between(walk, 1, 1.35),
    angle: between(walk, 0, Math.PI),
  });
  const canvas = new Canvas(side);
  const mask = filled({ width: side, height: side }, 1, 0);
  canvas.around(x, y, polyp.reach, (pixel, dx, dy) => {
    if (polyp.distance(x + dx, y + dy) <= 0) mask.data[pixel] = 1;
  });
  // The lumen lies on the other side of the picture's middle.
  const far = between(walk, 0.6, 1.1);
  const lumen = [0.5 + (0.5 - x / side) * far, 0.5 + (0.5 - y / side) * far] as const;
  const scene = { canvas, walk, lumen };
  paintWall(scene);
  paintPolyp(scene, polyp, radius);
  paintGlints(scene, polyp, radius);
  paintFrame(scene, polyp);
  // The frame lies in the corners, outside the room the polyp was given.
  return { image: canvas.toImage(walk, 0.02, 0.008), mask };
}
