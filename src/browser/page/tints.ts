import type { Rgb } from "../../data/codec/png-read.ts";
import type { ByteImage } from "../../data/image/image.ts";
import type { PixelCertainty } from "../../objects/measure.ts";

/** Of what is found, how opaque its inside is beside its edge. */
const [INSIDE, EDGE] = [150, 255];

/** Of a least and a full probability; Okabe and Ito (2008): they stay apart without red, green or blue cones. */
export const PROBABILITY_COLOURS: readonly [Rgb, Rgb] = [
  [230, 159, 0],
  [86, 180, 233],
];
/** The probability that the first colour stands for. */
export const LEAST_PROBABILITY = 0.5;

/** The image as a canvas takes it: opaque red, green and blue. */
export function opaque({ data }: ByteImage): Uint8ClampedArray<ArrayBuffer> {
  const out = new Uint8ClampedArray((data.length / 3) * 4).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    for (let channel = 0; channel < 3; channel++) out[to + channel] = data[from + channel] ?? 0;
  }
  return out;
}

/** Classes in their colours, edges stronger; the background (0) is clear. */
export function classTints(mask: ByteImage, colours: readonly Rgb[]): Uint8ClampedArray<ArrayBuffer> {
  return tinted(mask, (at) => colours[mask.data[at] ?? 0] ?? [255, 255, 255]);
}

/** What was found by how probable it is, of {@link PROBABILITY_COLOURS}. */
export function probabilityTints(mask: ByteImage, { probability }: PixelCertainty): Uint8ClampedArray<ArrayBuffer> {
  const [low, high] = PROBABILITY_COLOURS;
  return tinted(mask, (at) => {
    const share = Math.max(0, ((probability[at] ?? 0) - LEAST_PROBABILITY) / (1 - LEAST_PROBABILITY));
    const mixed = (channel: 0 | 1 | 2) => low[channel] + share * (high[channel] - low[channel]);
    return [mixed(0), mixed(1), mixed(2)];
  });
}

function tinted({ data, width, height }: ByteImage, colourAt: (at: number) => Rgb): Uint8ClampedArray<ArrayBuffer> {
  const out = new Uint8ClampedArray(4 * data.length);
  for (let at = 0; at < data.length; at++) {
    const label = data[at];
    if (label === 0) continue;
    const x = at % width;
    const isEdge =
      (x > 0 && data[at - 1] !== label) ||
      (x + 1 < width && data[at + 1] !== label) ||
      (at >= width && data[at - width] !== label) ||
      (at < width * (height - 1) && data[at + width] !== label);
    out.set(colourAt(at), 4 * at);
    out[4 * at + 3] = isEdge ? EDGE : INSIDE;
  }
  return out;
}
