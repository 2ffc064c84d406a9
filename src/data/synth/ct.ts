import { type Random, random } from "../../kernels/random.ts";
import type { BytePair } from "../image/augment.ts";
import { type ByteImage, filled } from "../image/image.ts";
import { between, Canvas, clamp, noise, smooth } from "./canvas.ts";
import { type Body, drawBody, form, place, toCavity } from "./ct-body.ts";
import { type Blob, blob } from "./outline.ts";
import { type DrawnSize, drawSize, fitScale, type Stratum } from "./stratum.ts";

/** Grey of each tissue, 0 to 1, as a window of 400 HU about 40 shows it. */
const TISSUE = {
  air: 0,
  lung: 0.02,
  fat: 0.13,
  muscle: 0.5,
  liver: 0.62,
  spleen: 0.64,
  kidney: 0.74,
  bowel: 0.46,
  vessel: 0.8,
  bone: 0.98,
} as const;

interface Drawing {
  readonly mask: ByteImage;
  readonly liver: Blob;
  readonly tumour: Blob;
}

/**
 * Liver of `size` (radius in pixels) under the left wall of the picture, tumour inside it. A small liver is its tip, low and
 * at the side. The tumour's share of the liver is drawn before, so that the drawing grows with its scale.
 */
function drawLiver(seed: number, index: number, body: Body, target: DrawnSize, scale: number): Drawing {
  const walk = random(seed, "ct liver", index);
  const { side } = body;
  const radius = scale * Math.sqrt(((target.share / 100) * side * side) / Math.PI);
  const aspect = target.stratum === "large" ? between(walk, 1.1, 1.3) : between(walk, 1.25, 1.7);
  const tilt = target.stratum === "large" ? between(walk, -0.5, -0.1) : between(walk, 1.1, 1.7);
  const reach = (1.06 * radius * Math.sqrt(target.stratum === "large" ? aspect : 1)) / body.wide;
  const [x, y] = place(body, Math.min(-0.25, reach - 0.9), between(walk, -0.14, 0.04));
  const liver = blob(walk, x, y, radius, form(walk, aspect, tilt, 0.075));
  const part = Math.sqrt(between(walk, 0.03, 0.16));
  const off = between(walk, 0, 0.45) * radius;
  const turn = between(walk, 0, 2 * Math.PI);
  const [tx, ty] = [x + Math.cos(turn) * off, y + Math.sin(turn) * off];
  const tumour = blob(walk, tx, ty, Math.max(1.4, part * radius), form(walk, between(walk, 1, 1.3), turn, 0.08));
  const mask = filled({ width: side, height: side }, 1, 0);
  const at = (pixel: number) => [pixel % side, Math.floor(pixel / side)] as const;
  for (let pixel = 0; pixel < mask.data.length; pixel++) {
    const [px, py] = at(pixel);
    if (Math.hypot(px - x, py - y) > liver.reach + 1 || liver.distance(px, py) > 0) continue;
    if (toCavity(body, px, py) > 0) continue;
    mask.data[pixel] = tumour.distance(px, py) <= 0 ? 2 : 1;
  }
  return { mask, liver, tumour };
}

/** Paints one grey value under an outline, with the blur of the reconstruction at its edge. */
function cover(
  canvas: Canvas,
  shape: Blob,
  value: (u: number, v: number, distance: number) => number,
  soft = 0.9,
): void {
  canvas.around(shape.x, shape.y, shape.reach + 3 * soft, (pixel, dx, dy) => {
    const [x, y] = [shape.x + dx, shape.y + dy];
    const distance = shape.distance(x, y);
    const alpha = smooth(soft, -soft, distance);
    if (alpha === 0) return;
    const grey = value(x / canvas.side, y / canvas.side, distance);
    canvas.blend(pixel, [grey, grey, grey], alpha);
  });
}

/** Skin, fat under it, the muscular wall, fat inside; the table below. */
function paintBody(canvas: Canvas, walk: Random, body: Body): void {
  const { side } = canvas;
  const { fat: thick, wall } = body;
  const fibres = noise(walk, 24, 2);
  const strands = noise(walk, 16, 3);
  cover(canvas, body.outline, (u, v, distance) => {
    // Behind, the back's muscles are thicker.
    const behind = smooth(0.25, 0.8, (v * side - body.y) / body.high);
    const deep = -distance - thick * (1 + 0.3 * fibres(u * 0.2, v * 0.2));
    const muscle = smooth(-1, 1, deep) * smooth(wall * (1 + 3.2 * behind) + 1, wall * (1 + 3.2 * behind) - 1, deep);
    const fat = TISSUE.fat + 0.05 * Math.max(0, strands(u, v));
    const skin = smooth(2.2, 0.8, -distance) * 0.36;
    return fat + skin + muscle * (TISSUE.muscle - fat + 0.05 * fibres(u, v));
  });
  const bed = { x: side / 2, y: side * (0.4 - 1.15), radius: side * 1.66 };
  for (let pixel = 0; pixel < side * side; pixel++) {
    const [x, y] = [pixel % side, Math.floor(pixel / side)];
    if (body.outline.distance(x, y) < 2 || y < side / 2 || Math.abs(x - side / 2) > 0.46 * side) continue;
    const off = Math.hypot(x - bed.x, y - bed.y) - bed.radius;
    const line =
      0.5 * Math.exp(-((off / 1.1) ** 2)) +
      0.12 * smooth(0.035 * side, 0.03 * side, Math.abs(off - 0.03 * side)) * smooth(0, 2, off);
    canvas.blend(pixel, [0.8, 0.8, 0.8], line);
  }
}

