import { rateAt, type Schedule } from "../../autograd/schedule.ts";
import { type Batch, batchesPerEpoch, requireBatches } from "../../data/feed/batches.ts";
import type { Progress } from "../../inference/checkpoint/facts.ts";
import type { TrainConfig } from "../settings/config.ts";
import { type Duration, duration, frozenEpochs, scheduleOf } from "../settings/recipe.ts";

/** Where a batch stands: all that the timetable needs to know of it. */
type BatchPlace = Pick<Batch, "epoch" | "indexInEpoch">;

/** Which batches make an update, which updates end an epoch or are followed by a checkpoint, and at which rate. */
export class Timetable {
  readonly duration: Duration;
  readonly schedule: Schedule;
  /** Batches an epoch has; an update takes `accumulate` of them, the last of an epoch what is left. */
  readonly batchesPerEpoch: number;
  /** Whether a batch of one image is trained on. */
  readonly keepSingle: boolean;
  readonly #config: TrainConfig;
  readonly #images: number;
  readonly #frozen: number;

  /**
   * `norm` is the layer that keeps the network from training on one image, null where none does. Throws UsageError where
   * the images make no batch that can be trained on.
   */
  constructor(config: TrainConfig, images: number, norm: string | null) {
    this.keepSingle = norm === null;
    requireBatches(images, config.batchSize, this.keepSingle, norm ?? undefined);
    this.#config = config;
    this.#images = images;
    this.batchesPerEpoch = batchesPerEpoch(images, config.batchSize, this.keepSingle);
    this.duration = duration(config, Math.ceil(this.batchesPerEpoch / config.accumulate));
    this.schedule = scheduleOf(config, this.duration.epochs);
    this.#frozen = frozenEpochs(config, this.duration.epochs);
  }

  /** Place of a batch among those whose gradients make one update. */
  place({ indexInEpoch }: BatchPlace): { readonly first: boolean; readonly last: boolean; readonly batches: number } {
    const { accumulate } = this.#config;
    const at = indexInEpoch % accumulate;
    const batches = Math.min(accumulate, this.batchesPerEpoch - (indexInEpoch - at));
    return { first: at === 0, last: at === batches - 1, batches };
  }

  /** Number of the update that a batch belongs to, counted from 1. */
  updateOf({ epoch, indexInEpoch }: BatchPlace): number {
    return epoch * this.duration.stepsPerEpoch + Math.floor(indexInEpoch / this.#config.accumulate) + 1;
  }

  /** Where the batches go on behind an update. */
  placeAfter(step: number): Pick<Progress, "epoch" | "stepInEpoch"> {
    const { stepsPerEpoch } = this.duration;
    return {
      epoch: Math.floor(step / stepsPerEpoch),
      stepInEpoch: (step % stepsPerEpoch) * this.#config.accumulate,
    };
  }

  isEpochEnd({ indexInEpoch }: BatchPlace): boolean {
    return indexInEpoch === this.batchesPerEpoch - 1;
  }

  /** Whether the update that ends with this batch is the run's last. */
  isLast(batch: BatchPlace): boolean {
    return this.updateOf(batch) >= this.duration.steps;
  }

  /** Whether the validation split is evaluated after the update that ends with this batch. */
  isValidation(batch: BatchPlace): boolean {
    return this.isLast(batch) || (this.isEpochEnd(batch) && (batch.epoch + 1) % this.#config.evalEvery === 0);
  }

  /**
   * Whether a run that stands here has waited `patience` epochs for a better validation in vain. Decided at the
   * validations between epochs alone, so that a resumed run ends where an uninterrupted one does.
   */
  isStale({ epoch, stepInEpoch, bestEpoch }: Pick<Progress, "epoch" | "stepInEpoch" | "bestEpoch">): boolean {
    const { patience, evalEvery } = this.#config;
    if (patience === null || stepInEpoch > 0 || epoch === 0 || epoch % evalEvery > 0) return false;
    return epoch - 1 - (bestEpoch ?? -1) >= patience;
  }

  isCheckpoint(batch: BatchPlace): boolean {
    const { checkpointEvery } = this.#config;
    return checkpointEvery !== null && this.updateOf(batch) % checkpointEvery === 0;
  }

  rate(epoch: number): number {
    return rateAt(this.schedule, epoch);
  }

  isFrozen(epoch: number): boolean {
    return epoch < this.#frozen;
  }

  /** Programs a run needs from an epoch on: batch sizes, each with the encoder frozen or not. */
  variants(epoch: number): { readonly batch: number; readonly frozen: boolean }[] {
    const { batchSize, accumulate } = this.#config;
    const full = Math.min(batchSize, this.#images);
    const reachesEnd = this.duration.steps * accumulate >= this.batchesPerEpoch;
    const rest = this.batchesPerEpoch * batchSize > this.#images && reachesEnd ? this.#images % batchSize : full;
    const frozen = [...new Set([this.isFrozen(epoch), this.isFrozen(this.duration.epochs - 1)])];
    return frozen.flatMap((state) => [...new Set([full, rest])].map((batch) => ({ batch, frozen: state })));
  }
}
