import type { Rgb } from "../../data/codec/png-read.ts";
import { type ByteImage, filled } from "../../data/image/image.ts";
import { textSize, writeText } from "../../data/image/letters.ts";

/** What a colour means. */
export interface LegendEntry {
  readonly text: string;
  /** Left out where nothing is shown in a colour. */
  readonly colour?: Rgb;
}

/** A picture and the words under it. */
interface Captioned {
  readonly picture: ByteImage;
  readonly caption?: string;
}

interface PageOptions {
  /** Lines above the pictures. */
  readonly title?: readonly string[];
  readonly legend: readonly LegendEntry[];
  /** Pictures in a row; all of them unless given. */
  readonly columns?: number;
}

const PAPER = 255;
const INK: Rgb = [32, 32, 32];
/** Dots between pictures, lines and the page's edges, as multiples of a letter's dot. */
const GAP = 4;
/** From so many pixels of width a letter's dot takes two pixels, three. */
const LARGER_FROM = [640, 1800];

/** Pixels of the pictures; a page of more is put together of fewer pictures by whoever chooses them. */
export const MOST_PAGE_PIXELS = 2 ** 24;

/**
 * Pictures in rows at their own size on white, the title above, the legend below: the page is as wide as what is widest on
 * it. Channels: three.
 */
export function picturePage(pictures: readonly Captioned[], { title = [], legend, columns }: PageOptions): ByteImage {
  const across = Math.max(1, Math.min(pictures.length, columns ?? pictures.length));
  const shown = Math.max(...pictures.map(({ picture }) => picture.width));
  const scale = 1 + LARGER_FROM.filter((from) => across * shown >= from).length;
  const cell = {
    width: Math.max(shown, ...pictures.map(({ caption = "" }) => textSize(caption, scale).width)),
    height: Math.max(...pictures.map(({ picture }) => picture.height)),
  };
  const gap = GAP * scale;
  const line = textSize("", scale).height + gap;
  const caption = pictures.some((entry) => entry.caption !== undefined) ? line : 0;
  const rows = Math.ceil(pictures.length / across);
  const widest = Math.max(
    across * (cell.width + gap) - gap,
    ...title.map((text) => textSize(text, scale).width),
    ...legend.map((entry) => entryWidth(entry, scale)),
  );
  const lines = legendLines(legend, widest, scale);
  const head = title.length * line;
  const height = head + rows * (cell.height + caption + gap) + lines.length * line + gap;
  const page = filled({ width: widest + 2 * gap, height: height + gap }, 3, PAPER);
  title.forEach((text, index) => {
    writeText(page, text, { left: gap, top: gap + index * line, scale }, INK);
  });
  pictures.forEach(({ picture, caption: words }, index) => {
    const left = gap + (index % across) * (cell.width + gap);
    const top = gap + head + Math.floor(index / across) * (cell.height + caption + gap);
    paste(page, picture, left, top);
    if (words !== undefined) writeText(page, words, { left, top: top + cell.height + gap, scale }, INK);
  });
  const below = gap + head + rows * (cell.height + caption + gap);
  lines.forEach((entries, index) => {
    writeEntries(page, entries, below + index * line, scale);
  });
  return page;
}

const swatch = (scale: number) => textSize("", scale).height;

function entryWidth({ text, colour }: LegendEntry, scale: number): number {
  return textSize(text, scale).width + (colour === undefined ? 0 : swatch(scale) + GAP * scale);
}

/** The entries in lines no wider than the page. */
function legendLines(legend: readonly LegendEntry[], width: number, scale: number): LegendEntry[][] {
  const lines: LegendEntry[][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const entry of legend) {
    const own = entryWidth(entry, scale);
    used += 3 * GAP * scale + own;
    if (used > width) {
      lines.push([]);
      used = own;
    }
    lines.at(-1)?.push(entry);
  }
  return lines;
}

function writeEntries(page: ByteImage, entries: readonly LegendEntry[], top: number, scale: number): void {
  let left = GAP * scale;
  for (const entry of entries) {
    let at = left;
    if (entry.colour) {
      const side = swatch(scale);
      const square = filled({ width: side, height: side }, 3, 0);
      for (let i = 0; i < side * side; i++) square.data.set(entry.colour, 3 * i);
      paste(page, square, at, top);
      at += side + GAP * scale;
    }
    writeText(page, entry.text, { left: at, top, scale }, INK);
    left += entryWidth(entry, scale) + 3 * GAP * scale;
  }
}

/** Puts a picture of three channels into a page that has room for it. */
function paste(page: ByteImage, { data, width, height }: ByteImage, left: number, top: number): void {
  for (let y = 0; y < height; y++) {
    page.data.set(data.subarray(3 * y * width, 3 * (y + 1) * width), 3 * ((top + y) * page.width + left));
  }
}
