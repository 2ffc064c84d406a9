import { parse } from "node:path";
import { ARRAY_EXTENSIONS } from "../channel-samples.ts";
import { type ChannelPlan, channelsText } from "../channels.ts";
import { IMAGE_EXTENSIONS } from "../decode.ts";

/** The files of an image: its stem, and their names, channel by channel where there are several. */
export interface GroupedFiles {
  readonly stem: string;
  readonly names: readonly string[];
  /** What is wrong, where channels are missing or are too many. */
  readonly problem: string | undefined;
}

/** nnU-Net's form: the channel's number from 0, in four digits, behind the name of the case. */
const CHANNEL_ENDING = /^(.+)_(\d{4})$/;

/** Whether a file of an image may have that name, given the channels of its data set. */
export const isImageName = (name: string, channels: ChannelPlan | undefined): boolean => {
  const ending = parse(name).ext.toLowerCase();
  return IMAGE_EXTENSIONS.has(ending) || (channels !== undefined && ARRAY_EXTENSIONS.has(ending));
};

/** The case and the channel that a file's name says; undefined where it says none. */
function channelOf(name: string): { readonly stem: string; readonly channel: number } | undefined {
  const [, stem, digits] = CHANNEL_ENDING.exec(parse(name).name) ?? [];
  return stem === undefined ? undefined : { stem, channel: Number(digits) };
}

/** What is wrong with the channels found of an image. */
function problemOf(found: readonly number[], { names }: ChannelPlan): string | undefined {
  const wanted = names.map((_, channel) => channel);
  if (found.join() === wanted.join()) return undefined;
  const digits = (channels: readonly number[]) => channels.map((one) => String(one).padStart(4, "0")).join(", ");
  return `has the channel files ${digits(found)}, ${channelsText(names)} need ${digits(wanted)}`;
}

/**
 * Files of a folder as images of named channels: `STEM_0000`, `STEM_0001`, ... are the channels of STEM unless `isWhole`
 * says that the file is an image of its own.
 */
export function groupChannels(
  files: readonly string[],
  plan: ChannelPlan,
  isWhole: (stem: string) => boolean,
): GroupedFiles[] {
  const groups = new Map<string, { channel: number; name: string }[]>();
  const whole: GroupedFiles[] = [];
  for (const name of files) {
    const own = parse(name).name;
    const part = isWhole(own) ? undefined : channelOf(name);
    if (part === undefined) whole.push({ stem: own, names: [name], problem: undefined });
    else groups.set(part.stem, [...(groups.get(part.stem) ?? []), { channel: part.channel, name }]);
  }
  const grouped = [...groups].map(([stem, parts]): GroupedFiles => {
    const sorted = parts.toSorted((a, b) => a.channel - b.channel);
    const channels = sorted.map(({ channel }) => channel);
    return { stem, names: sorted.map(({ name }) => name), problem: problemOf(channels, plan) };
  });
  return [...whole, ...grouped];
}

/**
 * Files of a folder where no mask tells which are whole: as {@link groupChannels} where a stem has one file for each channel, all
 * others by themselves. Ordered by their stems.
 */
export function completeGroups(files: readonly string[], plan: ChannelPlan): GroupedFiles[] {
  const groups = groupChannels(files, plan, () => false).flatMap((group) =>
    group.problem === undefined
      ? [group]
      : group.names.map((name) => ({ stem: parse(name).name, names: [name], problem: undefined })),
  );
  return groups.sort((a, b) => (a.stem < b.stem ? -1 : 1));
}

/** What to say of a picture whose name looks like a channel's where no channels are named; undefined where it does not. */
export function channelHint(name: string, hasMask: (stem: string) => boolean): string | undefined {
  const part = channelOf(name);
  if (part === undefined || !hasMask(part.stem)) return undefined;
  return `it looks like channel ${part.channel} of ${part.stem}: name the channels in dataset.yaml, such as channels: [ADC, T2]`;
}
