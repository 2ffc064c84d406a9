import { type Random, random } from "../../kernels/random.ts";
import type { Rgb } from "../codec/png-read.ts";
import type { BytePair } from "../image/augment.ts";
import { type ByteImage, filled } from "../image/image.ts";
import { between, Canvas, clamp, mix, noise, smooth } from "./canvas.ts";
import { alongStroke, type Blob, blob, type StrokePoint } from "./outline.ts";
import { drawSize, fitScale, inside, type Stratum } from "./stratum.ts";

interface Cell {
  readonly label: 1 | 2;
  readonly heads: readonly Blob[];
  /** Midpiece and tail: from the head's rear on. */
  readonly tail: readonly StrokePoint[];
  readonly angle: number;
  /** Half the length of a normal head in pixels. */
  readonly unit: number;
}

type Deformity = "none" | "round" | "tapered" | "two heads" | "coiled tail";

const HEADS: Record<Deformity, { readonly size: number; readonly aspect: number; readonly rough: number }> = {
  none: { size: 0.79, aspect: 1.62, rough: 0.015 },
  round: { size: 1.02, aspect: 1.08, rough: 0.09 },
  tapered: { size: 0.72, aspect: 2.7, rough: 0.05 },
  "two heads": { size: 0.68, aspect: 1.5, rough: 0.04 },
  "coiled tail": { size: 0.78, aspect: 1.5, rough: 0.03 },
};

/** A tail of about nine head lengths that swings; a coiled one winds up behind the head. */
function tailOf(walk: Random, x: number, y: number, angle: number, unit: number, coiled: boolean): StrokePoint[] {
  const steps = 44;
  const length = unit * (coiled ? 7.5 : between(walk, 8.5, 11));
  const swing = between(walk, 0.25, 0.65) * (walk.uniform() < 0.5 ? -1 : 1);
  const waves = between(walk, 0.7, 1.4) * 2 * Math.PI;
  const drift = between(walk, -0.5, 0.5);
  const points: StrokePoint[] = [];
  let [px, py] = [x, y];
  for (let k = 0; k <= steps; k++) {
    const t = k / steps;
    // The midpiece, a tenth of the whole, is about three times as thick as the end.
    const half = unit * (t < 0.1 ? 0.16 : 0.085 - 0.045 * t);
    points.push({ x: px, y: py, half: Math.max(0.4, half) });
    const turn = coiled ? Math.sign(swing) * (9.5 * t ** 0.8) : swing * Math.sin(waves * t) + drift * t;
    px += (Math.cos(angle + turn) * length) / steps;
    py += (Math.sin(angle + turn) * length) / steps;
  }
  return points;
}

function drawCell(walk: Random, x: number, y: number, unit: number): Cell {
  const kinds = ["round", "tapered", "two heads", "coiled tail"] as const;
  const kind: Deformity = walk.uniform() < 0.6 ? "none" : (kinds[walk.integer(4)] ?? "round");
  const angle = between(walk, 0, 2 * Math.PI);
  const { size, aspect, rough } = HEADS[kind];
  const harmonics = [rough, rough, rough / 2];
  const turns = kind === "two heads" ? [-0.42, 0.42] : [0];
  const heads = turns.map((turn) => {
    const [hx, hy] = [x - Math.sin(angle) * turn * unit, y + Math.cos(angle) * turn * unit];
    return blob(walk, hx, hy, size * unit, { harmonics, aspect, angle: angle + turn * 0.5 });
  });
  const back = size * unit * Math.sqrt(aspect) * 0.94;
  const rear = angle + Math.PI;
  const tail = tailOf(walk, x + Math.cos(rear) * back, y + Math.sin(rear) * back, rear, unit, kind === "coiled tail");
  return { label: kind === "none" ? 1 : 2, heads, tail, angle, unit };
}

/** Calls `visit` with the pixels of a cell. */
function pixelsOf(cell: Cell, side: number): Set<number> {
  const found = new Set<number>();
  const canvas = { side };
  for (const head of cell.heads) {
    Canvas.prototype.around.call(canvas, head.x, head.y, head.reach, (pixel, dx, dy) => {
      if (head.distance(head.x + dx, head.y + dy) <= 0) found.add(pixel);
    });
  }
  alongStroke(side, cell.tail, 0, (pixel) => found.add(pixel));
  return found;
}

interface Drawing {
  readonly mask: ByteImage;
  readonly cells: readonly Cell[];
}

/** Cells that do not touch: a new one that would is tried elsewhere, then left out. */
function drawCells(seed: number, index: number, side: number, unit: number, wanted: number): Drawing {
  const walk = random(seed, "sperm places", index);
  const mask = filled({ width: side, height: side }, 1, 0);
  const cells: Cell[] = [];
  const touches = (pixels: ReadonlySet<number>) => {
    for (const pixel of pixels) {
      for (const step of [0, -1, 1, -side, side, -side - 1, side + 1, 1 - side, side - 1]) {
        if ((mask.data[pixel + step] ?? 0) !== 0) return true;
      }
    }
    return false;
  };
  for (let tries = 0; cells.length < wanted && tries < 6 * wanted; tries++) {
    const [x, y] = inside(walk, side, 1.3 * unit);
    const cell = drawCell(walk, x, y, unit);
    const pixels = pixelsOf(cell, side);
    if (touches(pixels)) continue;
    for (const pixel of pixels) mask.data[pixel] = cell.label;
    cells.push(cell);
  }
  return { mask, cells };
}

