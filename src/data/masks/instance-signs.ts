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
  return fewSigns(numbered, highest, inPieces.length === several.length);
}

/** The same for numbers that are few enough to be classes. */
function fewSigns(numbered: readonly Numbered[], highest: number, allInPieces: boolean): InstanceSigns | undefined {
  const deep = numbered.every(({ mask }) => mask.depth >= 16);
  const counts = new Set(numbered.map(({ objects }) => objects));
  const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
  const each = "each one connected piece";
  if (!allInPieces) return undefined;
  const isCounting = numbered.every((one) => one.objects === one.highest);
  const enough = highest >= LEAST_HIGHEST[deep ? "deep" : "bytes"] && counts.size >= (deep ? 2 : 3);
  if (isCounting && enough) {
    return {
      sure: true,
      why: `they count from 1 in every mask, to ${fewest} in one and to ${most} in another, ${each}`,
    };
  }
  if (!deep || highest < LEAST_UNCLEAR) return undefined;
  const range = isCounting ? `1 to ${highest} in every mask` : `up to ${highest}, with gaps`;
  return { sure: false, why: `16 bits hold ${range}, ${each}` };
}
