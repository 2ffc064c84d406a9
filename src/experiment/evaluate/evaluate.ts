import type { CheckedSample } from "../../data/dataset/check-dataset.ts";
import { readMask } from "../../data/decode.ts";
import { evalBatches } from "../../data/feed/batches.ts";
import type { SamplePool } from "../../data/feed/sample-pool.ts";
import type { PixelStatistics } from "../../data/image/normalise.ts";
import { Evaluation, type ImageResult, type StratumResult } from "../../metrics/evaluation.ts";
import { ExtendedEvaluation, type ExtendedOptions, type ExtendedResult } from "../../metrics/extended.ts";
import type { AreaRule } from "../../metrics/objects.ts";
import { type RocCurve, RocHistogram } from "../../metrics/roc.ts";
import { type ImageShares, imageShares } from "../../metrics/strata.ts";
import type { Inference, Network } from "../../training/network.ts";
import { type ClassRule, postprocessed } from "./postprocess.ts";

export interface EvaluateOptions {
  readonly samples: readonly CheckedSample[];
  readonly classes: number;
  readonly statistics: PixelStatistics;
  readonly inference: Inference;
  readonly pool?: SamplePool;
  /** Sizes of the largest objects, kept between evaluations of one split by image path. */
  readonly shares?: Map<string, ImageShares>;
  /** Also gather the ROC curves. Needs an inference with probabilities. */
  readonly roc?: boolean;
  /** Area rule and upper limits (percent) of the size strata; the paper's when left out. */
  readonly area?: AreaRule;
  readonly limits?: readonly number[];
  /** Also match objects, compare borders and draw intervals. */
  readonly extended?: Omit<ExtendedOptions, "classes">;
  /** Rules the predictions go through before anything is counted. */
  readonly postprocess?: readonly ClassRule[];
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
  /** Names of the images that are ignored as a whole: they count nowhere. */
  readonly ignored: readonly string[];
  /** Foreground against background. */
  readonly roc?: RocCurve;
  /** Every foreground class against the rest, pooled; only with more than one. */
  readonly rocClasses?: RocCurve;
  readonly extended?: ExtendedResult;
}

/**
 * Evaluates a network on a split at its trained size: images stretched as the paper does, metrics at that size, size
 * strata from the masks at their own resolution. A last batch that is not full is filled up with zeros, whose results
 * are dropped: an image's result does not depend on its batch.
 */
export async function evaluateSplit(network: Network, options: EvaluateOptions): Promise<EvaluationResult> {
  const { samples, statistics, inference, shares = new Map<string, ImageShares>() } = options;
  const { height, width } = network.config;
  const counting = new Counting(options);
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
    const maps = await infer(inference, batch.images, pixels * 3, options.roc === true);
    for (const i of batch.names.keys()) {
      const sample = samples[done];
      if (!sample) continue;
      const part = <T extends Int32Array | Float32Array>(of: T, each: number) =>
        of.subarray(i * each, (i + 1) * each) as T;
      const size = { height, width };
      const prediction = postprocessed(part(maps.classes, pixels), size, options.postprocess ?? []);
      const map = { sample, prediction, target: part(batch.labels, pixels), ...size };
      counting.add(map, await sharesOf(sample, shares), part(maps.probabilities, pixels * options.classes));
      done++;
      await options.onImage?.(done, samples.length, map);
    }
  }
  return counting.result();
}

/** Everything that is counted over a split. */
class Counting {
  readonly #classes: number;
  readonly #evaluation: Evaluation;
  readonly #extended: ExtendedEvaluation | null;
  readonly #foreground: RocHistogram | null;
  readonly #rest: RocHistogram | null;

  constructor({ classes, area, limits, extended, roc }: EvaluateOptions) {
    this.#classes = classes;
    this.#evaluation = new Evaluation({
      classes,
      ...(area ? { area } : {}),
      ...(limits ? { limits } : {}),
      keep: extended !== undefined,
    });
    this.#extended = extended ? new ExtendedEvaluation({ classes, ...extended }) : null;
    this.#foreground = roc ? new RocHistogram() : null;
    this.#rest = roc && classes > 2 ? new RocHistogram() : null;
  }

  add({ sample, prediction, target, height, width }: EvaluatedMap, shares: ImageShares, scores: Float32Array): void {
    const image = { name: sample.stem, height, width, shares };
    const row = this.#evaluation.add(prediction, target, image);
    if (row === undefined) return;
    this.#extended?.add(prediction, target, { height, width, strata: row.strata });
    this.#foreground?.addForeground(scores, target, this.#classes);
    this.#rest?.addOneVersusRest(scores, target, this.#classes);
  }

  result(): EvaluationResult {
    const strata = this.#evaluation.strata();
    return {
      strata,
      images: this.#evaluation.images,
      ignored: this.#evaluation.ignored,
      ...(this.#foreground ? { roc: this.#foreground.curve() } : {}),
      ...(this.#rest ? { rocClasses: this.#rest.curve() } : {}),
      ...(this.#extended ? { extended: this.#extended.result(Object.keys(strata), this.#evaluation.kept) } : {}),
    };
  }
}

async function infer(inference: Inference, images: Float32Array, perImage: number, probabilities: boolean) {
  const full = new Float32Array(inference.batch * perImage);
  full.set(images);
  inference.feed(inference.program, full);
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
