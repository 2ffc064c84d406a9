import { luma } from "./colour.ts";
import type { Picture } from "./image.ts";

/** Strokes of burnt-in text are nearly white, what lies round them is darker by far. */
const BRIGHT = 215;
const DARK = 120;
/** Heights of characters in pixels. */
const LOWEST = 5;
const HIGHEST = 60;
/** Thickness of strokes as a share of the height; of a disc it is 0.39. */
const THICKEST = 0.27;
/** Characters of one line that make it text: fewer are a scale bar, a marker, chance. */
export const TEXT_FROM = 6;
/** More bright pixels than this share, and bright is what the picture is, not what is written on it. */
const MOST_BRIGHT = 0.25;
const MOST_MARKS = 4000;

interface Mark {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly pixels: number;
  /** Sides of its pixels at which it ends. */
  readonly edges: number;
}

const heightOf = ({ top, bottom }: Mark) => bottom - top + 1;

/** What `bright` holds of a pixel that belongs to a mark already. */
const TAKEN = 2;

/** The connected piece of bright pixels (8 neighbours) that holds `start`; its pixels become TAKEN. */
function takeMark(bright: Uint8Array, width: number, start: number): Mark {
  const found = { left: width, right: 0, top: Number.POSITIVE_INFINITY, bottom: 0, pixels: 0, edges: 0 };
  const open = [start];
  bright[start] = TAKEN;
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const [x, y] = [at % width, Math.floor(at / width)];
    found.pixels++;
    found.left = Math.min(found.left, x);
    found.right = Math.max(found.right, x);
    found.top = Math.min(found.top, y);
    found.bottom = Math.max(found.bottom, y);
    found.edges += beside(at, x, width).filter((side) => bright[side] === 0).length;
    for (const next of neighbours(at, x, width)) {
      if (bright[next] !== 1) continue;
      bright[next] = TAKEN;
      open.push(next);
    }
  }
  return found;
}

/** The four places that share a side with one; those above and below the picture hold nothing. */
function beside(at: number, x: number, width: number): number[] {
  return [at - width, at + width, ...(x > 0 ? [at - 1] : []), ...(x < width - 1 ? [at + 1] : [])];
}

function neighbours(at: number, x: number, width: number): number[] {
  const columns = [0, ...(x > 0 ? [-1] : []), ...(x < width - 1 ? [1] : [])];
  return columns.flatMap((column) => [at + column - width, at + column, at + column + width]);
}

/** A mark of a character's size, made of thin strokes (a blob is none), whose frame, two pixels wide and one away, is dark. */
function isCharacter(mark: Mark, gray: ArrayLike<number>, width: number, height: number): boolean {
  const [rows, columns] = [heightOf(mark), mark.right - mark.left + 1];
  if (rows < LOWEST || rows > HIGHEST || columns > 1.5 * rows) return false;
  if ((2 * mark.pixels) / mark.edges > THICKEST * rows) return false;
  let [sum, count] = [0, 0];
  for (const y of [mark.top - 2, mark.bottom + 2]) {
    if (y < 0 || y >= height) continue;
    for (let x = mark.left; x <= mark.right; x++) sum += gray[y * width + x] ?? 0;
    count += columns;
  }
  return count > 0 && sum / count < DARK;
}

function charactersOf(gray: ArrayLike<number>, width: number, height: number): Mark[] {
  const bright = new Uint8Array(gray.length);
  let count = 0;
  for (let at = 0; at < bright.length; at++) {
    if ((gray[at] ?? 0) < BRIGHT) continue;
    bright[at] = 1;
    count++;
  }
  if (count > MOST_BRIGHT * bright.length) return [];
  const marks: Mark[] = [];
  for (let at = bright.indexOf(1); at >= 0 && marks.length < MOST_MARKS; at = bright.indexOf(1, at)) {
    const mark = takeMark(bright, width, at);
    if (isCharacter(mark, gray, width, height)) marks.push(mark);
  }
  return marks.sort((a, b) => a.left - b.left);
}

/** Whether `next` stands behind `last` as a character of the same line: equal foot and height, a small gap. */
function follows(last: Mark, next: Mark): boolean {
  const height = heightOf(last);
  const gap = next.left - last.right - 1;
  const slack = Math.max(1, 0.15 * height);
  return (
    gap >= 0 &&
    gap <= 1.2 * height &&
    Math.abs(next.bottom - last.bottom) <= slack &&
    Math.abs(heightOf(next) - height) <= slack
  );
}

/**
 * The number of characters in the longest line of what looks like bright text on a dark ground, as scanners burn names and
 * dates into pictures: sharp pieces of one height side by side on one foot. `TEXT_FROM` and more are a candidate. Dark text
 * on a bright ground and writing by hand are not seen.
 */
export function burntInCharacters(picture: Picture): number {
  const { width, height } = picture;
  const marks = charactersOf(luma(picture), width, height);
  const lengths: number[] = [];
  marks.forEach((mark, at) => {
    let longest = 0;
    for (let before = at - 1; before >= 0; before--) {
      const last = marks[before];
      if (last !== undefined && follows(last, mark)) longest = Math.max(longest, lengths[before] ?? 0);
    }
    lengths.push(longest + 1);
  });
  return Math.max(0, ...lengths);
}
