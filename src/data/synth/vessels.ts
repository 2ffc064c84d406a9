import { type Random, random } from "../../kernels/random.ts";
import type { Rgb } from "../codec/png-read.ts";
import type { BytePair } from "../image/augment.ts";
import { type ByteImage, filled } from "../image/image.ts";
import { between, Canvas, clamp, mix, noise, smooth } from "./canvas.ts";
import { alongStroke, type StrokePoint } from "./outline.ts";
import { drawSize, fitScale, type Stratum } from "./stratum.ts";

/** Lengths in shares of the side. */
interface Eye {
  readonly disc: readonly [x: number, y: number];
  readonly discRadius: number;
  readonly macula: readonly [x: number, y: number];
  /** The round field of view; larger than the picture for a close view. */
  readonly view: number;
  /** Magnification against the usual view of 45 degrees. */
  readonly zoom: number;
}

interface Branch {
  readonly points: readonly StrokePoint[];
  readonly artery: boolean;
  /** 0 for a trunk. */
  readonly order: number;
  /** Which of the trees that leave the disc it belongs to. */
  readonly tree: number;
}

function drawEye(walk: Random, close: boolean): Eye {
  const zoom = close ? between(walk, 1.7, 2.3) : 1;
  const left = walk.uniform() < 0.5 ? -1 : 1;
  const off = close ? between(walk, 0.02, 0.12) : between(walk, 0.2, 0.27);
  const disc = [0.5 + left * off, 0.5 + between(walk, -0.04, 0.04)] as const;
  return {
    disc,
    discRadius: between(walk, 0.058, 0.07) * zoom,
    macula: [disc[0] - left * 0.36 * zoom, disc[1] + 0.035 * zoom],
    view: close ? 2 : between(walk, 0.47, 0.5),
    zoom,
  };
}

/** What turns a vessel at (x, y): trunks on the temporal side curve round the macula instead of crossing it. */
function steer(eye: Eye, x: number, y: number, direction: number, side: number): number {
  const [dx, dy] = [x - eye.macula[0], y - eye.macula[1]];
  const near = Math.hypot(dx, dy) / eye.zoom;
  const around = Math.atan2(dy, dx) + side * Math.sign(eye.macula[0] - eye.disc[0]) * 1.45;
  return 0.16 * smooth(0.36, 0.14, near) * Math.sin(around - direction);
}

/** The kinds of vessels by order: steps to go, chance of a branch at each, share of the width left at the end. */
const ORDERS = [
  { steps: [38, 50], branching: 0.15, end: 0.35 },
  { steps: [12, 28], branching: 0.09, end: 0.25 },
  { steps: [7, 18], branching: 0, end: 0.3 },
] as const;

/** One vessel from `start` on, and its side branches behind it. */
function grow(
  walk: Random,
  eye: Eye,
  trunk: Omit<Branch, "points">,
  start: StrokePoint,
  heading: number,
  out: Branch[],
) {
  const kind = ORDERS[trunk.order];
  if (kind === undefined) return;
  const step = 0.012 * eye.zoom;
  const steps = Math.round(between(walk, kind.steps[0], kind.steps[1]));
  const points: StrokePoint[] = [start];
  const sway = between(walk, 0.5, 1.6);
  const phase = between(walk, 0, 6);
  const side = start.y < eye.macula[1] ? -1 : 1;
  const own: { point: StrokePoint; heading: number }[] = [];
  let { x, y } = start;
  let direction = heading;
  for (let k = 1; k <= steps; k++) {
    direction += steer(eye, x, y, direction, side) + 0.05 * sway * Math.sin(k * 0.45 + phase) + 0.06 * walk.normal();
    x += Math.cos(direction) * step;
    y += Math.sin(direction) * step;
    const point = { x, y, half: start.half * (1 - (1 - kind.end) * (k / steps)) };
    points.push(point);
    if (k > 3 && walk.uniform() < kind.branching) own.push({ point, heading: direction });
  }
  out.push({ ...trunk, points });
  for (const [k, { point, heading: at }] of own.entries()) {
    const turn = (k % 2 === 0 ? 1 : -1) * between(walk, 0.45, 0.95);
    const thinner = { ...point, half: point.half * between(walk, 0.5, 0.75) };
    grow(walk, eye, { ...trunk, order: trunk.order + 1 }, thinner, at + turn, out);
  }
}

