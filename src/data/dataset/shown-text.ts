import { type ChannelPlan, channelsText } from "../channels.ts";
import { viewsText } from "../formats/window.ts";
import type { ImageFacts } from "./file-facts.ts";
import type { SplitSurvey } from "./survey.ts";

type Shown = NonNullable<ImageFacts["shown"]>;

const viewsOf = (shown: readonly Shown[], why: string): string =>
  viewsText(shown.map((one) => ({ window: one, why: one.own ? one.why : why })));

const bitsText = (images: readonly ImageFacts[]): string =>
  `${[...new Set(images.map(({ depth }) => depth))].sort((a, b) => a - b).join(" and ")} bits`;

/** Named channels: `images of 2 channels (ADC, T2), 16 bits; ADC shown from ...; T2 as stored`. */
function channelsShown(images: readonly ImageFacts[], { names }: ChannelPlan, why: string): string {
  const deep = images.flatMap(({ channels }) => channels?.shown ?? []).filter((shown) => shown !== null);
  const head = `images of ${channelsText(names)}, ${bitsText(images)}`;
  if (deep.length === 0) return head;
  if (deep.every(({ own }) => own)) return `${head}; each channel of each shown from its own percentiles`;
  const each = names.map((name, channel) => {
    const shown = images.flatMap(({ channels }) => channels?.shown[channel] ?? []);
    return `${name} ${shown.length === 0 ? "as stored" : viewsOf(shown, why)}`;
  });
  return `${head}; ${each.join("; ")}`;
}

/**
 * How the pictures that are no bytes are shown, `why` where through one window for all: `12 pictures of 16 bits, shown from
 * 0 to 4095 (as dataset.yaml says)`; of named channels what they are and how each is shown. Undefined where there is nothing
 * to say.
 */
export function shownText(splits: readonly SplitSurvey[], why: string, channels?: ChannelPlan): string | undefined {
  const images = splits.flatMap(({ samples }) => samples.map(({ imageFacts }) => imageFacts));
  if (channels !== undefined && images.length > 0) return channelsShown(images, channels, why);
  const deep = images.filter(({ shown }) => shown !== undefined);
  if (deep.length === 0) return undefined;
  const shown = deep.flatMap((one) => one.shown ?? []);
  return `${deep.length === 1 ? "1 picture" : `${deep.length} pictures`} of ${bitsText(deep)}, ${viewsOf(shown, why)}`;
}
