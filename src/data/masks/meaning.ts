import { DataError } from "../../errors.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import { instanceSigns } from "./instance-signs.ts";
import type { MaskLevels } from "./mask-levels.ts";
import { type MaskReading, shown, whole } from "./reading.ts";
import { hex, whiteIsZeroAdvice } from "./stored-mask.ts";

/** More classes than this are believed only where someone names them. */
export const MOST_UNNAMED_CLASSES = 32;

/** What masks mean, and the sentence about it. */
export interface Meaning {
  readonly reading: MaskReading;
  readonly note: string;
}

/** All values of a set with the number of their pixels, ascending. */
export type Histogram = ReadonlyMap<number, number>;

/** A histogram in brief: the most frequent values, in their order. */
export function inBrief(counts: Histogram, name: (value: number) => string = shown): string {
  const MOST = 6;
  const frequent = [...counts].sort(([, a], [, b]) => b - a).slice(0, MOST);
  const listed = frequent.sort(([a], [b]) => a - b).map(([value, pixels]) => `${name(value)} x ${pixels}`);
  return listed.join(", ") + (counts.size > MOST ? ` and ${counts.size - MOST} more values` : "");
}

/** Class numbers that no mask holds though it holds a higher one. */
export function gapsIn(labels: Iterable<number>): number[] {
  const held = new Set(labels);
  const largest = Math.max(0, ...held);
  return Array.from({ length: largest }, (_, label) => label).filter((label) => label > 0 && !held.has(label));
}

/** Whether numbers may be class numbers although nobody named the classes: few, and none left out. */
export function areClassNumbers(values: readonly number[]): boolean {
  const labels = values.filter((value) => value !== IGNORE_LABEL);
  const valid = labels.every((value) => Number.isInteger(value) && value >= 0 && value < IGNORE_LABEL);
  return valid && Math.max(0, ...labels) < MOST_UNNAMED_CLASSES && gapsIn(labels).length === 0;
}

/** The `--map` that numbers the values other than 0 in their order: `255=1`, or `0=0,128=1,255=2`. */
export function mapAdvice(values: readonly number[]): string {
  const others = values.filter((value) => value !== 0);
  const [only] = others;
  if (others.length === 1 && only !== undefined) return `--map ${shown(only)}=1`;
  const pairs = others.map((value, at) => `${shown(value)}=${at + 1}`);
  const ignored = others.length === 2 ? `, or --map ${shown(others[1] ?? 0)}=1,${shown(others[0] ?? 0)}=ignore` : "";
  return `--map 0=0,${pairs.join(",")}${ignored}`;
}

/** Half of white, or of the brightest of dark values: where bright and dark part. */
const halfOf = (values: readonly number[]): number => Math.min(128, Math.ceil(Math.max(...values) / 2));

/** The `--threshold` for values too many to be classes: half of white, or what is not 0 where none is as bright. */
export const cutAdvice = (values: readonly number[]): string => `--threshold ${Math.max(...values) < 128 ? 1 : 128}`;

/** The masks of a set together. */
class MaskSet {
  readonly masks: readonly MaskLevels[];
  readonly counts: Histogram;
  readonly values: readonly number[];
  readonly #folder: string;

  constructor(folder: string, masks: readonly MaskLevels[]) {
    this.#folder = folder;
    this.masks = masks;
    const counts = new Map<number, number>();
    for (const mask of masks) {
      for (const [stored, pixels] of mask.counts) {
        const value = mask.kind === "level" ? whole(stored) : stored;
        counts.set(value, (counts.get(value) ?? 0) + pixels);
      }
    }
    this.counts = new Map([...counts].sort(([a], [b]) => a - b));
    this.values = [...this.counts.keys()];
  }

