import { type MaskLevels, MOST_LEVELS } from "./mask-levels.ts";
import { whole } from "./reading.ts";

/** More values than this are no classes where nearly each is one piece. */
const MOST_CLASSES = 32;
/** Share of a mask's values that are one connected piece each: an object may be cut in two by another. */
const ONE_PIECE = 0.9;
/** The highest number from which few values may be objects: nested structures, 1 to 3, are numbered likewise. */
const LEAST_HIGHEST = { deep: 3, bytes: 5 } as const;
/** The highest number of 16 bits from which nobody stores classes so without saying what they are. */
const LEAST_UNCLEAR = 5;

/** What speaks for numbers being objects, a clause; `sure`: nothing speaks for classes. */
export interface InstanceSigns {
  readonly sure: boolean;
  readonly why: string;
}

interface Numbered {
  readonly mask: MaskLevels;
  /** Numbers beside 0, and the highest. */
  readonly objects: number;
  readonly highest: number;
}

/** A mask of whole numbers from 0 on, at least one above; undefined for others. */
function numberedOf(mask: MaskLevels): Numbered | undefined {
  const values = mask.counts.map(([value]) => whole(value)).filter((value) => value !== 0);
  const isNumbered = values.length > 0 && values.every((value) => Number.isInteger(value) && value > 0);
  return isNumbered
    ? { mask, objects: mask.different - (mask.different > values.length ? 1 : 0), highest: Math.max(...values) }
    : undefined;
}

/**
 * Whether the masks of a set number single objects. They do where there are more than 32 different values, most masks
 * holding one connected piece of each; or where every mask counts from 1 without gaps, up to a number that differs from mask to mask,
 * in one piece each: class numbers leave gaps where a class is absent, or are the same everywhere. Undefined where they are more
 * likely classes; not `sure` where 16 bits hold pieces that could be either.
 */
export function instanceSigns(masks: readonly MaskLevels[]): InstanceSigns | undefined {
  if (masks.some(({ kind, exact }) => kind !== "level" || !exact)) return undefined;
  const found = masks.map((mask) => [mask, numberedOf(mask)] as const);
  if (found.some(([{ different }, numbered]) => numbered === undefined && different > 1)) return undefined;
  const numbered = found.flatMap(([, one]) => one ?? []);
  const several = numbered.filter(({ mask }) => mask.different >= 3);
  const inPieces = several.filter(({ mask }) => mask.inOnePiece >= ONE_PIECE);
  if (several.length === 0 || 2 * inPieces.length <= several.length) return undefined;
  const values = new Set(numbered.flatMap(({ mask }) => mask.counts.map(([value]) => value)));
  const highest = Math.max(...numbered.map((one) => one.highest));
  const each = "each one connected piece";
  if (values.size - 1 > MOST_CLASSES) {
    const more = numbered.some(({ mask }) => mask.different > MOST_LEVELS) ? " and more" : "";
    return { sure: true, why: `${values.size - 1}${more} different values up to ${highest}, ${each}` };
  }
  if (inPieces.length < several.length) return undefined;
  return fewSigns(numbered.map(({ mask: { depth }, ...numbers }) => ({ ...numbers, depth })));
}

/** Numbers that one mask holds. */
export interface MaskNumbers {
  /** Different ones beside 0, and the highest. */
  readonly objects: number;
  readonly highest: number;
  /** Bits a sample as stored. */
  readonly depth: number;
}

/**
 * Whether masks count: every one from 1 without gaps, up to a number that differs from mask to mask. Class numbers leave gaps where a
 * class is absent, or are the same everywhere. Undefined where they do not, or where few nested classes would look so.
 */
export function countingSigns(masks: readonly MaskNumbers[]): string | undefined {
  const numbered = masks.filter(({ objects }) => objects > 0);
  const deep = isDeep(numbered);
  const counts = new Set(numbered.map(({ objects }) => objects));
  const enough = highestOf(numbered) >= LEAST_HIGHEST[deep ? "deep" : "bytes"] && counts.size >= (deep ? 2 : 3);
  if (!enough || !isCounting(numbered)) return undefined;
  return `they count from 1 in every mask, to ${Math.min(...counts)} in one and to ${Math.max(...counts)} in another`;
}

const isDeep = (masks: readonly MaskNumbers[]) => masks.every(({ depth }) => depth >= 16);
const isCounting = (masks: readonly MaskNumbers[]) => masks.every(({ objects, highest }) => objects === highest);
const highestOf = (masks: readonly MaskNumbers[]) => Math.max(0, ...masks.map(({ highest }) => highest));

/** Signs of numbers that are few enough to be classes, each one connected piece. */
function fewSigns(numbered: readonly MaskNumbers[]): InstanceSigns | undefined {
  const each = "each one connected piece";
  const counting = countingSigns(numbered);
  if (counting !== undefined) return { sure: true, why: `${counting}, ${each}` };
  const highest = highestOf(numbered);
  if (!isDeep(numbered) || highest < LEAST_UNCLEAR) return undefined;
  const range = isCounting(numbered) ? `1 to ${highest} in every mask` : `up to ${highest}, with gaps`;
  return { sure: false, why: `16 bits hold ${range}, ${each}` };
}
