import { IGNORE_LABEL } from "../labels.ts";
import type { Labels } from "../metrics/totals.ts";
import type { MaskObject } from "./split.ts";

/** The label that most of an object's pixels have, of equally many the lowest. */
function mainLabel(pixels: readonly number[], labels: Labels): number {
  const counts = new Map<number, number>();
  for (const at of pixels) counts.set(labels[at] ?? 0, (counts.get(labels[at] ?? 0) ?? 0) + 1);
  const [main] = [...counts].sort(([one, ones], [two, twos]) => twos - ones || one - two);
  return main?.[0] ?? 0;
}

/**
 * The objects that a map of numbers tells apart (0: none), in the order of their numbers, each of the class that most of its
 * pixels have in `labels`. Both maps are `[height, width]`. Pixels that the labels ignore (255) or call background are in none;
 * an object of no other pixels is left out.
 */
export function objectsOfInstances(numbers: ArrayLike<number>, labels: Labels): MaskObject[] {
  const places = new Map<number, number[]>();
  for (let at = 0; at < labels.length; at++) {
    const number = numbers[at] ?? 0;
    const label = labels[at] ?? 0;
    if (number === 0 || label === 0 || label === IGNORE_LABEL) continue;
    const list = places.get(number) ?? [];
    places.set(number, list);
    list.push(at);
  }
  return [...places]
    .sort(([one], [two]) => one - two)
    .map(([, pixels]) => ({ class: mainLabel(pixels, labels), pixels }));
}

/** Objects without the pixels that `labels` ignore; those that have no other go. */
export function withoutIgnoredPixels(objects: readonly MaskObject[], labels: Labels): readonly MaskObject[] {
  if (!labels.includes(IGNORE_LABEL)) return objects;
  return objects
    .map((object) => ({ ...object, pixels: object.pixels.filter((at) => labels[at] !== IGNORE_LABEL) }))
    .filter(({ pixels }) => pixels.length > 0);
}