/** Vertebra with its canal and processes, and ribs cut slantwise in the wall. */
function paintBones(canvas: Canvas, walk: Random, body: Body): void {
  const { side } = canvas;
  const spongy = noise(walk, 40, 2);
  const bone = (u: number, v: number, distance: number) =>
    clamp(TISSUE.bone - 0.2 * smooth(-1, -4, distance) + 0.1 * spongy(u, v), 0.6, 1);
  const [x, y] = place(body, 0, 0.5);
  cover(canvas, blob(walk, x, y, 0.052 * side, form(walk, 1.25, 0, 0.05)), bone);
  for (const turn of [-1, 1]) {
    cover(
      canvas,
      blob(walk, x + turn * 0.055 * side, y + 0.062 * side, 0.019 * side, form(walk, 2.6, turn * 0.5)),
      bone,
    );
  }
  cover(canvas, blob(walk, x, y + 0.1 * side, 0.017 * side, form(walk, 2.4, Math.PI / 2)), bone);
  cover(canvas, blob(walk, x, y + 0.062 * side, 0.021 * side, form(walk, 1.2, 0)), () => 0.42);
  for (let count = 4 + walk.integer(6); count > 0; count--) {
    const angle = between(walk, -0.6, 0.75) + (walk.uniform() < 0.5 ? Math.PI : 0);
    const [rx, ry] = place(body, 0.88 * Math.cos(angle), 0.88 * Math.sin(angle) * Math.sign(Math.cos(angle) || 1));
    cover(
      canvas,
      blob(walk, rx, ry, between(walk, 0.01, 0.016) * side, form(walk, between(walk, 1.5, 2.8), angle + Math.PI / 2)),
      bone,
    );
  }
}

function paintKidney(canvas: Canvas, walk: Random, body: Body, turn: number): void {
  const { side } = canvas;
  const size = between(walk, 0.048, 0.066) * side;
  const [x, y] = place(body, turn * between(walk, 0.44, 0.52), between(walk, 0.36, 0.46));
  const tilt = Math.PI / 2 + turn * between(walk, 0.3, 0.6);
  const pyramids = noise(walk, (3.4 * side) / size / 2, 1);
  cover(canvas, blob(walk, x, y, size, form(walk, 1.45, tilt, 0.05)), (u, v, distance) => {
    const inner = smooth(-0.2 * size, -0.42 * size, distance);
    return TISSUE.kidney + 0.06 - inner * (0.13 + 0.09 * pyramids(u, v));
  });
  const hilum = blob(walk, x - turn * size * 0.45, y + size * 0.1, size * 0.36, form(walk, 1.5, tilt, 0.1));
  cover(canvas, hilum, () => TISSUE.fat + 0.06, size * 0.12);
}

/** Loops of bowel with a wall, content or gas, where nothing else lies. */
function paintBowel(canvas: Canvas, walk: Random, body: Body): void {
  const { side } = canvas;
  const folds = noise(walk, 22, 2);
  for (let count = 15 + walk.integer(12); count > 0; count--) {
    const [x, y] = place(body, between(walk, -0.62, 0.68), between(walk, -0.62, 0.3));
    const size = between(walk, 0.022, 0.05) * side;
    const filling = walk.uniform();
    const loop = blob(walk, x, y, size, form(walk, between(walk, 1, 1.9), between(walk, 0, 3.1), 0.09));
    const gas = filling < 0.24;
    cover(canvas, loop, (u, v, distance) => {
      const wall = smooth(-size * 0.3, -size * 0.12, distance);
      // Gas rises: the upper part is black down to a level.
      const level = smooth(-0.1, 0.1, (v * side - y) / size - 0.15);
      const content = gas
        ? TISSUE.air + (TISSUE.bowel - TISSUE.air) * level
        : TISSUE.bowel - 0.12 + 0.3 * (filling - 0.24) + 0.09 * folds(u, v);
      return content + (TISSUE.bowel + 0.07 - content) * wall;
    });
  }
}

function paintVessels(canvas: Canvas, walk: Random, body: Body): void {
  const { side } = canvas;
  const disc = (across: number, down: number, radius: number, grey: number) => {
    const [x, y] = place(body, across, down);
    cover(canvas, blob(walk, x, y, radius * side, form(walk, 1.1, 0, 0.02)), () => grey);
  };
  disc(0.06, 0.28, between(walk, 0.021, 0.027), between(walk, TISSUE.vessel, 0.97));
  disc(-0.13, 0.26, between(walk, 0.024, 0.03), TISSUE.vessel - 0.12);
  for (let count = 6 + walk.integer(8); count > 0; count--) {
    disc(between(walk, -0.2, 0.5), between(walk, -0.4, 0.2), between(walk, 0.004, 0.009), TISSUE.vessel);
  }
}