  /** The first mask for which `is` holds, by its place in the folder. */
  first(is: (mask: MaskLevels) => boolean): string {
    const file = this.masks.find(is)?.file ?? "";
    return file.startsWith(this.#folder) ? file.slice(this.#folder.length + 1) : file;
  }

  refusal(what: string, cure: string): DataError {
    return new DataError(`${this.#folder}: ${what}; ${cure}`);
  }
}

/** Values of one mask as they are meant. */
const valuesOf = ({ counts }: MaskLevels) => counts.map(([value]) => whole(value));

/** Of a JPEG mask that is black and white: next to no grey away from edges, what is bright is white. */
function isNearBinary(masks: readonly MaskLevels[]): boolean {
  const total = (pick: (mask: MaskLevels) => number) => masks.reduce((sum, mask) => sum + pick(mask), 0);
  const bright = total((mask) => mask.bright.all);
  const plateau = total((mask) => mask.between.plateau);
  return bright > 0 && plateau <= 0.02 * bright && total((mask) => mask.bright.white) >= 0.5 * bright;
}

/** JPEG and its like: black and white but for the noise of the coding, or refused. */
function drawnMeaning(set: MaskSet): Meaning {
  const inexact = set.masks.filter(({ exact }) => !exact);
  const names = [...new Set(inexact.map(({ mode }) => mode.toUpperCase()))].join(" and ");
  const isWhole = ({ exact, white, counts }: MaskLevels) =>
    !exact || counts.every(([value]) => value === 0 || value === white);
  if (isNearBinary(inexact) && set.masks.every(isWhole)) {
    return {
      reading: { kind: "white" },
      note: `Masks are black and white but for the noise of ${names}, cut at half of white (128 of 8 bits): the white part is class 1`,
    };
  }
  throw set.refusal(
    `the masks are stored as ${names}, which keeps no exact class numbers, and are not black and white (values ` +
      `${inBrief(set.counts)}; first: ${set.first(({ exact }) => !exact)})`,
    `export them as PNG from their source; --threshold ${halfOf(set.values)} cuts them where only bright and dark are meant`,
  );
}

function colourRefusal(set: MaskSet): DataError {
  const colours = new Map<number, number>();
  for (const { kind, counts, white } of set.masks) {
    for (const [value, pixels] of counts) {
      const colour = kind === "colour" ? value : Math.round((value * 255) / white) * 0x010101;
      colours.set(colour, (colours.get(colour) ?? 0) + pixels);
    }
  }
  const sorted = new Map([...colours].sort(([a], [b]) => a - b));
  const first = set.first(({ kind }) => kind === "colour");
  const others = [...sorted.keys()].filter((colour) => colour !== 0).sort((a, b) => b - a);
  const many = others.length > MOST_UNNAMED_CLASSES;
  const pairs = others.slice(0, many ? 1 : others.length).map((colour, at) => `${hex(colour)}=${at + 1}`);
  return set.refusal(
    `the masks hold colours (${inBrief(sorted, hex)}; first: ${first}), not class numbers`,
    many
      ? "these look like photographs or drawings with soft edges; give label pictures"
      : `give each colour its class: --palette "${pairs.join(",")}"`,
  );
}

/** Masks of 0 and 255 beside others of class numbers: of the former nobody knows whether 255 is class 1 or "ignore". */
function mixedRefusal(set: MaskSet): DataError | undefined {
  const isWhite = (mask: MaskLevels) => valuesOf(mask).includes(IGNORE_LABEL);
  const isNumbered = (mask: MaskLevels) => valuesOf(mask).some((value) => value > 0 && value < IGNORE_LABEL);
  const [white, numbered] = [set.masks.filter(isWhite), set.masks.filter(isNumbered)];
  if (white.length === 0 || numbered.length === 0 || white.some(isNumbered)) return undefined;
  return set.refusal(
    `${white.length} masks hold 255 and no class number (first: ${set.first(isWhite)}), ${numbered.length} hold class numbers and ` +
      `no 255 (first: ${set.first(isNumbered)})`,
    "if 255 is the first class, add --map 1=1,255=1, if it is what is to be left out, --map 1=1,255=ignore, with all other values",
  );
}

/** Masks whose numbers are single objects. Throws DataError where they may as well be classes. */
function instanceMeaning(set: MaskSet): Meaning | undefined {
  const signs = instanceSigns(set.masks);
  if (signs === undefined) return undefined;
  if (signs.sure) {
    return {
      reading: { kind: "instances" },
      note:
        `Masks number single objects: ${signs.why}. Every object is class 1, its number is kept in instances/; if the ` +
        "numbers are classes, name these with --classes",
    };
  }
  throw set.refusal(
    `whether the numbers of the masks are objects or classes cannot be known: ${signs.why}`,
    "--instances keeps them as objects of one class, --classes names them as classes",
  );
}

/** What numbers that are no class numbers are, and the option that helps. */
function levelRefusal(set: MaskSet): DataError {
  const { values, masks, counts } = set;
  const what = `(values ${inBrief(counts)})`;
  const others = values.filter((value) => value !== 0);
  const listed = masks.some(({ different, counts: own }) => different > own.length);
  if (others.some((value) => !Number.isInteger(value))) {
    const at = others.every((value) => value <= 1) ? 0.5 : 128;
    return set.refusal(
      `the masks hold numbers that are not whole ${what}: soft masks or pictures, no class numbers`,
      `cut them with --threshold ${at}, or give class numbers`,
    );
  }
  const sum = (pick: (mask: MaskLevels) => number) => masks.reduce((total, mask) => total + pick(mask), 0);
  const [edge, plateau] = [sum(({ between }) => between.edge), sum(({ between }) => between.plateau)];
  if (others.length > 2 && edge > 4 * plateau && sum(({ bright }) => bright.all) > 0) {
    return set.refusal(
      `the masks are black and white with grey edges, ${values.length} different values ${what}: resampled or antialiased, no ` +
        "class numbers",
      `cut them with --threshold ${Math.ceil((masks[0]?.white ?? 255) / 2)}`,
    );
  }
  if (others.length > MOST_UNNAMED_CLASSES) {
    return set.refusal(
      `the masks hold ${values.length}${listed ? " and more" : ""} different values up to ${Math.max(...values)} ${what}; more ` +
        `than ${MOST_UNNAMED_CLASSES} classes are believed only where they are named`,
      `name them with --classes, cut the values with ${cutAdvice(values)}, or give each its class with --map`,
    );
  }
  return set.refusal(
    `the values of the masks are no class numbers without gaps ${what}`,
    `say what each means with ${mapAdvice(values)}; or name the classes up to the highest number with --classes` +
      (others.length > 2 && Math.min(...others) > MOST_UNNAMED_CLASSES
        ? "; or, where they number objects, --instances keeps them and makes all class 1"
        : ""),
  );
}

/** Whether no mask holds anything but black and the white of its own kind, and one holds white. */
function areBlackAndWhite({ masks, values }: MaskSet): boolean {
  const isWhite = (mask: MaskLevels, value: number) =>
    value === mask.white || value === IGNORE_LABEL || value === 65535;
  const allowed = (mask: MaskLevels) =>
    mask.kind === "level" &&
    valuesOf(mask).every((value) => value === 0 || (mask.mode === "palette" ? value === 255 : isWhite(mask, value)));
  return values.some((value) => value > 1) && masks.every(allowed);
}

/** Throws DataError where what masks store is not what they show, or colours. */
function requireStoredLevels(set: MaskSet): void {
  const { masks } = set;
  if (masks.some(({ alphaOnly }) => alphaOnly)) {
    throw set.refusal(
      `what the masks show stands in their alpha alone (first: ${set.first(({ alphaOnly }) => alphaOnly)}); a class is a ` +
        "pixel's stored value, and that is the same everywhere",
      "--threshold 128 cuts the alpha, or write the classes as grey values",
    );
  }
  const reversed = masks.find(({ whiteIsZero }) => whiteIsZero);
  if (reversed !== undefined) {
    throw set.refusal(
      `the masks say that their 0 is shown white (first: ${set.first(({ whiteIsZero }) => whiteIsZero)}; stored values ` +
        `${inBrief(set.counts)}): whether the stored or the shown is meant cannot be known`,
      whiteIsZeroAdvice(reversed.white),
    );
  }
  if (masks.some(({ kind }) => kind === "colour")) throw colourRefusal(set);
}

/**
 * What the masks of a set mean, decided by every pixel of all of them: class numbers, or black and white. `named`: how
 * many classes beside the background someone named; those numbers are believed. Throws DataError with a brief histogram
 * and the option that helps for what is neither.
 */
export function meaningOf(folder: string, masks: readonly MaskLevels[], named: number | undefined): Meaning {
  const set = new MaskSet(folder, masks);
  requireStoredLevels(set);
  if (masks.some(({ exact }) => !exact)) return drawnMeaning(set);
  if (areBlackAndWhite(set)) {
    const whites = set.values.filter((value) => value !== 0).map((value) => [value, 1] as const);
    const names = whites.map(([value]) => value).join(" or ");
    return {
      reading: { kind: "map", levels: whites },
      note: `Masks are black and white: the white part (${names}) is class 1`,
    };
  }
  const instances = named === undefined || named === 1 ? instanceMeaning(set) : undefined;
  if (instances !== undefined) return instances;
  const mixed = mixedRefusal(set);
  if (mixed !== undefined) throw mixed;
  const isNamed = (value: number) =>
    Number.isInteger(value) && value >= 0 && (value === IGNORE_LABEL || value <= (named ?? -1));
  if (!set.values.every(isNamed) && (named !== undefined || !areClassNumbers(set.values))) {
    if (named !== undefined && areClassNumbers(set.values)) throw beyondNamed(set, named);
    throw levelRefusal(set);
  }
  const ignored = set.counts.get(IGNORE_LABEL);
  const rest = ignored === undefined ? "" : `; 255 (${ignored} pixels) is left out of training and measures`;
  return { reading: { kind: "classes" }, note: `Mask values are class numbers${rest}` };
}

function beyondNamed(set: MaskSet, named: number): DataError {
  const beyond = set.values.filter((value) => value > named && value !== IGNORE_LABEL);
  return set.refusal(
    `the masks hold the values ${set.values.map(shown).join(", ")} (${inBrief(set.counts)}), --classes names ${named}`,
    `name ${Math.max(...beyond)} classes, or say what ${beyond.map(shown).join(", ")} means with --map`,
  );
}
