import { type AreaRule, objectAreas } from "./objects.ts";
import type { Labels } from "./totals.ts";

/** Upper limits of the paper's size strata, in percent of the image, exclusive. */
export const STRATUM_LIMITS: readonly number[] = [1, 10, 100];

/** The share of an image its largest object takes, in percent, by both area rules. */
export type ImageShares = Readonly<Record<AreaRule, number>>;

/** One object of a data set: percent of its image. */
export interface ObjectShare {
  readonly image: number;
  readonly label: number;
  readonly share: number;
}

/** How objects are counted: one per image and class present (its largest component), or every component. */
export const COUNT_RULES = ["class", "component"] as const;
export type CountRule = (typeof COUNT_RULES)[number];

/** "all" for the stratum of everything below a full image, otherwise the limit as a text. */
export function stratumName(limit: number): string {
  return limit === 100 ? "all" : String(limit);
}

/** Names of the strata an image belongs to: those whose limit is above its share. Images without objects are in every one. */
export function strataOf(share: number, limits: readonly number[] = STRATUM_LIMITS): string[] {
  return limits.filter((limit) => share < limit).map(stratumName);
}

function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

/** Share of the image, in percent, that the largest object takes; 0 without objects. `labels` is `[height, width]`. */
export function imageShare(labels: Labels, height: number, width: number, rule: AreaRule): number {
  return largest([...objectAreas(labels, height, width, rule).values()].map(largest));
}

/** Both shares of one label map at its own resolution. */
export function imageShares(labels: Labels, height: number, width: number): ImageShares {
  return {
    release: imageShare(labels, height, width, "release"),
    pixels: imageShare(labels, height, width, "pixels"),
  };
}

/**
 * The objects of image number `image` for Table I. With `class` a class present gives one object, of share 0 when the
 * release rule finds no component; with `component` every component counts.
 */
export function objectShares(
  labels: Labels,
  height: number,
  width: number,
  options: { readonly image: number; readonly area: AreaRule; readonly count: CountRule },
): ObjectShare[] {
  const { image, area, count } = options;
  return [...objectAreas(labels, height, width, area)].flatMap(([label, shares]) => {
    const counted = count === "class" ? [largest(shares)] : shares;
    return counted.map((share) => ({ image, label, share }));
  });
}

/** Table I's row: how many objects there are and how large. */
interface ObjectStatistics {
  /** Below 1 percent of the image. */
  readonly ultraSmall: number;
  /** Below 10 percent, the ultra-small included. */
  readonly small: number;
  readonly all: number;
  /** Smallest and largest share in percent, objects without area left out; undefined when none has an area. */
  readonly range: readonly [number, number] | undefined;
  /** Smallest and largest share with objects without area; undefined without objects. */
  readonly fullRange: readonly [number, number] | undefined;
}

function rangeOf(shares: readonly number[]): readonly [number, number] | undefined {
  if (shares.length === 0) return undefined;
  return [shares.reduce((least, share) => Math.min(least, share)), largest(shares)];
}

/** Counts objects by size; shares in percent. */
export function objectStatistics(shares: readonly number[]): ObjectStatistics {
  return {
    ultraSmall: shares.filter((share) => share < 1).length,
    small: shares.filter((share) => share < 10).length,
    all: shares.length,
    range: rangeOf(shares.filter((share) => share > 0)),
    fullRange: rangeOf(shares),
  };
}