/** All vessels, trunks first. Halves are in shares of the side for a tree of usual width. */
function drawTree(walk: Random, eye: Eye): Branch[] {
  const out: Branch[] = [];
  let tree = 0;
  const temporal = Math.atan2(0, eye.macula[0] - eye.disc[0]);
  for (const updown of [-1, 1]) {
    for (const artery of [false, true]) {
      const spread = between(walk, 0.85, 1.25) + (artery ? 0.18 : 0);
      const turned = temporal === 0 ? updown * spread : Math.PI - updown * spread;
      const offset = (artery ? 0.25 : -0.2) * eye.discRadius;
      const half = (artery ? 0.0042 : 0.0054) * eye.zoom;
      const start = { x: eye.disc[0] + offset, y: eye.disc[1] - updown * 0.08 * eye.discRadius, half };
      grow(walk, eye, { artery, order: 0, tree: tree++ }, start, turned, out);
      const nasal = Math.PI - turned + updown * between(walk, -0.3, 0.3);
      grow(walk, eye, { artery, order: 0, tree: tree++ }, { ...start, half: half * 0.72 }, nasal, out);
    }
  }
  return out.sort((a, b) => a.order - b.order);
}

const inView = (eye: Eye, side: number, pixel: number) =>
  Math.hypot((pixel % side) / side - 0.5, Math.floor(pixel / side) / side - 0.5) < eye.view;

const scaled = (points: readonly StrokePoint[], side: number, width: number): StrokePoint[] =>
  points.map(({ x, y, half }) => ({ x: x * side, y: y * side, half: Math.max(0.45, half * side * width) }));

/** The tree's pixels when every vessel is `width` times as wide as usual. */
function maskOf(branches: readonly Branch[], eye: Eye, side: number, width: number): ByteImage {
  const mask = filled({ width: side, height: side }, 1, 0);
  for (const { points } of branches) {
    alongStroke(side, scaled(points, side, width), 0, (pixel) => {
      if (inView(eye, side, pixel)) mask.data[pixel] = 1;
    });
  }
  return mask;
}

function paintFundus(canvas: Canvas, walk: Random, eye: Eye): void {
  const retina: Rgb = mix([0.8, 0.31, 0.1], [0.68, 0.33, 0.17], walk.uniform());
  const patches = noise(walk, 3, 3);
  const choroid = noise(walk, 11, 3);
  const grain = noise(walk, 70, 2);
  const rim: Rgb = [0.97, 0.72, 0.36];
  const [dx, dy] = [between(walk, -0.12, 0.12), between(walk, -0.12, 0.12)];
  const cup = between(walk, 0.3, 0.5);
  canvas.fill((u, v) => {
    const away = Math.hypot(u - 0.5 - dx, v - 0.5 - dy);
    const light = 1.05 - 0.75 * away ** 1.6 + 0.07 * patches(u, v) + 0.05 * choroid(u, v) + 0.02 * grain(u, v);
    const fovea = Math.exp(-((Math.hypot(u - eye.macula[0], v - eye.macula[1]) / (0.085 * eye.zoom)) ** 2));
    let colour: Rgb = [retina[0] * light, retina[1] * (light - 0.42 * fovea), retina[2] * (light - 0.45 * fovea)];
    colour = mix(colour, [colour[0] * 0.72, colour[1] * 0.85, colour[2]], 0.55 * fovea);
    const at = Math.hypot((u - eye.disc[0]) * 1.08, v - eye.disc[1]) / eye.discRadius;
    const disc = smooth(1.12, 0.92, at);
    const pale = mix(rim, [1, 0.9, 0.66], smooth(cup + 0.2, cup - 0.2, at));
    const glow = 0.22 * Math.exp(-(((at - 0.9) / 0.9) ** 2));
    const lit = mix(colour, [0.95, 0.55, 0.25], at < 1 ? glow : glow * 0.8);
    return mix(lit, [pale[0] * (0.86 + 0.1 * light), pale[1] * (0.86 + 0.1 * light), pale[2] * 0.95], disc);
  });
}