function paintSpleen(canvas: Canvas, walk: Random, body: Body): void {
  const [x, y] = place(body, 0.62, between(walk, 0.0, 0.16));
  const spleen = blob(
    walk,
    x,
    y,
    between(walk, 0.07, 0.095) * canvas.side,
    form(walk, 2, between(walk, 1.1, 1.5), 0.06),
  );
  const pulp = noise(walk, 18, 2);
  cover(canvas, spleen, (u, v) => TISSUE.spleen + 0.015 * pulp(u, v));
}

/** Parenchyma with bright vessel cross-sections; the tumour takes up less contrast, with a rim and a dark core. */
function paintLiver(canvas: Canvas, walk: Random, body: Body, { liver, tumour, mask }: Drawing): void {
  const { side } = canvas;
  const within = (x: number, y: number) => smooth(0.8, -0.8, Math.max(liver.distance(x, y), toCavity(body, x, y)));
  const pulp = noise(walk, 14, 3);
  const core = between(walk, 0.06, 0.2);
  const rim = between(walk, -0.02, 0.08);
  const spots = noise(walk, 30, 2);
  const size = Math.sqrt(mask.data.reduce((sum, label) => sum + (label === 2 ? 1 : 0), 0) / Math.PI);
  canvas.around(liver.x, liver.y, liver.reach + 2, (pixel, dx, dy) => {
    const [x, y] = [liver.x + dx, liver.y + dy];
    const [u, v] = [x / side, y / side];
    const grey = TISSUE.liver + 0.02 * pulp(u, v);
    canvas.blend(pixel, [grey, grey, grey], within(x, y));
  });
  for (let count = 5 + walk.integer(9); count > 0; count--) {
    const [off, turn] = [between(walk, 0.1, 0.8) * liver.reach, between(walk, 0, 2 * Math.PI)];
    const [x, y] = [liver.x + Math.cos(turn) * off, liver.y + Math.sin(turn) * off];
    const vein = blob(walk, x, y, between(walk, 0.02, 0.06) * liver.reach, form(walk, between(walk, 1, 3.5), turn));
    canvas.around(x, y, vein.reach + 2, (pixel, dx, dy) => {
      const alpha = smooth(1, -1, vein.distance(x + dx, y + dy)) * within(x + dx, y + dy);
      canvas.blend(pixel, [0.72, 0.72, 0.72], alpha);
    });
  }
  const fade = Math.max(1, 0.1 * size);
  canvas.around(tumour.x, tumour.y, tumour.reach + 3 * fade, (pixel, dx, dy) => {
    const [x, y] = [tumour.x + dx, tumour.y + dy];
    const distance = tumour.distance(x, y);
    const alpha = smooth(fade, -fade, distance) * within(x, y);
    const middle = smooth(1, 0.35, tumour.ratio(x, y));
    const grey =
      TISSUE.liver -
      0.16 -
      core * middle +
      rim * Math.exp(-((distance / (1.5 * fade)) ** 2)) +
      0.05 * spots(x / side, y / side);
    canvas.blend(pixel, [grey, grey, grey], alpha);
  });
}

/**
 * A CT-like slice of the abdomen in a soft-tissue window: a liver with a tumour in it, between organs that are
 * neither. Picture `index` of `seed`: RGB of equal channels and a mask with 0 everything else, 1 liver, 2 tumour.
 */
export function ctPicture(seed: number, index: number, side: number, stratum: Stratum): BytePair {
  const walk = random(seed, "ct", index);
  const target = drawSize(walk, stratum, 19);
  const body = drawBody(walk, side);
  const drawing = fitScale(target.share, 0.7, 1.5, (scale) => drawLiver(seed, index, body, target, scale));
  const canvas = new Canvas(side);
  paintBody(canvas, walk, body);
  paintBowel(canvas, walk, body);
  paintSpleen(canvas, walk, body);
  for (const turn of [-1, 1]) paintKidney(canvas, walk, body, turn);
  paintVessels(canvas, walk, body);
  paintBones(canvas, walk, body);
  paintLiver(canvas, walk, body, drawing);
  // Quantum noise, streaked along the rows through the shoulders of the body.
  const streaks = noise(walk, 60, 2, 0.2);
  canvas.rgb.forEach((value, at) => {
    const pixel = Math.floor(at / 3);
    const [u, v] = [(pixel % side) / side, Math.floor(pixel / side) / side];
    canvas.rgb[at] = value === 0 ? 0 : clamp(value + 0.015 * streaks(u, v));
  });
  const image = canvas.toImage(walk, 0.055, 0);
  return { image, mask: drawing.mask };
}
