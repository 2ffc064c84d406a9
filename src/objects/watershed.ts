import { neighbourSteps, type Patch } from "./patch.ts";

/** Places waiting to be flooded: the highest level first, of equal ones the first that came. */
class Queue {
  readonly #levels: Float64Array;
  readonly #places: number[] = [];
  readonly #ages: number[] = [];
  #age = 0;

  constructor(places: number) {
    this.#levels = new Float64Array(places);
  }

  levelOf(place: number): number {
    return this.#levels[place] ?? 0;
  }

  push(place: number, level: number): void {
    let at = this.#places.length;
    const age = this.#age++;
    this.#levels[place] = level;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = this.#places[parent] ?? 0;
      if (!this.#before(place, age, other, this.#ages[parent] ?? 0)) break;
      this.#set(at, other, this.#ages[parent] ?? 0);
      at = parent;
    }
    this.#set(at, place, age);
  }

  pop(): number | undefined {
    const first = this.#places[0];
    const place = this.#places.pop();
    const age = this.#ages.pop() ?? 0;
    const { length } = this.#places;
    if (place === undefined || length === 0) return first;
    let at = 0;
    for (let child = 1; child < length; child = 2 * at + 1) {
      const [right, rightAge] = [this.#places[child + 1] ?? 0, this.#ages[child + 1] ?? 0];
      if (child + 1 < length && this.#before(right, rightAge, this.#places[child] ?? 0, this.#ages[child] ?? 0))
        child++;
      const [other, otherAge] = [this.#places[child] ?? 0, this.#ages[child] ?? 0];
      if (!this.#before(other, otherAge, place, age)) break;
      this.#set(at, other, otherAge);
      at = child;
    }
    this.#set(at, place, age);
    return first;
  }

  #set(at: number, place: number, age: number): void {
    this.#places[at] = place;
    this.#ages[at] = age;
  }

  #before(one: number, oneAge: number, two: number, twoAge: number): boolean {
    const difference = this.levelOf(one) - this.levelOf(two);
    return difference > 0 || (difference === 0 && oneAge < twoAge);
  }
}

/**
 * Seeded watershed without lines (Soille and Ansoult 1990; as scikit-image's `segmentation.watershed` on the negative heights
 * with connectivity 2): every pixel inside goes to the seed that reaches it first when the level sinks from the top, what lies
 * higher behind a neck with the neck. Of equal levels that goes on which was reached first, to neighbours by a side before
 * those by a corner. `seeds`: numbers from 1 on, 0 elsewhere; a new map of these numbers comes back, 0 outside and where no seed
 * reaches.
 */
export function watershed({ inside, width }: Patch, heights: Float64Array, seeds: Int32Array): Int32Array {
  const owners = seeds.slice();
  const queue = new Queue(heights.length);
  for (const [place, seed] of seeds.entries()) if (seed > 0) queue.push(place, heights[place] ?? 0);
  for (let place = queue.pop(); place !== undefined; place = queue.pop()) {
    for (const step of neighbourSteps(width)) {
      const next = place + step;
      if (inside[next] !== 1 || owners[next] !== 0) continue;
      owners[next] = owners[place] ?? 0;
      queue.push(next, Math.min(queue.levelOf(place), heights[next] ?? 0));
    }
  }
  return owners;
}
