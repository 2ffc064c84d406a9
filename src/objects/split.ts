import { components } from "../metrics/components.ts";
import { distances } from "../metrics/distance.ts";
import type { Labels } from "../metrics/totals.ts";
import { seedsOf, standingTops } from "./maxima.ts";
import { type Patch, patchOf, placeIn } from "./patch.ts";
import { watershed } from "./watershed.ts";

/** One object of a mask: its class's index from 1 on, and the places of its pixels, `row * width + column`. */
export interface MaskObject {
  readonly class: number;
  readonly pixels: readonly number[];
}

/** Columns and rows of a mask. */
export interface Sides {
  readonly width: number;
  readonly height: number;
}

/**
 * By foreground class, the first being class 1: touching objects are parted where the way from one middle to the other comes
 * nearer to the border by more than this, in pixels (the h of an h-maxima transform of the distance map); null or left out:
 * connected components are not parted.
 */
export type PartingDepths = readonly (number | null)[];

/** The depth for those who have chosen none, in pixels: above the steps of distances on a grid, below most necks. */
export const USUAL_DEPTH = 0.75;

/** How touching objects are parted. */
export interface Parting {
  /** Left out: not at all. */
  readonly depths?: PartingDepths | undefined;
  /** `[height, width]`, 1 where a network sees a border between objects: these are then parted by it and not at necks. */
  readonly borders?: Uint8Array | undefined;
}

/** Distance of every pixel inside to the nearest pixel of the image outside the object; 0 elsewhere. */
export function distanceMap(patch: Patch, image: Sides): Float64Array {
  const { inside, width, height, left, top } = patch;
  const own: number[] = [];
  const outside: number[] = [];
  for (let at = 0; at < inside.length; at++) {
    const row = Math.floor(at / width) + top;
    const column = (at % width) + left;
    if (inside[at] === 1) own.push(at);
    else if (row >= 0 && row < image.height && column >= 0 && column < image.width) outside.push(at);
  }
  const axis = (extent: number, stride: number) => ({ extent, stride, spacing: 1 });
  const found = distances(own, outside, [axis(height, width), axis(width, 1), axis(1, inside.length)]);
  const map = new Float64Array(inside.length);
  for (const [index, at] of own.entries()) map[at] = found[index] ?? 0;
  return map;
}

/**
 * Parts one connected component where its outline has necks: seeds are the tops of its distance map that stand out by more than
 * `depth` pixels, a watershed on that map gives each pixel to one of them. In the order of first pixels; the component itself
 * where there is one top, or where it fills the image.
 */
export function parted(pixels: readonly number[], image: Sides, depth: number): (readonly number[])[] {
  const patch = patchOf(pixels, image.width);
  const heights = distanceMap(patch, image);
  if (!heights.every(Number.isFinite)) return [pixels];
  const tops = standingTops(patch, heights, depth);
  if (tops.length < 2) return [pixels];
  return byOwner(pixels, patch, image, watershed(patch, heights, seedsOf(patch, heights, tops, depth)));
}

/**
 * Parts one connected component by the borders that a network sees in it: seeds are its connected pieces without their border that have a
 * pixel more than `depth` away from what is none of them, a watershed on that distance gives each pixel to one. In the order of
 * first pixels; the component itself where there are fewer than two seeds.
 */
function partedByBorders(
  pixels: readonly number[],
  image: Sides,
  depth: number,
  borders: Uint8Array,
): (readonly number[])[] {
  const interior = pixels.filter((at) => borders[at] !== 1);
  if (interior.length === 0 || interior.length === pixels.length) return [pixels];
  const patch = patchOf(pixels, image.width);
  const inside = new Uint8Array(patch.inside.length);
  for (const at of interior) inside[placeIn(patch, at, image.width)] = 1;
  const heights = distanceMap({ ...patch, inside }, image);
  const cores = components(inside, 1, patch.height, patch.width).filter((core) =>
    core.some((at) => (heights[at] ?? 0) > depth),
  );
  if (cores.length < 2) return [pixels];
  const seeds = new Int32Array(inside.length);
  for (const [index, core] of cores.entries()) for (const at of core) seeds[at] = index + 1;
  return byOwner(pixels, patch, image, watershed(patch, heights, seeds));
}

function byOwner(pixels: readonly number[], patch: Patch, { width }: Sides, owners: Int32Array): number[][] {
  const found = new Map<number, number[]>();
  for (const at of [...pixels].sort((one, two) => one - two)) {
    const owner = owners[placeIn(patch, at, width)] ?? 0;
    const list = found.get(owner) ?? [];
    found.set(owner, list);
    list.push(at);
  }
  return [...found.values()];
}

/**
 * The objects of a mask `[height, width]` of class indices, class after class, in the order of their first pixels: 8-connected
 * components, parted as asked. 0 and labels from `classes` on are no objects.
 */
export function objectsOf(
  labels: Labels,
  image: Sides,
  classes: number,
  { depths = [], borders }: Parting = {},
): MaskObject[] {
  return Array.from({ length: classes - 1 }, (_, index) => {
    const whole: readonly (readonly number[])[] = components(labels, index + 1, image.height, image.width);
    const depth = depths[index] ?? null;
    if (depth === null) return whole.map((pixels) => ({ class: index + 1, pixels }));
    const pieces = whole.flatMap((pixels) =>
      borders ? partedByBorders(pixels, image, depth, borders) : parted(pixels, image, depth),
    );
    return pieces.sort(byFirst).map((pixels) => ({ class: index + 1, pixels }));
  }).flat();
}

const byFirst = ([one = 0]: readonly number[], [two = 0]: readonly number[]) => one - two;
