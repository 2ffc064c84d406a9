import { DataError } from "../../errors.ts";
import { random } from "../../kernels/random.ts";
import { type ImageSource, readImageSource } from "../channel-picture.ts";
import { readMask } from "../decode.ts";
import type { Window } from "../formats/window.ts";
import { type AugmentOptions, augment, type Pair, stretch } from "../image/augment.ts";
import type { Size } from "../image/image.ts";
import { normalise, type PixelStatistics } from "../image/normalise.ts";
import { type BorderClass, labelsWithBorders, withNumbers } from "./borders.ts";

/** Plain data, so that it can travel to a worker. */
export interface SampleTask extends ImageSource {
  readonly mask: string;
  /** What the image is shown through where it is no bytes; undefined: its own percentiles. */
  readonly window?: Window | undefined;
  /** What comes out. */
  readonly size: Size;
  readonly statistics: PixelStatistics;
  /** Draws of a training sample; undefined = stretched as for evaluation. */
  readonly training: TrainingDraw | undefined;
}

interface TrainingDraw {
  readonly seed: number;
  readonly epoch: number;
  /** The sample's place in the split's name order. */
  readonly index: number;
  readonly augment: AugmentOptions;
  /** The class of pixels between objects, and the file that numbers these; undefined: there is none. */
  readonly borders?: (BorderClass & { readonly instances: string }) | undefined;
}

export interface PreparedSample {
  /** [height, width, channels] channels last, (x / 255 - mean) / std. */
  readonly image: Float32Array<ArrayBuffer>;
  /** [height, width], 255 = ignore. */
  readonly label: Int32Array<ArrayBuffer>;
  /** The image's own size. */
  readonly native: Size;
}

function transform(pair: Pair, { size, training }: SampleTask): Pair {
  if (training === undefined) return stretch(pair, size);
  const { seed, epoch, index } = training;
  const further = {
    foreground: random(seed, "foreground crop", epoch, index),
    strong: random(seed, "strong augmentation", epoch, index),
  };
  return augment(pair, size, random(seed, "augment", epoch, index), training.augment, further);
}

/**
 * Reads, transforms and normalises one sample: from two files to what the network reads, a pure function of its task
 * and of the files' content. Throws DataError naming the file that is missing, damaged or unequal.
 */
export async function prepareSample(task: SampleTask): Promise<PreparedSample> {
  const [image, mask] = await Promise.all([readImageSource(task, { dataset: task.window }), readMask(task.mask)]);
  if (image.width !== mask.width || image.height !== mask.height) {
    throw new DataError(
      `${task.mask}: the mask is ${mask.width}x${mask.height}, its image ${task.image} is ${image.width}x${image.height}; ` +
        "the files changed since they were checked",
    );
  }
  const borders = task.training?.borders;
  const carried = borders ? await withNumbers(mask, borders.instances) : mask;
  const out = transform({ image, mask: carried }, task);
  return {
    image: normalise(out.image, task.statistics),
    label: borders ? labelsWithBorders(out.mask, borders) : Int32Array.from(out.mask.data),
    native: { width: image.width, height: image.height },
  };
}
