import { type Random, random } from "../../kernels/random.ts";
import type { Rgb } from "../codec/png-read.ts";
import type { BytePair } from "../image/augment.ts";
import { filled } from "../image/image.ts";
import { between, Canvas, clamp, mix, noise, smooth } from "./canvas.ts";
import { alongStroke, type Blob, blob, type StrokePoint } from "./outline.ts";
import { drawSize, inside, type Stratum } from "./stratum.ts";

const SKINS: readonly Rgb[] = [
  [0.91, 0.74, 0.69],
  [0.88, 0.68, 0.58],
  [0.93, 0.8, 0.76],
  [0.8, 0.6, 0.47],
];

function paintSkin(canvas: Canvas, walk: Random): void {
  const skin = SKINS[walk.integer(SKINS.length)] ?? [0.9, 0.7, 0.6];
  const patches = noise(walk, 3, 3);
  const creases = noise(walk, 26, 3, between(walk, 1.5, 3));
  const grain = noise(walk, 60, 2);
  const redness = noise(walk, 5, 2);
  const [lightX, lightY] = [between(walk, 0.35, 0.65), between(walk, 0.35, 0.65)];
  canvas.fill((u, v) => {
    const away = Math.hypot(u - lightX, v - lightY);
    const light = 1.04 - 0.42 * away * away + 0.035 * patches(u, v) + 0.025 * creases(u, v) + 0.012 * grain(u, v);
    const flush = 0.03 * redness(u, v);
    return [skin[0] * light + flush / 3, skin[1] * light - flush, skin[2] * light - flush];
  });
}

/** Freckles and faint spots: brown like a lesion, but no lesion. */
function paintFreckles(canvas: Canvas, walk: Random): void {
  for (let count = walk.integer(14); count > 0; count--) {
    const [x, y] = inside(walk, canvas.side, 0);
    canvas.dot(
      x,
      y,
      between(walk, 0.003, 0.009) * canvas.side,
      [0.6, 0.42, 0.32],
      between(walk, 0.12, 0.35),
      canvas.side / 200,
    );
  }
}

function paintLesion(canvas: Canvas, walk: Random, lesion: Blob, radius: number): void {
  const { side } = canvas;
  const warm = walk.uniform();
  const light = mix([0.66, 0.45, 0.33], [0.57, 0.4, 0.35], warm);
  const dark = mix([0.27, 0.16, 0.12], [0.2, 0.15, 0.16], warm);
  const depth = between(walk, 0.45, 0.95);
  const soft = Math.max(0.8, radius * between(walk, 0.05, 0.14));
  const blotches = noise(walk, (2.4 * side) / radius / 2, 3);
  const network = noise(walk, (9 * side) / radius / 2, 2);
  const veil = walk.uniform() < 0.25 ? 0.5 : 0;
  canvas.around(lesion.x, lesion.y, lesion.reach + 3 * soft, (pixel, dx, dy) => {
    const [x, y] = [lesion.x + dx, lesion.y + dy];
    const distance = lesion.distance(x, y);
    const cover = 1 / (1 + Math.exp((distance + 0.35 * soft) / (0.4 * soft)));
    if (cover < 0.003) return;
    const [u, v] = [x / side, y / side];
    const patch = blotches(u, v);
    const centre = smooth(1.05, 0.1, lesion.ratio(x, y));
    const lines = 0.16 * (1 - Math.min(1, Math.abs(network(u, v)) * 3));
    const shade = clamp(0.16 + depth * (0.4 * centre + 0.42 * patch + lines) + 0.12);
    let colour = mix(light, dark, shade);
    if (veil > 0 && patch < -0.25) colour = mix(colour, [0.52, 0.52, 0.6], veil * smooth(-0.25, -0.7, patch));
    canvas.blend(pixel, colour, cover * 0.97);
  });
}

function hair(walk: Random, side: number): StrokePoint[] {
  let [x, y] = inside(walk, side, 0);
  let heading = between(walk, 0, 2 * Math.PI);
  const bend = between(walk, -0.05, 0.05);
  const half = between(walk, 0.0011, 0.0024) * side;
  const step = side / 30;
  return Array.from({ length: 8 + walk.integer(26) }, () => {
    x += Math.cos(heading) * step;
    y += Math.sin(heading) * step;
    heading += bend;
    return { x, y, half: Math.max(0.35, half) };
  });
}

