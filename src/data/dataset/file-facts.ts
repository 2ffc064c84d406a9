import { createHash } from "node:crypto";
import { z } from "zod";
import { type DecodedPicture, decodePicture, readBytes } from "../decode.ts";
import type { ChosenView, Window } from "../formats/window.ts";
import { burntInCharacters } from "../image/burnt-in-text.ts";
import { luma } from "../image/colour.ts";
import type { Picture } from "../image/image.ts";
import { readStored } from "../masks/read-mask.ts";
import { readClasses } from "../masks/reading.ts";

const triple = z.tuple([z.number(), z.number(), z.number()]);

const imageFacts = z.object({
  kind: z.literal("image"),
  width: z.number(),
  height: z.number(),
  /** How the file stores it: grey, greyAlpha, rgb, rgba, palette, cmyk. */
  mode: z.string(),
  /** Bits a sample as stored. */
  depth: z.number(),
  /** What a picture that is no bytes is shown through, whether by its own choice, and the words for it. */
  shown: z.object({ low: z.number(), high: z.number(), own: z.boolean(), why: z.string() }).optional(),
  /** Per channel over all pixels, 0 to 255 as shown: of bytes exact whole numbers. */
  sums: triple,
  squares: triple,
  /** SHA-256 of size and RGB bytes, of other samples as stored: equal for equal pictures whatever the file format. */
  content: z.string(),
  /** What it looks like: mean luma of `lookSide` x `lookSide` parts, one byte each, base64. */
  look: z.string(),
  /** Characters in the longest line of what looks like burnt-in text. */
  characters: z.number(),
});

const maskFacts = z.object({
  kind: z.literal("mask"),
  width: z.number(),
  height: z.number(),
  mode: z.string(),
  depth: z.number(),
  /** [label, pixels] of every label that occurs, ascending; 255 = ignore included. */
  labels: z.array(z.tuple([z.number(), z.number()])),
  /** SHA-256 of size and class indices. */
  content: z.string(),
});

export type ImageFacts = z.infer<typeof imageFacts>;
export type MaskFacts = z.infer<typeof maskFacts>;
export const fileFacts = z.union([imageFacts, maskFacts]);
export type FileFacts = z.infer<typeof fileFacts>;

/** Parts along each side of an image's `look`. */
export const LOOK_SIDE = 24;

export interface FactsTask {
  readonly file: string;
  readonly kind: FileFacts["kind"];
  /** What pictures that are no bytes are shown through; undefined: each through its own percentiles. */
  readonly window?: Window | undefined;
  /** The SHA-256 of the file when it was last read: equal bytes are not decoded again. */
  readonly known: string | undefined;
}

export interface FactsAnswer {
  readonly sha256: string;
  /** Undefined where the file is still the known one. */
  readonly facts: FileFacts | undefined;
}

function contentHash({ width, height, channels }: Omit<Picture, "data">, data: Uint8Array): string {
  return createHash("sha256").update(`${width}x${height}x${channels} `).update(data).digest("hex");
}

/** What tells copies: the bytes that are shown, or the values as stored, since two windows may show unequal values alike. */
function pictureHash({ picture, stored }: DecodedPicture): string {
  const { samples } = stored;
  if (picture.data instanceof Uint8Array) return contentHash(picture, picture.data);
  return contentHash(stored, new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
}

/** Whether facts of an image hold for a window: those of bytes for every one. */
export function holdFor({ shown }: ImageFacts, window: Window | undefined): boolean {
  if (shown === undefined) return true;
  return window === undefined ? shown.own : !shown.own && shown.low === window.low && shown.high === window.high;
}

const shownOf = ({ window, why }: ChosenView, own: boolean) => ({ low: window.low, high: window.high, own, why });

/** Mean luma of the parts of an image, rounded; parts narrower than a pixel take the pixel they lie in. */
function lookOf(image: Picture): Uint8Array {
  const { width, height } = image;
  const gray = luma(image);
  const out = new Uint8Array(LOOK_SIDE * LOOK_SIDE);
  const edges = (length: number) =>
    Array.from({ length: LOOK_SIDE + 1 }, (_, k) => Math.floor((k * length) / LOOK_SIDE));
  const [columns, rows] = [edges(width), edges(height)];
  for (let part = 0; part < out.length; part++) {
    const [row, column] = [Math.floor(part / LOOK_SIDE), part % LOOK_SIDE];
    const [top, left] = [rows[row] ?? 0, columns[column] ?? 0];
    const bottom = Math.max(top + 1, rows[row + 1] ?? 0);
    const right = Math.max(left + 1, columns[column + 1] ?? 0);
    let sum = 0;
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += gray[y * width + x] ?? 0;
    out[part] = Math.round(sum / ((bottom - top) * (right - left)));
  }
  return out;
}

async function imageFactsOf(bytes: Buffer, file: string, window: Window | undefined): Promise<ImageFacts> {
  const decoded = await decodePicture(bytes, file, { dataset: window });
  const { picture, view, stored } = decoded;
  const { width, height, data } = picture;
  const sums: [number, number, number] = [0, 0, 0];
  const squares: [number, number, number] = [0, 0, 0];
  for (const channel of [0, 1, 2] as const) {
    let sum = 0;
    let square = 0;
    for (let at = channel; at < data.length; at += 3) {
      const value = data[at] ?? 0;
      sum += value;
      square += value * value;
    }
    sums[channel] = sum;
    squares[channel] = square;
  }
  const characters = burntInCharacters(picture);
  const look = Buffer.from(lookOf(picture)).toString("base64");
  const shown = view && { shown: shownOf(view, window === undefined) };
  const { mode, depth } = stored;
  return {
    kind: "image",
    width,
    height,
    mode,
    depth,
    ...shown,
    sums,
    squares,
    content: pictureHash(decoded),
    look,
    characters,
  };
}

async function maskFactsOf(bytes: Buffer, file: string): Promise<MaskFacts> {
  const stored = await readStored(bytes, file);
  const { mode, depth } = stored;
  const mask = readClasses(stored, { kind: "classes" }, 254);
  const counts = new Float64Array(256);
  for (const label of mask.data) counts[label] = (counts[label] ?? 0) + 1;
  const labels = [...counts].map((pixels, label): [number, number] => [label, pixels]);
  const { width, height } = mask;
  const present = labels.filter(([, pixels]) => pixels > 0);
  return { kind: "mask", width, height, mode, depth, labels: present, content: contentHash(mask, mask.data) };
}

/**
 * Reads and decodes one file once, for all that is learnt about it: sizes, values, storage, and fingerprints that tell
 * copies. Throws DataError naming it where it is missing or damaged.
 */
export async function readFacts({ file, kind, known, window }: FactsTask): Promise<FactsAnswer> {
  const bytes = await readBytes(file);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 === known) return { sha256, facts: undefined };
  return { sha256, facts: kind === "image" ? await imageFactsOf(bytes, file, window) : await maskFactsOf(bytes, file) };
}
