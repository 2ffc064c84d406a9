import { neighbourSteps, type Patch } from "./patch.ts";

/** Union-find over places: which have been joined so far, and the highest place of each region. */
class Regions {
  readonly #heights: Float64Array;
  readonly #parents: Int32Array;

  constructor(heights: Float64Array) {
    this.#heights = heights;
    this.#parents = new Int32Array(heights.length).fill(-1);
  }

  has(place: number): boolean {
    return (this.#parents[place] ?? -1) >= 0;
  }

  start(place: number): void {
    this.#parents[place] = place;
  }

  /** The highest place of a place's region, of equally high ones the first. */
  topOf(place: number): number {
    let root = place;
    for (let up = this.#parents[root] ?? root; up !== root; up = this.#parents[root] ?? root) {
      this.#parents[root] = this.#parents[up] ?? up;
      root = up;
    }
    return root;
  }

  /** Joins the regions of two tops under the higher one and gives the other back. */
  join(one: number, two: number): number {
    const difference = (this.#heights[one] ?? 0) - (this.#heights[two] ?? 0);
    const oneIsHigher = difference > 0 || (difference === 0 && one < two);
    const [higher, lower] = oneIsHigher ? [one, two] : [two, one];
    this.#parents[lower] = higher;
    return lower;
  }
}

/**
 * The tops that stand out of `heights` by more than `depth`: the way to any higher top goes down by more than that. One
 * place for each; the highest of every connected region of `inside` is always among them. These are the extended maxima of
 * the h-maxima transform (Soille, Morphological Image Analysis, 2nd ed., 6.3.5) with h = `depth`, over 8-connected pixels;
 * of equally high tops that are not so far apart the first in reading order stands for both.
 */
export function standingTops({ inside, width }: Patch, heights: Float64Array, depth: number): number[] {
  const regions = new Regions(heights);
  const heightOf = (place: number) => heights[place] ?? 0;
  const order = [...heights.keys()].filter((place) => inside[place] === 1);
  order.sort((one, two) => heightOf(two) - heightOf(one) || one - two);
  const tops: number[] = [];
  for (const place of order) {
    regions.start(place);
    for (const step of neighbourSteps(width)) {
      if (!regions.has(place + step)) continue;
      const [mine, other] = [regions.topOf(place), regions.topOf(place + step)];
      if (mine === other) continue;
      const lower = regions.join(mine, other);
      if (heightOf(place) < heightOf(lower) - depth) tops.push(lower);
    }
  }
  const highest = order.filter((place) => regions.topOf(place) === place);
  return [...tops, ...highest].sort((one, two) => one - two);
}

/**
 * Numbers, from 1 on, the seeds of `tops`: all that hangs together with a top no more than `depth` below it. 0 elsewhere.
 */
export function seedsOf(
  { inside, width }: Patch,
  heights: Float64Array,
  tops: readonly number[],
  depth: number,
): Int32Array {
  const seeds = new Int32Array(heights.length);
  for (const [index, top] of tops.entries()) {
    const least = (heights[top] ?? 0) - depth;
    const open = [top];
    seeds[top] = index + 1;
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const step of neighbourSteps(width)) {
        const next = at + step;
        if (inside[next] !== 1 || seeds[next] !== 0 || (heights[next] ?? 0) < least) continue;
        seeds[next] = index + 1;
        open.push(next);
      }
    }
  }
  return seeds;
}
