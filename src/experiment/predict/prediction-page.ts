import type { Rgb } from "../../data/codec/png-read.ts";
import type { ShownClass } from "../../data/export/found-object.ts";
import type { ByteImage, Size } from "../../data/image/image.ts";
import { type LabelMap, overlay } from "../evaluate/overlay.ts";
import { type LegendEntry, MOST_PAGE_PIXELS, picturePage } from "../evaluate/picture-page.ts";

/** A slice of a scan, drawn: its number, what it shows and what was found in it. */
interface DrawnSlice {
  readonly slice: number;
  readonly image: ByteImage;
  readonly mask: LabelMap;
}

const coloursOf = (classes: readonly ShownClass[]): Rgb[] => classes.map(({ colour }) => colour);

/** Names and colours of the foreground classes that were found. */
function foundLegend(masks: readonly LabelMap[], classes: readonly ShownClass[]): LegendEntry[] {
  const found = new Set(masks.flatMap(({ data }) => [...new Set(Array.from(data))]));
  const entries = classes.flatMap(({ name, colour }, label) =>
    label > 0 && found.has(label) ? [{ text: name, colour }] : [],
  );
  return entries.length > 0 ? entries : [{ text: "nothing found" }];
}

/** The image at its own size with its classes tinted, and their names below. */
export function predictionPage(image: ByteImage, mask: LabelMap, classes: readonly ShownClass[]): ByteImage {
  const picture = overlay(image, mask, coloursOf(classes));
  return picturePage([{ picture }], { legend: foundLegend([mask], classes) });
}

/** Slices of a montage at most, and in a row. */
const MOST_SLICES = 12;
const ACROSS = 4;

/**
 * Which of a scan's slices a montage shows, given how many pixels were found in each: the one with the most, and others evenly
 * over all in which something was found; over all slices where nothing was. Ascending.
 */
export function montageSlices(found: readonly number[], { width, height }: Size): number[] {
  const all = [...found.keys()];
  const filled = all.filter((slice) => (found[slice] ?? 0) > 0);
  const pool = filled.length > 0 ? filled : all;
  const count = Math.min(pool.length, MOST_SLICES, Math.max(1, Math.floor(MOST_PAGE_PIXELS / (width * height))));
  const most = pool.reduce((best, slice) => ((found[slice] ?? 0) > (found[best] ?? 0) ? slice : best), pool[0] ?? 0);
  if (count < 2) return pool.length === 0 ? [] : [most];
  const even = Array.from({ length: count }, (_, i) => pool[Math.round((i * (pool.length - 1)) / (count - 1))] ?? most);
  if (even.includes(most)) return even;
  const nearest = even.reduce((best, slice) => (Math.abs(slice - most) < Math.abs(best - most) ? slice : best));
  return even.map((slice) => (slice === nearest ? most : slice));
}

/** Slices of a scan side by side, each with its number from 0, the names of what was found below. */
export function montage(title: string, slices: readonly DrawnSlice[], classes: readonly ShownClass[]): ByteImage {
  const pictures = slices.map(({ slice, image, mask }) => ({
    picture: overlay(image, mask, coloursOf(classes)),
    caption: `slice ${slice}`,
  }));
  const legend = foundLegend(
    slices.map(({ mask }) => mask),
    classes,
  );
  return picturePage(pictures, { title: [title], legend, columns: ACROSS });
}
