import { evalBatches } from "../data/batches.ts";
import type { CheckedSample, PixelStatistics } from "../data/check-dataset.ts";
import { readMask } from "../data/decode.ts";
import type { SamplePool } from "../data/sample-pool.ts";
import { Evaluation, type ImageResult, type StratumResult } from "../metrics/evaluation.ts";
import { type RocCurve, RocHistogram } from "../metrics/roc.ts";
import { type ImageShares, imageShares } from "../metrics/strata.ts";
import type { Inference, Network } from "./network.ts";

export interface EvaluateOptions {
  readonly samples: readonly CheckedSample[];
  readonly classes: number;
  readonly statistics: PixelStatistics;
  readonly inference: Inference;
  readonly pool?: SamplePool;
  /** Sizes of the largest objects, kept between evaluations of one split by image path. */
  readonly shares?: Map<string, ImageShares>;
  /** Also gather the foreground ROC. Needs an inference with probabilities. */
  readonly roc?: boolean;
  readonly onImage?: (done: number, total: number, image: EvaluatedMap) => void | Promise<void>;
}

/** One evaluated image as `onImage` sees it; the maps are `[height, width]` at the evaluated size. */
export interface EvaluatedMap {
  readonly sample: CheckedSample;
  readonly prediction: Int32Array;
  readonly target: Int32Array;
  readonly height: number;
  readonly width: number;
}

export interface EvaluationResult {
  readonly strata: Readonly<Record<string, StratumResult>>;
  readonly images: readonly ImageResult[];
  readonly roc?: RocCurve;
}

/**
 * Evaluates a network on a split at its trained size: images stretched as the paper does, metrics at that size, size
 * strata from the masks at their own resolution. A last batch that is not full is filled up with zeros, whose results
 * are dropped: an image's result does not depend on its batch.
 */
export async function evaluateSplit(network: Network, options: EvaluateOptions): Promise<EvaluationResult> {
  const { samples, classes, statistics, inference, shares = new Map<string, ImageShares>() } = options;
  const { height, width } = network.config;
  const evaluation = new Evaluation({ classes });
  const histogram = options.roc ? new RocHistogram() : null;
  const stream = evalBatches({
    samples,
    size: { width, height },
    batchSize: inference.batch,
    statistics,
    ...(options.pool ? { pool: options.pool } : { workers: 0 }),
  });
  let done = 0;
  for await (const batch of stream) {
    const maps = await infer(inference, batch.images, height * width * 3, histogram !== null);
    for (const [i, name] of batch.names.entries()) {
      const sample = samples[done];
      if (!sample) continue;
      const pixels = height * width;
      const prediction = maps.classes.subarray(i * pixels, (i + 1) * pixels);
      const target = batch.labels.subarray(i * pixels, (i + 1) * pixels);
      const share = await sharesOf(sample, shares);
      evaluation.add(prediction, target, { name, height, width, shares: share });
      histogram?.addForeground(
        maps.probabilities.subarray(i * pixels * classes, (i + 1) * pixels * classes),
        target,
        classes,
      );
      done++;
      await options.onImage?.(done, samples.length, { sample, prediction, target, height, width });
    }
  }
  const curve = histogram?.curve();
  return {
    strata: evaluation.strata(),
    images: evaluation.images,
    ...(curve ? { roc: curve } : {}),
  };
}

async function infer(inference: Inference, images: Float32Array, perImage: number, probabilities: boolean) {
  const full = new Float32Array(inference.batch * perImage);
  full.set(images);
  inference.program.write("image", full);
  inference.program.run();
  const wanted = probabilities ? [inference.classes, inference.probabilities] : [inference.classes];
  const [classes, scores] = await inference.program.readAll(wanted);
  return {
    classes: new Int32Array(classes ?? new ArrayBuffer(0)),
    probabilities: new Float32Array(scores ?? new ArrayBuffer(0)),
  };
}

async function sharesOf(sample: CheckedSample, known: Map<string, ImageShares>): Promise<ImageShares> {
  const found = known.get(sample.mask);
  if (found) return found;
  const mask = await readMask(sample.mask);
  const shares = imageShares(mask.data, mask.height, mask.width);
  known.set(sample.mask, shares);
  return shares;
}
