import { IGNORE_LABEL } from "../../labels.ts";
import { readImageSource } from "../channel-picture.ts";
import { readMask } from "../decode.ts";
import { luma } from "../image/colour.ts";
import { drawn } from "../image/image.ts";
import type { Sample } from "./dataset.ts";

/** The byte that best splits the values in two (largest variance between the parts): foreground is above it; 255 where all are equal. */
export function otsuThreshold(values: Uint8Array): number {
  const counts = new Float64Array(256);
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  const total = counts.reduce((sum, count, value) => sum + count * value, 0);
  let best = 255;
  let largest = -1;
  let below = 0;
  let sumBelow = 0;
  for (let threshold = 0; threshold < 255; threshold++) {
    below += counts[threshold] ?? 0;
    sumBelow += threshold * (counts[threshold] ?? 0);
    const above = values.length - below;
    if (below === 0 || above === 0) continue;
    const gap = sumBelow / below - (total - sumBelow) / above;
    const variance = below * above * gap * gap;
    if (variance > largest) {
      largest = variance;
      best = threshold;
    }
  }
  return best;
}

/**
 * Thresholding as a baseline, what a picture's histogram alone can tell (Otsu 1979), scored as networks are:
 * foreground Dice of each image's own Otsu threshold on its luma, bright = foreground, pooled over all pixels of the
 * samples (any label other than 0 is foreground, 255 left out): 0 to 1, NaN where neither holds foreground.
 */
export async function otsuDice(samples: readonly Sample[]): Promise<number> {
  let both = 0;
  let either = 0;
  for (const sample of samples) {
    const gray = luma(drawn(await readImageSource(sample, { dataset: sample.window })));
    const { data } = await readMask(sample.mask);
    const threshold = otsuThreshold(gray);
    for (let pixel = 0; pixel < gray.length; pixel++) {
      const label = data[pixel] ?? 0;
      if (label === IGNORE_LABEL) continue;
      const predicted = (gray[pixel] ?? 0) > threshold ? 1 : 0;
      const truth = label > 0 ? 1 : 0;
      both += predicted * truth;
      either += predicted + truth;
    }
  }
  return (2 * both) / either;
}
