import { createHash } from "node:crypto";
import { z } from "zod";
import { decodeChannels, readImageBytes } from "../channel-picture.ts";
import type { ChannelSamples } from "../channel-samples.ts";
import type { ChannelPlan } from "../channels.ts";
import { type DecodedPicture, decodePicture } from "../decode.ts";
import type { ChosenView, Window } from "../formats/window.ts";
import { burntInCharacters } from "../image/burnt-in-text.ts";
import { luma } from "../image/colour.ts";
import type { Picture } from "../image/image.ts";
import { readStored } from "../masks/read-mask.ts";
import { readClasses } from "../masks/reading.ts";

const perChannel = z.array(z.number());

const shownThrough = z.object({ low: z.number(), high: z.number(), own: z.boolean(), why: z.string() });

const imageFacts = z.object({
  kind: z.literal("image"),
  width: z.number(),
  height: z.number(),
  /** How the file stores it: grey, greyAlpha, rgb, rgba, palette, cmyk. */
  mode: z.string(),
  /** Bits a sample as stored. */
  depth: z.number(),
  /** What a picture that is no bytes is shown through, whether by its own choice, and the words for it. */
  shown: shownThrough.optional(),
  /** Of an image of named channels: how it was read, and what each channel that is no bytes is shown through. */
  channels: z.object({ reading: z.string(), shown: z.array(shownThrough.nullable()) }).optional(),
  /** Per channel over all pixels, 0 to 255 as shown: of bytes exact whole numbers. */
  sums: perChannel,
  squares: perChannel,
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
  /** Of an image of named channels: its other files, and what the channels are. */
  readonly further?: readonly string[] | undefined;
  readonly channels?: ChannelPlan | undefined;
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

function contentHash(
  { width, height, channels }: Pick<Picture, "width" | "height" | "channels">,
  data: Uint8Array,
): string {
  return createHash("sha256").update(`${width}x${height}x${channels} `).update(data).digest("hex");
}

type Stored = Pick<ChannelSamples, "width" | "height" | "channels" | "samples">;

/** What tells copies: the bytes that are shown, or the values as stored, since two windows may show unequal values alike. */
function pictureHash({ picture, stored }: Pick<DecodedPicture, "picture"> & { readonly stored: Stored }): string {
  const { samples } = stored;
  if (picture.data instanceof Uint8Array) return contentHash(picture, picture.data);
  return contentHash(stored, new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
}

/** How an image of named channels is read, as text: facts hold for no other reading. */
const readingOf = (plan: ChannelPlan, further: readonly string[], window: Window | undefined): string =>
  JSON.stringify([plan.names.length, plan.pages ?? false, plan.windows ?? null, further.length, window ?? null]);

/** What an image is shown through, and its channels where they are named. */
export type Reading = Pick<FactsTask, "window" | "further" | "channels">;

/** Whether facts of an image hold for a window, those of bytes for every one; of named channels for their reading. */
export function holdFor({ shown, channels: known }: ImageFacts, { window, further = [], channels }: Reading): boolean {
  if (channels !== undefined) return known?.reading === readingOf(channels, further, window);
  if (known !== undefined) return false;
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

/** Sums and sums of squares of each channel. */
function momentsOf({ data, channels }: Picture): Pick<ImageFacts, "sums" | "squares"> {
  const sums = new Array<number>(channels).fill(0);
  const squares = new Array<number>(channels).fill(0);
  for (let channel = 0; channel < channels; channel++) {
    let sum = 0;
    let square = 0;
    for (let at = channel; at < data.length; at += channels) {
      const value = data[at] ?? 0;
      sum += value;
      square += value * value;
    }
    sums[channel] = sum;
    squares[channel] = square;
  }
  return { sums, squares };
}

/** What is learnt of an image by looking at it. */
function looksOf(picture: Picture, stored: Stored) {
  const { width, height } = picture;
  return {
    ...({ kind: "image", width, height } as const),
    ...momentsOf(picture),
    content: pictureHash({ picture, stored }),
    look: Buffer.from(lookOf(picture)).toString("base64"),
    characters: burntInCharacters(picture),
  };
}

async function imageFactsOf(bytes: Buffer, file: string, window: Window | undefined): Promise<ImageFacts> {
  const { picture, view, stored } = await decodePicture(bytes, file, { dataset: window });
  const shown = view && { shown: shownOf(view, window === undefined) };
  const { mode, depth } = stored;
  return { ...looksOf(picture, stored), mode, depth, ...shown };
}

/** Facts of an image of named channels. */
async function channelFactsOf(
  bytes: readonly Buffer[],
  { file, further = [], window }: FactsTask,
  plan: ChannelPlan,
): Promise<ImageFacts> {
  const source = { image: file, further };
  const { picture, views, stored } = await decodeChannels(bytes, source, plan, { dataset: window });
  const own = (channel: number) => window === undefined && typeof (plan.windows?.[channel] ?? "") === "string";
  const shown = views.map((view, channel) => (view === undefined ? null : shownOf(view, own(channel))));
  return {
    ...looksOf(picture, stored),
    ...{ mode: `${stored.channels} channels`, depth: stored.depth },
    channels: { reading: readingOf(plan, further, window), shown },
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
 * Reads and decodes one file once, or those of one image's channels, for all that is learnt about it: sizes, values, storage, and fingerprints that tell
 * copies. Throws DataError naming it where it is missing or damaged.
 */
export async function readFacts(task: FactsTask): Promise<FactsAnswer> {
  const { file, kind, known, window, further = [], channels } = task;
  const [bytes = Buffer.alloc(0), ...others] = await readImageBytes({ image: file, further });
  const hash = createHash("sha256").update(bytes);
  for (const other of others) hash.update(`${other.length} `).update(other);
  const sha256 = hash.digest("hex");
  if (sha256 === known) return { sha256, facts: undefined };
  if (channels !== undefined) return { sha256, facts: await channelFactsOf([bytes, ...others], task, channels) };
  return { sha256, facts: kind === "image" ? await imageFactsOf(bytes, file, window) : await maskFactsOf(bytes, file) };
}
