import type { CheckedDataset, CheckedSample } from "../../data/dataset/check-dataset.ts";
import type { SamplePool } from "../../data/feed/sample-pool.ts";
import type { PixelStatistics } from "../../data/image/normalise.ts";
import { Predictor } from "../../inference/predictor.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import type { ImageShares } from "../../metrics/strata.ts";
import type { Inference, Network } from "../../training/network.ts";
import { evaluateSplit } from "../evaluate/evaluate.ts";
import { evaluateNative } from "../evaluate/native.ts";
import type { EvaluatedMap, EvaluationResult, ScoreOptions } from "../evaluate/scores.ts";
import type { EventImage } from "../run/event-messages.ts";
import type { BestBy } from "../settings/config.ts";
import { shownImage, shownSamples } from "./shown-images.ts";

interface ValidationInput {
  readonly network: Network;
  readonly dataset: CheckedDataset;
  readonly statistics: PixelStatistics;
  readonly pool: SamplePool;
  readonly batchSize: number;
  /** Whether images are predicted by tiles at their own size, as the network learnt to see them. */
  readonly native: boolean;
  /** Where the network's last output is the class of borders: their width in pixels. */
  readonly borders: number | undefined;
}

/** What a validation found. */
interface ValidationOutcome {
  readonly result: EvaluationResult;
  readonly images: ReadonlyMap<string, EventImage>;
}

/** Why the val split cannot tell which checkpoint is best; undefined where it can. */
export function unjudgeable({ splits: { val = [] } }: CheckedDataset): string | undefined {
  if (val.length === 0) return "there is no val split";
  const holdsObject = ({ labels }: CheckedSample) => labels.some(([label]) => label > 0 && label !== IGNORE_LABEL);
  return val.some(holdsObject) ? undefined : `none of the ${val.length} masks of val holds an object`;
}

/** The score of a validation that chooses the best checkpoint, percent; NaN where there was nothing to measure. */
export function scoreOf({ strata: { all } }: EvaluationResult, by: BestBy): number {
  return (by === "miou" ? all?.mIoU : all?.foregroundDice) ?? Number.NaN;
}

/** Whether a validation predicts any pixel of a class other than the background. */
export function findsForeground({ strata: { all } }: EvaluationResult): boolean {
  return all?.classes.some((one) => one.class > 0 && one.predicted > 0) === true;
}

/** The validation split of a run, evaluated again and again at the trained size, or at the images' own by tiles. */
export class Validation {
  readonly #input: ValidationInput;
  readonly #samples: readonly CheckedSample[];
  /** Tags of the images whose overlays are kept. */
  readonly #shown: ReadonlyMap<CheckedSample, string>;
  readonly #shares = new Map<string, ImageShares>();
  #inference: Inference | null = null;
  #predictor: Predictor | null = null;

  constructor(input: ValidationInput) {
    this.#input = input;
    this.#samples = input.dataset.splits.val ?? [];
    this.#shown = shownSamples(this.#samples);
  }

  get isPossible(): boolean {
    return this.#samples.length > 0;
  }

  destroy(): void {
    this.#inference?.program.destroy();
    this.#inference = null;
    this.#predictor?.destroy();
    this.#predictor = null;
  }

  /** Scores the split, and draws the overlays of {@link shownSamples}, by tag. */
  async evaluate(): Promise<ValidationOutcome> {
    const images = new Map<string, EventImage>();
    const onImage = async (_done: number, _total: number, map: EvaluatedMap) => {
      const tag = this.#shown.get(map.sample);
      if (tag !== undefined) images.set(tag, await shownImage(map));
    };
    const result = await (this.#input.native ? this.#evaluateNative(onImage) : this.#evaluateResized(onImage));
    return { result, images };
  }

  async #evaluateResized(onImage: NonNullable<ScoreOptions["onImage"]>): Promise<EvaluationResult> {
    const { network, statistics, pool, batchSize, borders } = this.#input;
    this.#inference ??= await network.inference({
      batch: Math.min(batchSize, this.#samples.length),
      ...(borders === undefined ? {} : { probabilities: true }),
    });
    return evaluateSplit(network, {
      samples: this.#samples,
      classes: this.#classes,
      borders: borders !== undefined,
      statistics,
      inference: this.#inference,
      pool,
      shares: this.#shares,
      loss: true,
      onImage,
    });
  }

  /** The data set's. */
  get #classes(): number {
    const { network, borders } = this.#input;
    return network.config.classes - (borders === undefined ? 0 : 1);
  }

  #evaluateNative(onImage: NonNullable<ScoreOptions["onImage"]>): Promise<EvaluationResult> {
    const { network, statistics, borders } = this.#input;
    const { mean, std } = statistics;
    const facts = { mean, std, resolution: "native" as const, ...(borders === undefined ? {} : { borders }) };
    this.#predictor ??= new Predictor(network, { facts });
    const split = { samples: this.#samples, classes: this.#classes };
    return evaluateNative({ ...split, predictor: this.#predictor, loss: true, onImage });
  }
}
