import type { Batch } from "../../data/feed/batches.ts";
import { DataError } from "../../errors.ts";
import { LOSS_SCALE_RULE } from "../../kernels/ops/update/kernels.ts";
import type { StepReport } from "../../training/trainer.ts";
import { type EvaluationResult, scoredAtName } from "../evaluate/scores.ts";
import type { EventImage } from "../run/event-messages.ts";
import type { RunFolder } from "../run/run-folder.ts";
import type { Timetable } from "./timetable.ts";
import type { TrainObserver } from "./train-observer.ts";

/**
 * Steps in a row that may be skipped for numbers that are not finite before the run gives up. Those by which a loss scale comes
 * down do not count: it looks for what half precision holds.
 */
const MOST_SKIPPED = 10;

/** Writes a run's numbers to its folder and tells the observer; ends a run that only skips steps. */
export class StepLog {
  readonly #folder: RunFolder;
  readonly #timetable: Timetable;
  readonly #observer: TrainObserver;
  readonly #began = performance.now();
  readonly #whatIsLeft: () => string;
  #skippedInARow = 0;
  /** Those of them after which the loss scale could still come down. */
  #scaledDown = 0;
  #images = 0;
  #lastLoss = 0;

  /** `whatIsLeft` says which checkpoint there is to go back to. */
  constructor(folder: RunFolder, timetable: Timetable, observer: TrainObserver, whatIsLeft: () => string) {
    this.#folder = folder;
    this.#timetable = timetable;
    this.#observer = observer;
    this.#whatIsLeft = whatIsLeft;
  }

  /** Updates up to the last one that changed nothing, because loss or gradients were not finite. */
  get skippedInARow(): number {
    return this.#skippedInARow;
  }

  /** The loss of the last update; 0 before the first. */
  get lastLoss(): number {
    return this.#lastLoss;
  }

  submitted(batch: Batch): void {
    this.#images += batch.names.length;
  }

  /** One update's report; `batch` is the last of its batches. */
  step(step: number, report: StepReport, batch: Batch, waitedMs: number): void {
    this.#watchSkips(step, report, batch);
    const { epoch } = batch;
    const dice = foregroundDice(report.counts);
    const { loss, gradientNorm, scaling } = report;
    this.#lastLoss = loss;
    const row = { loss: finite(loss), dice: finite(dice), gradientNorm: finite(gradientNorm) };
    const skipped = report.skipped ? { skipped: 1 } : {};
    this.#folder.record({
      step,
      kind: "train",
      epoch,
      time: now(),
      ...row,
      rate: this.#timetable.rate(epoch),
      ...skipped,
      ...scaling,
    });
    const seconds = (performance.now() - this.#began) / 1000;
    this.#observer.step({
      step,
      steps: this.#timetable.duration.steps,
      epoch,
      loss,
      dice,
      scaling,
      imagesPerSecond: this.#images / seconds,
      waiting: waitedMs / 1000 / seconds,
    });
  }

  /**
   * A validation: percent, also of each class by its label (`dice1`, `iou1`); nothing of a class that no mask holds. And its
   * pictures, by tag.
   */
  validation(
    step: number,
    epoch: number,
    { strata: { all }, loss, scoredAt }: EvaluationResult,
    images: ReadonlyMap<string, EventImage>,
  ): void {
    const held = all?.classes.filter(({ images }) => images > 0) ?? [];
    const classes = held.flatMap(({ class: label, dice, iou }) => [
      [`dice${label}`, finite(100 * dice)],
      [`iou${label}`, finite(100 * iou)],
    ]);
    this.#folder.record({
      step,
      kind: "val",
      epoch,
      time: now(),
      scoredAt: scoredAtName(scoredAt),
      loss: finite(loss ?? Number.NaN),
      foregroundDice: finite(all?.foregroundDice ?? Number.NaN),
      mIoU: finite(all?.mIoU ?? Number.NaN),
      mDice: finite(all?.mDice ?? Number.NaN),
      sensitivity: finite(all?.sensitivity ?? Number.NaN),
      ...Object.fromEntries(classes),
    });
    this.#folder.recordImages(step, images);
  }

  #watchSkips(step: number, report: StepReport, batch: Batch): void {
    this.#skippedInARow = report.skipped ? this.#skippedInARow + 1 : 0;
    if (!report.skipped) {
      this.#scaledDown = 0;
      return;
    }
    const names = batch.names.join(", ");
    const { scaling } = report;
    if (scaling && scaling.lossScale > LOSS_SCALE_RULE.least) this.#scaledDown++;
    const next = scaling ? `; the loss scale is ${scaling.lossScale} now` : "";
    this.#observer.note(`step ${step}: loss or gradients are not finite, nothing was changed (images ${names})${next}`);
    if (this.#skippedInARow - this.#scaledDown < MOST_SKIPPED) return;
    throw this.givingUp(names);
  }

  /** The error that ends a run which only skips steps; `names` are the last images. */
  givingUp(names: string): DataError {
    return new DataError(
      `${this.#skippedInARow} steps in a row had a loss or gradients that are not finite, the last on ${names}; ` +
        `lower --lr or set --clip-norm, and look at these images; ${this.#whatIsLeft()}`,
    );
  }
}

/** Pooled Dice over the foreground classes of a batch, percent. */
function foregroundDice(counts: Uint32Array): number {
  const classes = counts.length / 3;
  const sum = (row: number) => counts.subarray(row * classes + 1, (row + 1) * classes).reduce((a, b) => a + b, 0);
  const sizes = sum(1) + sum(2);
  return sizes === 0 ? Number.NaN : (200 * sum(0)) / sizes;
}

/** The time of day, to the millisecond, in UTC. */
const now = (): string => new Date().toISOString();

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
