import { createHash } from "node:crypto";
import sharp from "sharp";
import { z } from "zod";
import { decodeImage, decodeMaskSamples, readBytes } from "../decode.ts";
import { luma } from "../image/colour.ts";
import type { ByteImage } from "../image/image.ts";

const triple = z.tuple([z.number(), z.number(), z.number()]);

const imageFacts = z.object({
  kind: z.literal("image"),
  width: z.number(),
  height: z.number(),
  /** How the file stores it: grey, greyAlpha, rgb, rgba, palette, cmyk. */
  mode: z.string(),
  /** Bits a sample as stored. */
  depth: z.number(),
  /** Per channel over all pixels, bytes: exact whole numbers. */
  sums: triple,
  squares: triple,
  /** SHA-256 of size and RGB bytes: equal for equal pictures whatever the file format. */
  content: z.string(),
  /** What it looks like: mean luma of `lookSide` x `lookSide` parts, one byte each, base64. */
  look: z.string(),
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
  /** The SHA-256 of the file when it was last read: equal bytes are not decoded again. */
  readonly known: string | undefined;
}

export interface FactsAnswer {
  readonly sha256: string;
  /** Undefined where the file is still the known one. */
  readonly facts: FileFacts | undefined;
}

function contentHash({ width, height, channels, data }: ByteImage): string {
  return createHash("sha256").update(`${width}x${height}x${channels} `).update(data).digest("hex");
}

/** Mean luma of the parts of an image, rounded; parts narrower than a pixel take the pixel they lie in. */
function lookOf(image: ByteImage): Uint8Array {
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

const DEPTHS: Readonly<Record<string, number>> = { ushort: 16, short: 16, uint: 32, int: 32, float: 32, double: 64 };

/** Storage as the file's header tells it. */
async function storageOf(bytes: Buffer): Promise<{ mode: string; depth: number }> {
  const { channels, space, hasAlpha, depth, isPalette, bitsPerSample } = await sharp(bytes).metadata();
  if (isPalette === true) return { mode: "palette", depth: bitsPerSample ?? 8 };
  const colour = space === "cmyk" ? "cmyk" : channels <= 2 ? "grey" : "rgb";
  const mode = hasAlpha ? (colour === "grey" ? "greyAlpha" : `${colour}a`) : colour;
  return { mode, depth: DEPTHS[depth] ?? bitsPerSample ?? 8 };
}

async function imageFactsOf(bytes: Buffer, file: string): Promise<ImageFacts> {
  const image = await decodeImage(bytes, file);
  const { width, height, data } = image;
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
  const look = Buffer.from(lookOf(image)).toString("base64");
  const storage = await storageOf(bytes);
  return { kind: "image", width, height, ...storage, sums, squares, content: contentHash(image), look };
}

function maskFactsOf(bytes: Buffer, file: string): MaskFacts {
  const { mask, kind: mode, depth } = decodeMaskSamples(bytes, file);
  const counts = new Float64Array(256);
  for (const label of mask.data) counts[label] = (counts[label] ?? 0) + 1;
  const labels = [...counts].map((pixels, label): [number, number] => [label, pixels]);
  const { width, height } = mask;
  const present = labels.filter(([, pixels]) => pixels > 0);
  return { kind: "mask", width, height, mode, depth, labels: present, content: contentHash(mask) };
}

/**
 * Reads and decodes one file once, for all that is learnt about it: sizes, values, storage, and fingerprints that tell
 * copies. Throws DataError naming it where it is missing or damaged.
 */
export async function readFacts({ file, kind, known }: FactsTask): Promise<FactsAnswer> {
  const bytes = await readBytes(file);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 === known) return { sha256, facts: undefined };
  return { sha256, facts: kind === "image" ? await imageFactsOf(bytes, file) : maskFactsOf(bytes, file) };
}
