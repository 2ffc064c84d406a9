import { UsageError } from "../../errors.ts";
import type { ByteImage } from "../image/image.ts";

/** Channels that a picture for people is made of where nobody chose: the first three, or the first one in grey. */
const usual = (channels: number): readonly number[] => (channels >= 3 ? [0, 1, 2] : [0]);

/**
 * An image as people look at it, in red, green and blue: three of its channels, counted from 0, or one of them in grey.
 * An image of RGB is given back as it is where none are chosen.
 */
export function shownInColour(image: ByteImage, chosen: readonly number[] = usual(image.channels)): ByteImage {
  const { width, height, channels, data } = image;
  const [red = 0, green = red, blue = red] = chosen;
  if (channels === 3 && red === 0 && green === 1 && blue === 2) return image;
  const out = new Uint8Array(width * height * 3);
  for (let at = 0; at < width * height; at++) {
    const pixel = at * channels;
    out[at * 3] = data[pixel + red] ?? 0;
    out[at * 3 + 1] = data[pixel + green] ?? 0;
    out[at * 3 + 2] = data[pixel + blue] ?? 0;
  }
  return { width, height, channels: 3, data: out };
}

/** The channels of networks that name none. */
export const COLOUR_NAMES: readonly string[] = ["red", "green", "blue"];

/** Throws UsageError where `--show` names channels that an image of channels of these names has not. */
export function requireShown(chosen: readonly number[] | undefined, names: readonly string[]): void {
  const wrong = chosen?.find((channel) => channel >= names.length);
  if (wrong === undefined) return;
  const there = names.map((name, channel) => `${channel} ${name}`).join(", ");
  throw new UsageError(`--show ${chosen?.join(",")}: there is no channel ${wrong}; the network's are ${there}`);
}
