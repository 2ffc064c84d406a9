/**
 * How well objects that touch are parted, on masks whose objects are known:
 *
 *     npx tsx bench/touching-nuclei.ts MASKS [ANNOTATED]
 *
 * MASKS is a folder of masks of one class, ANNOTATED how many objects their annotators drew in all before they were united. Twice
 * counted: the masks' own objects, and clusters of 2 to 5 of them moved together until they touch, whose parts are known. For
 * clusters objects are taken that fill 95 % of their convex outline: as far as a mask tells these are single ones.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readMask } from "../src/data/decode.ts";
import { type Random, random } from "../src/kernels/random.ts";
import { compareObjects, objectScores } from "../src/metrics/object-scores.ts";
import { convexHull, type Point } from "../src/objects/hull.ts";
import { type MaskObject, objectsOf, type PartingDepths } from "../src/objects/split.ts";

const DEPTHS = [null, 0.5, 0.75, 1, 1.5, 2] as const;
const SIDE = 128;
const FIELDS = 60;
const LEAST_AREA = 30;
const LARGEST = 40;

/** An object's pixels as columns and rows from its box's corner. */
type Stamp = readonly Point[];

const label = (depth: number | null) => (depth === null ? "components" : `separated, ${depth} px`);

const print = (line: string) => process.stdout.write(`${line}\n`);

async function main([folder = "", annotated]: readonly string[]): Promise<void> {
  const stamps: Stamp[] = [];
  const counts = DEPTHS.map(() => 0);
  for (const name of readdirSync(folder).sort()) {
    const mask = await readMask(join(folder, name));
    for (const [at, depth] of DEPTHS.entries())
      counts[at] = (counts[at] ?? 0) + objectsOf(mask.data, mask, 2, { depths: [depth] }).length;
    for (const { pixels } of objectsOf(mask.data, mask, 2)) {
      const stamp = stampOf(pixels, mask.width);
      if (isRound(stamp)) stamps.push(stamp);
    }
  }
  print(`${folder}: objects in all masks${annotated ? `, ${annotated} annotated` : ""}`);
  for (const [at, depth] of DEPTHS.entries()) {
    const error = annotated ? `  ${(100 * ((counts[at] ?? 0) / Number(annotated) - 1)).toFixed(1)} %` : "";
    print(`  ${label(depth).padEnd(20)} ${counts[at]}${error}`);
  }
  print(`${FIELDS} fields of touching clusters made of ${stamps.length} of them (seed 0):`);
  const fields = Array.from({ length: FIELDS }, (_, at) => fieldOf(random(0, "clusters", at), stamps));
  for (const depth of DEPTHS) print(`  ${label(depth).padEnd(20)} ${scoreText(fields, [depth])}`);
}

function stampOf(pixels: readonly number[], width: number): Stamp {
  const columns = pixels.map((at) => at % width);
  const rows = pixels.map((at) => Math.floor(at / width));
  const [left, top] = [Math.min(...columns), Math.min(...rows)];
  return columns.map((column, at) => [column - left, (rows[at] ?? 0) - top] as const);
}

/** Whether an object is of a size to have a shape and fills its convex outline. */
function isRound(stamp: Stamp): boolean {
  const reach = Math.max(...stamp.flat());
  if (stamp.length < LEAST_AREA || reach > LARGEST) return false;
  const corners = stamp.flatMap(([x, y]): Point[] => [
    [x, y],
    [x + 1, y],
    [x, y + 1],
    [x + 1, y + 1],
  ]);
  const hull = convexHull(corners);
  const doubled = hull.reduce((sum, [x, y], at) => {
    const [nextX = 0, nextY = 0] = hull[(at + 1) % hull.length] ?? [];
    return sum + x * nextY - nextX * y;
  }, 0);
  // The hull of pixels' corners is half a pixel wider than what they fill.
  return stamp.length >= 0.95 * (Math.abs(doubled) / 2 - Math.sqrt(stamp.length));
}

interface FieldMap {
  readonly labels: Uint8Array;
  readonly truth: readonly MaskObject[];
}

/** Clusters on a field: each further object comes from a side until it touches, and lies on nothing. */
function fieldOf(walk: Random, stamps: readonly Stamp[]): FieldMap {
  const owners = new Int32Array(SIDE * SIDE);
  let number = 0;
  for (const [x, y] of [
    [4, 4],
    [68, 4],
    [4, 68],
    [68, 68],
  ] as const) {
    const limit = { left: x, top: y, right: x + 56, bottom: y + 56 };
    const first = number;
    for (let more = 2 + walk.integer(4); more > 0; more--) {
      const stamp = stamps[walk.integer(stamps.length)] ?? [];
      if (place(owners, stamp, limit, number + 1, number > first, walk)) number++;
    }
  }
  const truth = Array.from({ length: number }, (_, at) => ({
    class: 1,
    pixels: [...owners.keys()].filter((place) => owners[place] === at + 1),
  }));
  return { labels: Uint8Array.from(owners, (owner) => (owner > 0 ? 1 : 0)), truth };
}

interface Limit {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Puts an object where it lies on nothing and, where it must, has a neighbour by a side; false where there is no such place. */
function place(
  owners: Int32Array,
  stamp: Stamp,
  limit: Limit,
  number: number,
  mustTouch: boolean,
  walk: Random,
): boolean {
  const [width, height] = [0, 1].map((axis) => 1 + Math.max(...stamp.map((point) => point[axis] ?? 0)));
  const corners: number[] = [];
  for (let top = limit.top; top + (height ?? 0) <= limit.bottom; top++) {
    for (let left = limit.left; left + (width ?? 0) <= limit.right; left++) corners.push(top * SIDE + left);
  }
  const places = corners.filter((corner) => {
    const own = stamp.map(([x, y]) => corner + y * SIDE + x);
    if (own.some((at) => owners[at] !== 0)) return false;
    const touches = own.some((at) => [1, -1, SIDE, -SIDE].some((step) => (owners[at + step] ?? 0) > 0));
    return touches === mustTouch;
  });
  if (places.length === 0) return false;
  const corner = places[walk.integer(places.length)] ?? 0;
  for (const [x, y] of stamp) owners[corner + y * SIDE + x] = number;
  return true;
}

function scoreText(fields: readonly FieldMap[], depths: PartingDepths): string {
  const size = { width: SIDE, height: SIDE };
  const images = fields.map(({ labels, truth }, at) =>
    compareObjects({
      ...{ image: String(at), class: 1, truth, pixels: labels.length },
      predicted: objectsOf(labels, size, 2, { depths }),
    }),
  );
  const { all } = objectScores(images);
  const { bias, low, high, absolute } = all.counts;
  const numbers = [bias, low, high, absolute, all.pq].map((value) => value.toFixed(2));
  const [b, l, h, a, pq] = numbers;
  const ap = all.overlaps[0]?.ap.toFixed(2);
  return `${all.predicted} of ${all.truth}; a field: bias ${b}, limits ${l} .. ${h}, mean |error| ${a}; PQ ${pq}, AP 0.5 ${ap}`;
}

await main(process.argv.slice(2));