/** Vessels take light away, veins more than arteries; wide arteries show a bright line along the middle. */
function paintVessels(canvas: Canvas, branches: readonly Branch[], width: number): void {
  const { side } = canvas;
  const dark = new Float32Array(side * side);
  const reflex = new Float32Array(side * side);
  for (const { points, artery, order } of branches) {
    const depth = (artery ? 0.4 : 0.52) * (order > 1 ? 0.8 : 1);
    alongStroke(side, scaled(points, side, width), 1.4, (pixel, { distance, off, half }) => {
      // Thin vessels cover part of a pixel only, and fade.
      const cover = depth * smooth(0.9, -0.7, distance) * clamp(0.5 + 0.32 * half, 0.5, 1);
      if (cover <= (dark[pixel] ?? 0)) return;
      dark[pixel] = cover;
      reflex[pixel] = artery && half > 1.6 ? 0.2 * Math.exp(-((off / (0.33 * half)) ** 2)) : 0;
    });
  }
  dark.forEach((cover, pixel) => {
    if (cover === 0) return;
    const at = 3 * pixel;
    const gleam = 1 + (reflex[pixel] ?? 0);
    canvas.rgb[at] = (canvas.rgb[at] ?? 0) * (1 - 0.62 * cover) * gleam;
    canvas.rgb[at + 1] = (canvas.rgb[at + 1] ?? 0) * (1 - 1.15 * cover) * gleam;
    canvas.rgb[at + 2] = (canvas.rgb[at + 2] ?? 0) * (1 - 1.2 * cover) * gleam;
  });
}

/** Branches, trunks first, until their area is what the share has room for: a sparse tree of natural width, not a thin dense one. */
function within(branches: readonly Branch[], share: number, side: number): Branch[] {
  let left = share / 100;
  return branches.flatMap((branch) => {
    const { points } = branch;
    const kept = points.filter((point, k) => {
      const last = points[k - 1] ?? point;
      left -= Math.hypot(point.x - last.x, point.y - last.y) * 2 * Math.max(point.half * 0.85, 0.65 / side);
      return left > 0;
    });
    return kept.length > 2 ? { ...branch, points: kept } : [];
  });
}

/**
 * A fundus photograph with the vessel tree as truth: arcades leave the optic disc, branch, taper and bend round the
 * macula. Picture `index` of `seed`: RGB and a mask with 0 everything else, 1 vessel.
 */
export function vesselPicture(seed: number, index: number, side: number, stratum: Stratum): BytePair {
  const walk = random(seed, "vessels", index);
  const target = drawSize(walk, stratum, 18);
  const eye = drawEye(walk, target.stratum === "large");
  const tree = drawTree(walk, eye);
  const only = walk.integer(8);
  const trunks = target.stratum === "ultra" ? tree.filter((branch) => branch.tree === only) : tree;
  const branches = within(trunks, target.share, side);
  const { mask, width } = fitScale(target.share, 0.25, 4, (scale) => ({
    mask: maskOf(branches, eye, side, scale),
    width: scale,
  }));
  const canvas = new Canvas(side);
  paintFundus(canvas, walk, eye);
  paintVessels(canvas, branches, width);
  for (let pixel = 0; pixel < side * side; pixel++) {
    const away = Math.hypot((pixel % side) / side - 0.5, Math.floor(pixel / side) / side - 0.5);
    canvas.shade(pixel, smooth(eye.view + 0.004, eye.view - 0.004, away));
  }
  return { image: canvas.toImage(walk, 0.022, 0.007), mask };
}
