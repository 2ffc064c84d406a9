import { DataError } from "../../errors.ts";
import type { Rgb } from "../codec/png-read.ts";

/** Numbers of any array type. */
export type Values =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** A label picture as its file stores it: nothing scaled, rounded or looked up in a palette. */
export interface StoredMask {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  /** What `values` holds: numbers (grey levels, palette indices), or colours as 0xRRGGBB where any pixel has one. */
  readonly kind: "level" | "colour";
  /** One a pixel, row by row. */
  readonly values: Values;
  /** How the file stores it: grey, greyAlpha, rgb, rgbAlpha, palette, and jpeg, webp, gif for what is no exact store of labels. */
  readonly mode: string;
  /** Bits a sample. */
  readonly depth: number;
  /** The number that stands for white in a picture of this kind: 255 of 8 bits, 65535 of 16. */
  readonly white: number;
  /** Whether the file says that 0 is shown white (TIFF); `values` are the stored ones all the same. */
  readonly whiteIsZero: boolean;
  /** Whether the file keeps the numbers that were written: JPEG does not, of WebP and GIF it cannot be told. */
  readonly exact: boolean;
  /** Alpha of each pixel, where the file has it. */
  readonly alpha: Values | undefined;
  /** Colours of the palette indices. */
  readonly palette: readonly Rgb[] | undefined;
}

/** The channels of a picture, interleaved as files store them. */
interface Samples {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
  readonly channels: number;
  readonly samples: Values;
}

/** Every `channels`-th value from `first` on. */
function channelOf({ channels, samples }: Samples, first: number): Values {
  if (channels === 1) return samples;
  const out = samples.slice(0, samples.length / channels);
  for (let pixel = 0; pixel < out.length; pixel++) out[pixel] = samples[pixel * channels + first] ?? 0;
  return out;
}

/** A pixel's place as messages name it, in rows of `width`. */
export const placeIn = (width: number, pixel: number): string =>
  `row ${Math.floor(pixel / width)}, column ${pixel % width}`;

/** The colour 0xRRGGBB as people write it. */
export const hex = (colour: number): string => `#${colour.toString(16).padStart(6, "0")}`;

/**
 * The labels in interleaved samples: grey as it is, RGB as its common value where all pixels are grey, else as colours
 * of 8 bits a channel. Throws DataError for colours that have more bits than that.
 */
export function labelsIn(picture: Samples, white: number, file: string): Pick<StoredMask, "kind" | "values" | "alpha"> {
  const { channels, samples, width } = picture;
  const alpha = channels === 2 || channels === 4 ? channelOf(picture, channels - 1) : undefined;
  if (channels < 3 || !hasColour(picture)) return { kind: "level", values: channelOf(picture, 0), alpha };
  const step = white === 65535 ? 257 : 1;
  const values = new Uint32Array(samples.length / channels);
  for (let pixel = 0; pixel < values.length; pixel++) {
    let colour = 0;
    for (let channel = 0; channel < 3; channel++) {
      const level = (samples[pixel * channels + channel] ?? 0) / step;
      if (!Number.isInteger(level) || level < 0 || level > 255) {
        throw new DataError(
          `${file}: the mask holds a colour of more than 8 bits at ${placeIn(width, pixel)}; ` +
            "write it as grey PNG whose pixel value is the class index (0 background, 255 ignore)",
        );
      }
      colour = colour * 256 + level;
    }
    values[pixel] = colour;
  }
  return { kind: "colour", values, alpha };
}

function hasColour({ channels, samples }: Samples): boolean {
  for (let at = 0; at < samples.length; at += channels) {
    if (samples[at] !== samples[at + 1] || samples[at] !== samples[at + 2]) return true;
  }
  return false;
}

/** The two things that a mask may mean whose zero is white, by the `--map` that says so; its maps are of the stored numbers. */
export const whiteIsZeroAdvice = (white: number): string =>
  `say it with --map ${white}=1 (the stored ${white} is class 1, as tifffile reads it) or --map 0=1,${white}=0 (what is shown ` +
  "white is, as Pillow reads it)";

/** Whether all that a mask shows stands in its alpha: one value everywhere, and alpha that varies. */
export function isAlphaOnly({ values, alpha }: StoredMask): boolean {
  const varies = (numbers: Values) => numbers.some((value) => value !== numbers[0]);
  return alpha !== undefined && varies(alpha) && !varies(values);
}
