import type { CheckedSample } from "../../data/dataset/check-dataset.ts";
import { readMask } from "../../data/decode.ts";
import { evalBatches } from "../../data/feed/batches.ts";
import type { SamplePool } from "../../data/feed/sample-pool.ts";
import type { PixelStatistics } from "../../data/image/normalise.ts";
import { type ClassRule, postprocessed } from "../../inference/object-rules.ts";
import { CrossEntropy } from "../../metrics/cross-entropy.ts";
import { highest } from "../../metrics/highest.ts";
import { type ImageShares, imageShares } from "../../metrics/strata.ts";
import { foldBorders, withoutBorder } from "../../objects/borders.ts";
import type { Inference, Network } from "../../training/network.ts";
import { Counting } from "./counting.ts";
import { logarithm } from "./native.ts";
import type { EvaluationResult, ScoreOptions } from "./scores.ts";

export interface EvaluateOptions extends ScoreOptions {
  readonly statistics: PixelStatistics;
  readonly inference: Inference;
  readonly pool?: SamplePool;
  /** Sizes of the largest objects, kept between evaluations of one split by image path. */
  readonly shares?: Map<string, ImageShares>;
  /** Rules the predictions go through before anything is counted. */
  readonly postprocess?: readonly ClassRule[];
  /** Whether the network has one output more than `classes`, that of borders; `inference` then has probabilities. */
  readonly borders?: boolean;
  /** Also the mean cross-entropy of the main output. */
  readonly loss?: boolean;
}

/**
 * Evaluates a network on a split at its trained size: images stretched as the paper does, metrics at that size, size
 * strata from the masks at their own resolution. A last batch that is not full is filled up with zeros, whose results
 * are dropped: an image's result does not depend on its batch.
 */
export async function evaluateSplit(network: Network, options: EvaluateOptions): Promise<EvaluationResult> {
  const { samples, classes, statistics, inference, shares = new Map<string, ImageShares>() } = options;
  const { height, width } = network.config;
  const counting = new Counting(options, { width, height });
  const entropy = options.loss ? new CrossEntropy() : null;
  const stream = evalBatches({
    samples,
    size: { width, height },
    batchSize: inference.batch,
    statistics,
    ...(options.pool ? { pool: options.pool } : { workers: 0 }),
  });
  const pixels = height * width;
  let done = 0;
  for await (const batch of stream) {
    const maps = await infer(inference, batch.images, pixels * statistics.mean.length, options);
    for (const i of batch.names.keys()) {
      const sample = samples[done];
      if (!sample) continue;
      const part = <T extends Int32Array | Float32Array>(of: T, each: number) =>
        of.subarray(i * each, (i + 1) * each) as T;
      const size = { height, width };
      const prediction = postprocessed(part(maps.classes, pixels), size, options.postprocess ?? []);
      const map = { sample, prediction, target: part(batch.labels, pixels), ...size };
      entropy?.add(part(maps.logits, pixels * classes), map.target, classes);
      if (counting.add(map, await sharesOf(sample, shares))) {
        counting.addScores(part(maps.probabilities, pixels * classes), map.target);
      }
      done++;
      await options.onImage?.(done, samples.length, map);
    }
  }
  return { ...counting.result(), ...(entropy ? { loss: entropy.value } : {}) };
}

async function infer(
  inference: Inference,
  images: Float32Array,
  perImage: number,
  { roc = false, loss = false, borders = false, classes: classCount }: EvaluateOptions,
) {
  const full = new Float32Array(inference.batch * perImage);
  full.set(images);
  inference.feed(inference.program, full);
  inference.program.run();
  if (borders) return mergedBorders(inference, classCount);
  const { classes, probabilities, logits } = inference;
  const wanted = [classes, ...(roc ? [probabilities] : []), ...(loss ? [logits] : [])];
  const found = await inference.program.readAll(wanted);
  const floats = (at: number) => new Float32Array(found[at] ?? new ArrayBuffer(0));
  return {
    classes: new Int32Array(found[0] ?? new ArrayBuffer(0)),
    probabilities: floats(roc ? 1 : wanted.length),
    logits: floats(loss ? wanted.length - 1 : wanted.length),
  };
}

/** The same of a network with a class of borders, which goes to the others. */
async function mergedBorders({ program, probabilities }: Inference, classes: number) {
  const merged = withoutBorder(foldBorders(await program.read(probabilities), classes), classes);
  const labels = new Int32Array(merged.length / classes);
  for (const pixel of labels.keys()) labels[pixel] = highest(merged, pixel * classes, classes);
  return { classes: labels, probabilities: merged, logits: merged.map(logarithm) };
}

async function sharesOf(sample: CheckedSample, known: Map<string, ImageShares>): Promise<ImageShares> {
  const found = known.get(sample.mask);
  if (found) return found;
  const mask = await readMask(sample.mask);
  const shares = imageShares(mask.data, mask.height, mask.width);
  known.set(sample.mask, shares);
  return shares;
}
