import { DataError } from "../../errors.ts";
import { shownSamples } from "./picture-samples.ts";
import { modeOf, openPicture, sampleType } from "./picture-source.ts";
import { type Numbers, VALUE_TYPES } from "./values.ts";

/** A picture as its file holds it, turned upright, alpha dropped. */
export interface StoredPicture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Row by row, channels last: bytes as they are shown, or the values of samples that are no bytes. NaN: no data. */
  readonly samples: Uint8Array | Numbers;
  /** How the file stores it: grey, greyAlpha, rgb, rgba, palette, cmyk. */
  readonly mode: string;
  /** Bits a sample as stored. */
  readonly depth: number;
  /** Low values are bright. */
  readonly inverted: boolean;
}

/** Whether every pixel has the same colour while alpha differs: then the picture stands in its alpha. */
function isDrawnInAlpha(samples: Uint8Array | Numbers, channels: number): boolean {
  const alpha = channels - 1;
  let varies = false;
  for (let at = 0; at < samples.length; at += channels) {
    for (let channel = 0; channel < alpha; channel++) {
      if (samples[at + channel] !== samples[channel]) return false;
    }
    varies ||= samples[at + alpha] !== samples[alpha];
  }
  return varies;
}

/** The first one or three of the channels; grey in three equal channels stays so. */
function withoutAlpha<Samples extends Uint8Array | Numbers>(samples: Samples, channels: number, file: string): Samples {
  if (channels === 1 || channels === 3) return samples;
  if (isDrawnInAlpha(samples, channels)) {
    throw new DataError(
      `${file}: all its pixels have one colour and differ in alpha alone, which is not read; draw the picture on a background`,
    );
  }
  const kept = channels - 1;
  const out = samples.slice(0, (samples.length / channels) * kept);
  for (let from = 0, to = 0; to < out.length; from += channels, to += kept) {
    for (let channel = 0; channel < kept; channel++) out[to + channel] = samples[from + channel] ?? 0;
  }
  return out as Samples;
}

/**
 * A picture file's samples as stored, one page of them: turned upright by its orientation tag (EXIF's 2 to 8, others count
 * as 1), without alpha, CMYK as RGB, palettes as the colours they name, no colour profile applied. Throws DataError naming
 * `file` where it is damaged, of a kind that is not read, or has several pages of which none is chosen; UsageError where there
 * is no such page.
 */
export async function readStoredPicture(bytes: Buffer, file: string, page?: number): Promise<StoredPicture> {
  const source = await openPicture(bytes, file, { page, several: severalPages });
  const { width, height, channels, samples } = await shownSamples(source);
  const type = sampleType(source);
  return {
    ...{ width, height },
    channels: channels <= 2 ? 1 : 3,
    samples: withoutAlpha(samples, channels, file),
    mode: modeOf(source),
    depth: type === undefined ? (source.metadata.bitsPerSample ?? 8) : 8 * VALUE_TYPES[type],
    inverted: type !== undefined && source.page?.photometric === "white is zero" && source.page.bits > 8,
  };
}

/** The error of a file of `count` pages of which none is chosen. */
export const severalPages = (file: string, count: number) =>
  new DataError(
    `${file}: holds ${count} pages (a stack, channels or an animation), a picture has one; store each in a file of its own, ` +
      `or take one with --page 0 to ${count - 1} of svanet predict and svanet data prepare folder`,
  );

/** What is known of a picture before it is decoded. */
export interface PictureFacts {
  /** Sides as it is shown, turned upright. */
  readonly width: number;
  readonly height: number;
  /** Bytes of its three channels once it is read. */
  readonly bytes: number;
}

/** A picture file's facts from its header alone. Throws as {@link readStoredPicture}, of what the header says. */
export async function pictureFacts(bytes: Buffer, file: string, page?: number): Promise<PictureFacts> {
  const source = await openPicture(bytes, file, { page, several: severalPages });
  const { width = 0, height = 0, orientation = 1 } = source.page ?? source.metadata;
  const turned = orientation >= 5 && orientation <= 8;
  const sample = sampleType(source) === undefined ? 1 : Float32Array.BYTES_PER_ELEMENT;
  return { width: turned ? height : width, height: turned ? width : height, bytes: 3 * sample * width * height };
}
