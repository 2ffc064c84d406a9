import {
  type ChannelSamples,
  type ChannelSource,
  readChannelSamples,
  requireChannelCount,
  stacked,
} from "./channel-samples.ts";
import type { ChannelPlan } from "./channels.ts";
import { type PictureOptions, readBytes, readPicture } from "./decode.ts";
import { type ChosenView, chooseView, shownValues, type Window } from "./formats/window.ts";
import type { Picture } from "./image/image.ts";

/** Where an image lies and what its channels are. */
export interface ImageSource {
  readonly image: string;
  /** The files of the channels after the first, where each has one. */
  readonly further?: readonly string[] | undefined;
  /** Undefined: red, green and blue, grey repeated. */
  readonly channels?: ChannelPlan | undefined;
}

/** An image of named channels, as networks see it. */
export interface ChannelPicture {
  readonly picture: Picture;
  /** What each channel is shown through; undefined for bytes, which are shown as they are. */
  readonly views: readonly (ChosenView | undefined)[];
  readonly stored: ChannelSamples;
}

/** Windows that may be named; the first that is there holds, for all channels but where the plan has one for each. */
type ChannelWishes = Pick<PictureOptions, "asked" | "trained" | "dataset">;

/** How one channel's values are shown. */
function viewOf(
  values: Float64Array,
  width: number,
  channel: number,
  plan: ChannelPlan,
  wishes: ChannelWishes,
  inverted: boolean,
) {
  const own = plan.windows?.[channel];
  const window: Window | undefined = own === "percentiles" ? undefined : own;
  const { asked, trained, dataset } = wishes;
  return chooseView(() => [{ values, width }], { asked, trained, dataset: dataset ?? window, inverted });
}

/** Samples of an image as the network sees them: bytes as they are, other values of each channel through its window. */
export function shownChannels(stored: ChannelSamples, plan: ChannelPlan, wishes: ChannelWishes = {}): ChannelPicture {
  const { width, height, channels, samples, inverted } = stored;
  const size = { width, height, channels, measured: true } as const;
  const names = Array.from({ length: channels }, (_, channel) => channel);
  if (samples instanceof Uint8Array) {
    return { picture: { ...size, data: samples }, views: names.map(() => undefined), stored };
  }
  const data = new Float32Array(samples.length);
  const views = names.map((channel) => {
    if (stored.bytes?.[channel]) {
      for (let at = channel; at < data.length; at += channels) data[at] = samples[at] ?? 0;
      return undefined;
    }
    const values = Float64Array.from({ length: width * height }, (_, at) => samples[at * channels + channel] ?? 0);
    const view = viewOf(values, width, channel, plan, wishes, inverted);
    for (const [at, value] of shownValues(values, view).entries()) data[at * channels + channel] = value;
    return view;
  });
  return { picture: { ...size, data }, views, stored };
}

/** The bytes of an image's files, in the order of its channels. */
export function readImageBytes({ image, further = [] }: ImageSource): Promise<readonly Buffer[]> {
  return Promise.all([image, ...further].map(readBytes));
}

/**
 * An image of named channels from the bytes of its files: one that holds all of them, or one of each. Throws DataError
 * naming the file that is damaged or has not the channels it should; `source` says who names them.
 */
export async function decodeChannels(
  bytes: readonly Buffer[],
  { image, further = [] }: ImageSource,
  plan: ChannelPlan,
  wishes: ChannelWishes = {},
  source: ChannelSource = "dataset.yaml names",
): Promise<ChannelPicture> {
  const files = [image, ...further];
  if (files.length === 1) {
    const [content = Buffer.alloc(0)] = bytes;
    const stored = await readChannelSamples(content, image, plan.names.length, plan);
    requireChannelCount(image, stored.channels, plan, source);
    return shownChannels(stored, plan, wishes);
  }
  const parts = await Promise.all(
    files.map(async (file, at) => {
      const part = await readChannelSamples(bytes[at] ?? Buffer.alloc(0), file, 1, {});
      requireChannelCount(file, part.channels, { names: [plan.names[at] ?? ""] }, source);
      return { ...part, name: file };
    }),
  );
  return shownChannels(stacked(parts), plan, wishes);
}

/** An image as networks see it, from its files: in three channels, or in those its plan names. Throws as their readers. */
export async function readImageSource(source: ImageSource, wishes: ChannelWishes = {}): Promise<Picture> {
  if (source.channels === undefined) return (await readPicture(source.image, wishes)).picture;
  return (await decodeChannels(await readImageBytes(source), source, source.channels, wishes)).picture;
}
