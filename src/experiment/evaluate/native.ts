import { readImageSource } from "../../data/channel-picture.ts";
import type { CheckedSample } from "../../data/dataset/check-dataset.ts";
import { readMask } from "../../data/decode.ts";
import type { ByteImage, Picture, Size } from "../../data/image/image.ts";
import { DataError } from "../../errors.ts";
import { CrossEntropy } from "../../metrics/cross-entropy.ts";
import { imageShares } from "../../metrics/strata.ts";
import type { PixelCertainty } from "../../objects/measure.ts";
import { Counting } from "./counting.ts";
import type { ObjectEvaluation } from "./object-evaluation.ts";
import type { EvaluationResult, ScoreOptions } from "./scores.ts";

/** What predicts images at their own size: a `Predictor`, with its tiles, views and rules. */
interface NativePredictor {
  /** The class of every pixel; `sink` takes the probabilities `[rows, width, classes]` from top to bottom. */
  mask(image: Picture, sink?: (rows: Float32Array) => void): Promise<ByteImage>;
  /** The same, and how sure it is of each pixel. */
  find(image: Picture, sink?: (rows: Float32Array) => void): Promise<Finding>;
  /** Throws OutOfMemoryError, by the image's `name`, where one of this size does not fit. */
  plan(image: Size & { readonly bytes: number }, name: string, probabilities: boolean): unknown;
}

/** A mask, and how sure the prediction is of its pixels. */
interface Finding {
  readonly mask: ByteImage;
  readonly certainty?: PixelCertainty | undefined;
  readonly borders?: Uint8Array | undefined;
}

export interface NativeOptions extends ScoreOptions {
  readonly predictor: NativePredictor;
  /** Also the mean cross-entropy of a pixel, of the probabilities. */
  readonly loss?: boolean;
  /** Compares single objects too. */
  readonly objects?: ObjectEvaluation | undefined;
  /** Takes an image that could not be read, which is left out; without it that is an error. */
  readonly onFailure?: (failure: DataError, sample: CheckedSample) => void;
}

interface Pair {
  readonly picture: Picture;
  readonly mask: ByteImage;
}

/**
 * Evaluates a network on images at their own size: what `svanet predict` would write is compared with the masks, pixel by
 * pixel. Throws OutOfMemoryError, with the tiles that help, before anything is predicted where the largest image does not
 * fit, and DataError for a file that cannot be read (any more).
 */
export async function evaluateNative(options: NativeOptions): Promise<EvaluationResult> {
  const { samples, classes, predictor, roc = false, loss = false, onFailure } = options;
  const scores = roc || loss;
  requireRoom(predictor, samples, scores || options.objects !== undefined);
  const entropy = loss ? new CrossEntropy() : null;
  const counting = new Counting(options, "native");
  let done = 0;
  for await (const { sample, found: pair } of pairsOf(samples)) {
    done++;
    if (pair instanceof DataError) {
      if (onFailure === undefined) throw pair;
      onFailure(pair, sample);
      counting.leaveOut(sample);
      continue;
    }
    const { picture, mask } = pair;
    const target = mask.data;
    let counted = 0;
    const sink = (rows: Float32Array) => {
      const end = counted + rows.length / classes;
      counting.addScores(rows, target.subarray(counted, end));
      entropy?.add(rows.map(logarithm), target.subarray(counted, end), classes);
      counted = end;
    };
    const found = await findIn(picture, options, scores ? sink : undefined);
    const { width, height, data } = found.mask;
    const map = { sample, prediction: data, target, height, width, certainty: found.certainty, borders: found.borders };
    if (counting.add(map, imageShares(target, height, width))) await options.objects?.add(map);
    await options.onImage?.(done, samples.length, map);
  }
  return {
    ...counting.result(),
    ...(options.objects ? { objects: options.objects.result() } : {}),
    ...(entropy ? { loss: entropy.value } : {}),
  };
}

/** What is predicted of a picture: how sure that is only where objects ask. */
const findIn = async (
  picture: Picture,
  { predictor, objects }: NativeOptions,
  sink: ((rows: Float32Array) => void) | undefined,
): Promise<Finding> => (objects ? predictor.find(picture, sink) : { mask: await predictor.mask(picture, sink) });

/** A logit that gives this probability beside others made so; no probability of f32 is as small as the least. */
export const logarithm = (probability: number): number => Math.log(Math.max(probability, LEAST_PROBABILITY));
const LEAST_PROBABILITY = 1e-45;

function requireRoom(predictor: NativePredictor, samples: readonly CheckedSample[], scores: boolean): void {
  const pixels = ({ width, height }: CheckedSample) => width * height;
  const [first, ...others] = samples;
  if (first === undefined) return;
  const largest = others.reduce((most, one) => (pixels(one) > pixels(most) ? one : most), first);
  const { width, height, image } = largest;
  predictor.plan({ width, height, bytes: 3 * pixels(largest) }, image, scores);
}

interface ReadPair {
  readonly sample: CheckedSample;
  readonly found: Pair | DataError;
}

/** The images with their masks in order, each read while the one before is worked on. */
async function* pairsOf(samples: readonly CheckedSample[]): AsyncGenerator<ReadPair> {
  let ahead = samples[0] && readPair(samples[0]);
  for (const [i, sample] of samples.entries()) {
    const pair = ahead;
    const following = samples[i + 1];
    if (pair === undefined) return;
    const found = await pair;
    ahead = following && readPair(following);
    yield { sample, found };
  }
}

/** What is wrong with the files comes back as a value: nobody may be waiting for it yet. */
async function readPair(sample: CheckedSample): Promise<Pair | DataError> {
  const { image, mask, window } = sample;
  try {
    const [picture, labels] = await Promise.all([readImageSource(sample, { dataset: window }), readMask(mask)]);
    if (picture.width === labels.width && picture.height === labels.height) return { picture, mask: labels };
    return new DataError(
      `${mask}: the mask is ${labels.width}x${labels.height}, its image ${image} is ${picture.width}x${picture.height}; ` +
        "the files changed since they were checked",
    );
  } catch (error) {
    if (error instanceof DataError) return error;
    throw error;
  }
}
