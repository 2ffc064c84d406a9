import { z } from "zod";
import { DataError } from "../errors.ts";
import { MOST_CHANNELS } from "../model/definition.ts";
import type { Window } from "./formats/window.ts";

/** What the channels of a data set's images are, where they are not a picture's red, green and blue. */
export interface ChannelPlan {
  /** One a channel, in the network's order. */
  readonly names: readonly string[];
  /** What each channel is shown through where it is no bytes; without them each picture's channel through its own percentiles. */
  readonly windows?: readonly ChannelWindow[] | undefined;
  /** The pages of a file are its channels. */
  readonly pages?: boolean | undefined;
}

/** "percentiles": of each picture's own values. */
export type ChannelWindow = Pick<Window, "low" | "high"> | "percentiles";

const oneWindow = z
  .strictObject({ low: z.number(), high: z.number() })
  .refine(({ low, high }) => high > low, "high must lie above low");

/** Names of channels, as files state them. */
export const channelNames = z
  .array(z.string().min(1).max(200))
  .min(1)
  .max(MOST_CHANNELS)
  .refine((names) => new Set(names).size === names.length, "two channels have one name");

/** A window for each channel, as files state them. */
export const channelWindows = z
  .array(z.union([oneWindow, z.literal("percentiles")]))
  .min(1)
  .max(MOST_CHANNELS);

/** A plan as checkpoints hold it. */
export const channelPlan = z
  .strictObject({
    names: channelNames,
    windows: channelWindows.exactOptional(),
    pages: z.boolean().exactOptional(),
  })
  .refine(({ names, windows }) => windows === undefined || windows.length === names.length, "one window a channel");

const COLOURS = [
  ["red", "green", "blue"],
  ["r", "g", "b"],
].map((names) => names.join());

/** Whether channels of these names are a picture's colours: such a data set is read as one that names none. */
export const areColours = (names: readonly string[]): boolean =>
  COLOURS.includes(names.map((name) => name.toLowerCase()).join());

/** `4 channels (ADC, HBV, T2, mask)`. */
export const channelsText = (names: readonly string[]): string =>
  `${names.length} ${names.length === 1 ? "channel" : "channels"} (${names.join(", ")})`;

/** Throws DataError where the images of a data set have not the channels, in their order, that a network was trained on. */
export function requireSameChannels(
  folder: string,
  found: ChannelPlan | undefined,
  trained: ChannelPlan | undefined,
): void {
  const listOf = (plan: ChannelPlan | undefined) => plan?.names ?? ["red", "green", "blue"];
  const [has, takes] = [listOf(found), listOf(trained)];
  if ((found === undefined) === (trained === undefined) && has.join() === takes.join()) return;
  const file = `${folder}/dataset.yaml`;
  const cure =
    trained === undefined
      ? "take a network that was trained on such images"
      : `if its images have these, say channels: [${takes.join(", ")}] there`;
  throw new DataError(
    `${file}: its images have ${channelsText(has)}, the network takes ${channelsText(takes)}, in this order; ${cure}`,
  );
}