function paintHairs(canvas: Canvas, walk: Random): void {
  const count = walk.uniform() < 0.4 ? 0 : 1 + walk.integer(9);
  for (let k = 0; k < count; k++) {
    const cover = new Map<number, number>();
    alongStroke(canvas.side, hair(walk, canvas.side), 1, (pixel, { distance }) => {
      cover.set(pixel, Math.max(cover.get(pixel) ?? 0, smooth(0.8, -0.5, distance)));
    });
    const tone: Rgb = mix([0.16, 0.1, 0.08], [0.42, 0.3, 0.22], walk.uniform());
    for (const [pixel, alpha] of cover) canvas.blend(pixel, tone, 0.85 * alpha);
  }
}

/** Bubbles of the contact gel: a bright rim with a glint. */
function paintBubbles(canvas: Canvas, walk: Random): void {
  if (walk.uniform() < 0.5) return;
  for (let count = 1 + walk.integer(5); count > 0; count--) {
    const [x, y] = inside(walk, canvas.side, 0);
    const radius = between(walk, 0.006, 0.03) * canvas.side;
    canvas.around(x, y, radius + 3, (pixel, dx, dy) => {
      const off = (Math.hypot(dx, dy) - radius) / Math.max(0.8, radius * 0.12);
      canvas.blend(pixel, [1, 0.98, 0.95], 0.45 * Math.exp(-off * off) * (0.6 - 0.4 * (dy / (radius + 1))));
    });
    canvas.dot(x - radius * 0.35, y - radius * 0.4, Math.max(0.8, radius * 0.16), [1, 1, 1], 0.8);
  }
}

/** Dark corners: the round view of a dermatoscope, sharp or fading. */
function paintView(canvas: Canvas, walk: Random): void {
  const round = walk.uniform() < 0.3;
  const radius = round ? between(walk, 0.6, 0.68) : 0.9;
  const soft = round ? 0.012 : 0.35;
  const { side } = canvas;
  for (let pixel = 0; pixel < side * side; pixel++) {
    const away = Math.hypot((pixel % side) / side - 0.5, Math.floor(pixel / side) / side - 0.5);
    canvas.shade(pixel, 1 - (round ? 0.97 : 0.5) * smooth(radius - soft, radius + soft, away));
  }
}

/**
 * Dermoscopy of a pigmented lesion: skin with creases, freckles, hairs and gel bubbles, one irregular brown lesion.
 * Picture `index` of `seed`: RGB and a mask with 0 skin, 1 lesion.
 */
export function lesionPicture(seed: number, index: number, side: number, stratum: Stratum): BytePair {
  const walk = random(seed, "lesions", index);
  const { share } = drawSize(walk, stratum, 38);
  const radius = Math.sqrt(((share / 100) * side * side) / Math.PI);
  const wild = between(walk, 0.5, 1.2);
  const shape = {
    harmonics: [0.1, 0.09, 0.06, 0.05, 0.04, 0.035, 0.025, 0.02].map((height) => height * wild),
    aspect: between(walk, 1, 1.5),
    angle: between(walk, 0, Math.PI),
  };
  const [x, y] = inside(walk, side, Math.min(0.46 * side, radius * 1.5 + 0.13 * side));
  const lesion = blob(walk, x, y, radius, shape);
  const mask = filled({ width: side, height: side }, 1, 0);
  const canvas = new Canvas(side);
  canvas.around(x, y, lesion.reach, (pixel, dx, dy) => {
    if (lesion.distance(x + dx, y + dy) <= 0) mask.data[pixel] = 1;
  });
  paintSkin(canvas, walk);
  paintFreckles(canvas, walk);
  paintLesion(canvas, walk, lesion, radius);
  paintHairs(canvas, walk);
  paintBubbles(canvas, walk);
  paintView(canvas, walk);
  return { image: canvas.toImage(walk, 0.018, 0.008), mask };
}
