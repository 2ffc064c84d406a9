import { readImageSource } from "../../data/channel-picture.ts";
import { encodePng } from "../../data/codec/png.ts";
import type { CheckedSample } from "../../data/dataset/check-dataset.ts";
import { drawn } from "../../data/image/image.ts";
import { resize } from "../../data/image/resample.ts";
import { shownInColour } from "../../data/image/shown-channels.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import type { JudgedMap } from "../evaluate/eval-pictures.ts";
import { judgedOverlay } from "../evaluate/overlay.ts";
import type { EventImage } from "../run/event-messages.ts";

/** Longest side of a picture in the event file: three of them take some hundred kilobytes at most. */
const LONGEST = 256;

/** Which of the validation images are shown: by how much of them is foreground. */
const SHARES = ["smallest", "median", "largest"] as const;

/**
 * The validation images whose overlays TensorBoard gets, the same three throughout a run, by a tag that says why: of those
 * that hold an object the ones with the smallest, the median and the largest share of foreground. Ties go by name.
 */
export function shownSamples(samples: readonly CheckedSample[]): ReadonlyMap<CheckedSample, string> {
  const ranked = samples
    .map((sample) => ({ sample, share: foregroundShare(sample) }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => a.share - b.share || (a.sample.stem < b.sample.stem ? -1 : 1));
  const last = ranked.length - 1;
  const places = { smallest: 0, median: Math.floor(last / 2), largest: last };
  const shown = new Map<CheckedSample, string>();
  for (const reason of SHARES) {
    const sample = ranked[places[reason]]?.sample;
    if (sample !== undefined && !shown.has(sample)) shown.set(sample, `val/${reason} foreground/${sample.stem}`);
  }
  return shown;
}

function foregroundShare({ labels, width, height }: CheckedSample): number {
  const pixels = labels.filter(([label]) => label > 0 && label !== IGNORE_LABEL).map(([, count]) => count);
  return pixels.reduce((sum, count) => sum + count, 0) / (width * height);
}

/** The image, no larger than {@link LONGEST}, with what was found, missed and wrongly found in it as `eval` tints it. */
export async function shownImage({ sample, prediction, target, width, height }: JudgedMap): Promise<EventImage> {
  const whole = shownInColour(drawn(await readImageSource(sample, { dataset: sample.window })));
  const scale = Math.min(1, LONGEST / Math.max(whole.width, whole.height));
  const size = { width: Math.round(scale * whole.width) || 1, height: Math.round(scale * whole.height) || 1 };
  const image = scale < 1 ? resize(whole, size, "bilinear") : whole;
  const labels = (data: ArrayLike<number>) => ({ width, height, data });
  const tinted = judgedOverlay(image, labels(prediction), labels(target));
  return { ...size, png: encodePng(tinted) };
}