function paintSlide(canvas: Canvas, walk: Random): void {
  const glass: Rgb = mix([0.82, 0.83, 0.95], [0.9, 0.87, 0.93], walk.uniform());
  const patches = noise(walk, 3, 3);
  const grain = noise(walk, 30, 3);
  const [lx, ly] = [between(walk, 0.35, 0.65), between(walk, 0.35, 0.65)];
  canvas.fill((u, v) => {
    const light = 1.03 - 0.3 * ((u - lx) ** 2 + (v - ly) ** 2) + 0.022 * patches(u, v) + 0.018 * grain(u, v);
    return [glass[0] * light, glass[1] * light, glass[2] * light];
  });
}

/** Stain that settled, and rubble: smudges and specks without form. */
function paintDebris(canvas: Canvas, walk: Random, unit: number): void {
  for (let count = 8 + walk.integer(30); count > 0; count--) {
    const [x, y] = inside(walk, canvas.side, 0);
    const size = unit * between(walk, 0.04, 0.22) + 0.5;
    const tone = mix([0.45, 0.45, 0.75], [0.62, 0.5, 0.78], walk.uniform());
    canvas.dot(x, y, size, tone, between(walk, 0.15, 0.5), Math.max(0.8, size * 0.5));
  }
  for (let count = walk.integer(4); count > 0; count--) {
    const [x, y] = inside(walk, canvas.side, 0);
    const smudge = blob(walk, x, y, unit * between(walk, 0.4, 0.9), {
      harmonics: [0.3, 0.25, 0.2, 0.15],
      aspect: 1.6,
      angle: 1,
    });
    canvas.around(x, y, smudge.reach + 4, (pixel, dx, dy) => {
      const soft = unit * 0.25;
      canvas.blend(pixel, [0.56, 0.55, 0.8], 0.28 * smooth(soft, -soft, smudge.distance(x + dx, y + dy)));
    });
  }
}

function paintTail(canvas: Canvas, { tail }: Cell, strength: number): void {
  const cover = new Map<number, readonly [number, number]>();
  alongStroke(canvas.side, tail, 1.2, (pixel, { distance, along }) => {
    const alpha = smooth(0.8, -0.6, distance) * strength * (along < 0.1 ? 1.25 : 1 - 0.35 * along);
    if (alpha > (cover.get(pixel)?.[0] ?? 0)) cover.set(pixel, [alpha, along]);
  });
  for (const [pixel, [alpha, along]] of cover) {
    canvas.blend(pixel, mix([0.38, 0.3, 0.62], [0.56, 0.54, 0.8], smooth(0.08, 0.2, along)), Math.min(1, alpha));
  }
}

/** The front half (acrosome) takes less stain than the nucleus behind it; the rim is dark, the middle a little lit. */
function paintHead(canvas: Canvas, walk: Random, head: Blob, { angle, unit }: Cell): void {
  const nucleus: Rgb = mix([0.26, 0.08, 0.5], [0.2, 0.12, 0.58], walk.uniform());
  const front: Rgb = mix([0.66, 0.5, 0.84], [0.72, 0.5, 0.76], walk.uniform());
  const border = between(walk, -0.1, 0.25);
  const mottle = noise(walk, (3 * canvas.side) / unit, 2);
  const soft = Math.max(0.7, unit * 0.07);
  canvas.around(head.x, head.y, head.reach + 3 * soft, (pixel, dx, dy) => {
    const [x, y] = [head.x + dx, head.y + dy];
    const distance = head.distance(x, y);
    const cover = smooth(soft * 0.9, -soft * 0.7, distance);
    if (cover === 0) return;
    const forward = (Math.cos(angle) * dx + Math.sin(angle) * dy) / unit;
    const bend = 0.25 * mottle(x / canvas.side + 0.3, y / canvas.side) - (forward * forward) / 6;
    const stain = smooth(border + 0.22, border - 0.22, forward + bend);
    const rim = 0.22 * smooth(-0.28 * unit, 0, distance);
    const shade = 1 - rim + 0.06 * mottle(x / canvas.side, y / canvas.side);
    const colour = mix(front, nucleus, clamp(stain * 0.95));
    canvas.blend(pixel, [colour[0] * shade, colour[1] * shade, colour[2] * shade], cover * 0.96);
  });
}

/**
 * Stained sperm under the microscope: normal ones and deformed ones (1 and 2), each with head, midpiece and tail.
 * Picture `index` of `seed`: RGB and a mask with 0 slide, 1 normal sperm, 2 deformed sperm.
 */
export function spermPicture(seed: number, index: number, side: number, stratum: Stratum): BytePair {
  const walk = random(seed, "sperm", index);
  const { share, stratum: drawn } = drawSize(walk, stratum, 15);
  // Pixels of a cell: head, midpiece and tail add up to about 3.4 times its unit squared.
  const unit = Math.sqrt(((share / 100) * side * side) / 3.4);
  const wanted = drawn === "ultra" ? 5 + walk.integer(8) : drawn === "small" ? 2 + walk.integer(3) : 1;
  const { mask, cells } = fitScale(share, 0.5, 2, (scale) => drawCells(seed, index, side, unit * scale, wanted));
  const canvas = new Canvas(side);
  paintSlide(canvas, walk);
  paintDebris(canvas, walk, unit);
  const strength = between(walk, 0.5, 0.75);
  for (const cell of cells) paintTail(canvas, cell, strength);
  for (const cell of cells) for (const head of cell.heads) paintHead(canvas, walk, head, cell);
  return { image: canvas.toImage(walk, 0.012, 0.008), mask };
}
