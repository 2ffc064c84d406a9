import { existsSync } from "node:fs";
import { rateAt, type Schedule } from "../autograd/schedule.ts";
import { type Batch, type BatchStream, stepsPerEpoch, trainBatches } from "../data/batches.ts";
import type { CheckedDataset, CheckedSample, PixelStatistics } from "../data/check-dataset.ts";
import { SamplePool } from "../data/sample-pool.ts";
import { DataError, UsageError } from "../errors.ts";
import type { Device } from "../kernels/device.ts";
import type { ImageShares } from "../metrics/strata.ts";
import type { SvanetConfig } from "../model/svanet/config.ts";
import {
  type Checkpoint,
  type CheckpointFacts,
  loadCheckpoint,
  networkTensors,
  type Progress,
  restoreNetwork,
  saveCheckpoint,
} from "./checkpoint.ts";
import type { TrainConfig } from "./config.ts";
import { describeEnvironment } from "./environment.ts";
import { type EvaluationResult, evaluateSplit } from "./evaluate.ts";
import { type Inference, Network } from "./network.ts";
import { augmentOptions, type Duration, duration, frozenEpochs, recipeText, scheduleOf } from "./recipe.ts";
import { RunFolder, runPaths } from "./run-folder.ts";
import { type StepReport, type Submitted, Trainer } from "./trainer.ts";

/** What a training run tells whoever watches it. */
export interface TrainObserver {
  note(text: string): void;
  /** After every update. */
  step(state: StepState): void;
  /** After every validation. */
  validated(state: { readonly epoch: number; readonly result: EvaluationResult; readonly best: boolean }): void;
}

export interface StepState {
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly loss: number;
  /** Foreground Dice of the batch, percent; NaN when it holds no foreground. */
  readonly dice: number;
  readonly imagesPerSecond: number;
  /** Share of the time since the start that was spent waiting for data. */
  readonly waiting: number;
}

export interface TrainInput {
  readonly config: TrainConfig;
  readonly network: SvanetConfig;
  readonly dataset: CheckedDataset;
  readonly statistics: PixelStatistics;
  readonly device: Device;
  readonly observer: TrainObserver;
  /** Polled between steps; true stops the run after saving. */
  readonly stopped?: () => boolean;
}

export interface TrainResult {
  readonly steps: number;
  readonly finished: boolean;
  readonly best: number | null;
}

/** Steps in a row that may be skipped for numbers that are not finite before the run gives up. */
const MOST_SKIPPED = 10;

/** The checkpoint a run continues from: null when it starts. */
export async function checkpointToResume(config: TrainConfig): Promise<Checkpoint | null> {
  const { last } = runPaths(config.out);
  if (config.resume === false || (config.resume === "auto" && !existsSync(last))) return null;
  if (!existsSync(last)) {
    throw new UsageError(
      `--resume: ${config.out} has no checkpoints/last.safetensors; train without --resume, or use --resume auto`,
    );
  }
  const checkpoint = await loadCheckpoint(last);
  const differences = recipeDifferences(checkpoint.facts.progress.recipe, recipeText(config));
  if (differences.length > 0) {
    throw new UsageError(
      `--resume: the run in ${config.out} was started with another recipe (${differences.join(", ")}); ` +
        "leave these flags out, or choose another --out",
    );
  }
  return checkpoint;
}

function recipeDifferences(was: string, is: string): string[] {
  const before = JSON.parse(was) as Record<string, unknown>;
  const now = JSON.parse(is) as Record<string, unknown>;
  return Object.keys(now)
    .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(now[key]))
    .map((key) => `${key} ${JSON.stringify(before[key])}, now ${JSON.stringify(now[key])}`);
}

/** Trains a network from its start or last checkpoint to its end. The run folder is complete whenever this returns. */
export async function runTraining(input: TrainInput): Promise<TrainResult> {
  const { config } = input;
  const checkpoint = await checkpointToResume(config);
  const progress = checkpoint?.facts.progress;
  const folder = progress ? RunFolder.resume(config.out, progress.step, config) : RunFolder.create(config.out, config);
  if (folder.tookOverFrom !== undefined) {
    input.observer.note(`took over the run from process ${folder.tookOverFrom}, which is gone`);
  }
  try {
    const { report } = input.device;
    folder.addEnvironment(describeEnvironment({ name: report.name, driver: report.driver, backend: report.backend }));
    const run = await TrainingRun.open(input, folder, checkpoint);
    try {
      return await run.train();
    } finally {
      await run.close();
    }
  } finally {
    folder.close();
  }
}

class TrainingRun {
  readonly #input: TrainInput;
  readonly #folder: RunFolder;
  readonly #trainer: Trainer;
  readonly #pool: SamplePool;
  readonly #duration: Duration;
  readonly #schedule: Schedule;
  readonly #frozen: number;
  readonly #perEpoch: number;
  readonly #shares = new Map<string, ImageShares>();
  #inference: Inference | null = null;
  #progress: Progress;
  #skippedInARow = 0;
  #images = 0;
  #began = performance.now();

  private constructor(input: TrainInput, folder: RunFolder, trainer: Trainer, progress: Progress | undefined) {
    const { config } = input;
    this.#input = input;
    this.#folder = folder;
    this.#trainer = trainer;
    this.#perEpoch = stepsPerEpoch(trainSamples(input.dataset).length, config.batchSize);
    this.#duration = duration(config, Math.max(1, Math.ceil(this.#perEpoch / config.accumulate)));
    this.#schedule = scheduleOf(config, this.#duration.epochs);
    this.#frozen = frozenEpochs(config, this.#duration.epochs);
    this.#pool = new SamplePool(config.workers ?? undefined);
    this.#progress = progress ?? {
      step: 0,
      epoch: 0,
      stepInEpoch: 0,
      best: null,
      bestEpoch: null,
      recipe: recipeText(config),
    };
  }

  static async open(input: TrainInput, folder: RunFolder, checkpoint: Checkpoint | null): Promise<TrainingRun> {
    const { config, device, observer } = input;
    const network = await Network.create(device, input.network, config.seed);
    const trainer = await Trainer.create(network, config);
    if (checkpoint) {
      restoreNetwork(network, checkpoint);
      trainer.restore(checkpoint);
      observer.note(`resuming at step ${checkpoint.facts.progress.step}`);
    }
    const run = new TrainingRun(input, folder, trainer, checkpoint?.facts.progress);
    const images = trainSamples(input.dataset).length;
    const bytes = await trainer.prepare(Math.min(config.batchSize, images), run.#progress.epoch < run.#frozen);
    const mebibytes = (value: number) => `${(value / 2 ** 20).toFixed(0)} MiB`;
    observer.note(
      `${network.table.count().toLocaleString("en")} parameters; GPU memory: ${mebibytes(network.store.bytes)} for ` +
        `weights, gradients and moments, ${mebibytes(bytes)} for the tensors of a step`,
    );
    if (config.accumulate > 1) {
      observer.note(
        `gradients of ${config.accumulate} batches make one update; batch norm sees each batch of ${config.batchSize} alone`,
      );
    }
    return run;
  }

  async train(): Promise<TrainResult> {
    const { config, observer } = this.#input;
    const { steps } = this.#duration;
    if (this.#progress.step >= steps) {
      observer.note(`the run is complete: ${this.#progress.step} of ${steps} steps are done`);
      return this.#result(true);
    }
    const stream = this.#batches();
    this.#began = performance.now();
    let waiting: { readonly report: Promise<StepReport>; readonly batch: Batch } | null = null;
    try {
      for await (const batch of stream) {
        const { report } = await this.#submit(batch);
        if (!report) continue;
        if (waiting) await this.#finish(waiting, stream);
        waiting = { report, batch };
        const ends = this.#isEpochEnd(batch) || this.#stepOf(batch) >= steps;
        if (ends || this.#isCheckpoint(batch) || this.#input.stopped?.()) {
          await this.#finish(waiting, stream);
          waiting = null;
          if (ends) await this.#endEpoch(batch);
          else await this.#save();
          if (this.#progress.step >= steps) return this.#result(true);
          if (this.#input.stopped?.()) return this.#result(false);
        }
      }
    } finally {
      await stream.close();
    }
    throw new Error(`the batches ended at step ${this.#progress.step} of ${config.out}`);
  }

  #result(finished: boolean): TrainResult {
    return { steps: this.#progress.step, finished, best: this.#progress.best };
  }

  #batches(): BatchStream {
    const { config, dataset, statistics, observer } = this.#input;
    let said = false;
    return trainBatches({
      samples: trainSamples(dataset),
      size: config.size,
      batchSize: config.batchSize,
      statistics,
      pool: this.#pool,
      seed: config.seed,
      start: { epoch: this.#progress.epoch, stepInEpoch: this.#progress.stepInEpoch },
      augment: augmentOptions(config),
      onLeftOut: ({ name }) => {
        if (!said)
          observer.note(
            `one image (${name} first, another every epoch) is left out of each epoch: a batch of one has no statistics`,
          );
        said = true;
      },
    });
  }

  /** Place of a batch among those whose gradients make one update. */
  #place({ stepInEpoch }: Batch) {
    const { accumulate } = this.#input.config;
    const at = stepInEpoch % accumulate;
    const first = stepInEpoch - at;
    const batches = Math.min(accumulate, this.#perEpoch - first);
    return { first: at === 0, last: at === batches - 1, batches };
  }

  /** Number of the update that a batch belongs to, counted from 1. */
  #stepOf({ epoch, stepInEpoch }: Batch): number {
    return epoch * this.#duration.stepsPerEpoch + Math.floor(stepInEpoch / this.#input.config.accumulate) + 1;
  }

  #isEpochEnd({ stepInEpoch }: Batch): boolean {
    return stepInEpoch === this.#perEpoch - 1;
  }

  #isCheckpoint(batch: Batch): boolean {
    const { checkpointEvery } = this.#input.config;
    return checkpointEvery !== null && this.#stepOf(batch) % checkpointEvery === 0;
  }

  async #submit(batch: Batch): Promise<Submitted> {
    const rate = rateAt(this.#schedule, batch.epoch);
    const { seed } = this.#input.config;
    const frozen = batch.epoch < this.#frozen;
    this.#images += batch.names.length;
    return this.#trainer.submit(batch, { ...this.#place(batch), seed, rate, frozen });
  }

  async #finish(waiting: { readonly report: Promise<StepReport>; readonly batch: Batch }, stream: BatchStream) {
    const { batch } = waiting;
    const report = await waiting.report;
    const step = this.#stepOf(batch);
    this.#watchSkips(report, batch, step);
    const dice = foregroundDice(report.counts);
    const rate = rateAt(this.#schedule, batch.epoch);
    const row = { loss: finite(report.loss), dice: finite(dice), rate, gradientNorm: finite(report.gradientNorm) };
    this.#folder.record({ step, kind: "train", epoch: batch.epoch, ...row, ...(report.skipped ? { skipped: 1 } : {}) });
    this.#progress = { ...this.#progress, step, epoch: batch.epoch, stepInEpoch: batch.stepInEpoch + 1 };
    const seconds = (performance.now() - this.#began) / 1000;
    this.#input.observer.step({
      step,
      steps: this.#duration.steps,
      epoch: batch.epoch,
      loss: report.loss,
      dice,
      imagesPerSecond: this.#images / seconds,
      waiting: stream.waitedMs / 1000 / seconds,
    });
  }

  #watchSkips(report: StepReport, batch: Batch, step: number): void {
    if (!report.skipped) {
      this.#skippedInARow = 0;
      return;
    }
    this.#skippedInARow++;
    const names = batch.names.join(", ");
    this.#input.observer.note(`step ${step}: loss or gradients are not finite, nothing was changed (images ${names})`);
    if (this.#skippedInARow >= MOST_SKIPPED) {
      throw new DataError(
        `${MOST_SKIPPED} steps in a row had a loss or gradients that are not finite, the last on ${names}; ` +
          "lower --lr or set --clip-norm, and look at these images; the last checkpoint is from before",
      );
    }
  }

  async #endEpoch(batch: Batch): Promise<void> {
    const { config, dataset } = this.#input;
    const done = this.#progress.step >= this.#duration.steps;
    if (this.#isEpochEnd(batch)) this.#progress = { ...this.#progress, epoch: batch.epoch + 1, stepInEpoch: 0 };
    const due = (batch.epoch + 1) % config.evalEvery === 0 || done;
    if (due && (dataset.splits.val?.length ?? 0) > 0) await this.#validate(batch.epoch);
    await this.#save();
  }

  async #validate(epoch: number): Promise<void> {
    const { dataset, statistics, observer } = this.#input;
    this.#inference ??= await this.#trainer.network.inference({ batch: this.#input.config.batchSize });
    const result = await evaluateSplit(this.#trainer.network, {
      samples: dataset.splits.val ?? [],
      classes: dataset.classes.length,
      statistics,
      inference: this.#inference,
      pool: this.#pool,
      shares: this.#shares,
    });
    const { all } = result.strata;
    const score = all?.mIoU ?? Number.NaN;
    const best = Number.isFinite(score) && (this.#progress.best === null || score > this.#progress.best);
    if (best) this.#progress = { ...this.#progress, best: score, bestEpoch: epoch };
    const { step } = this.#progress;
    this.#folder.record({
      step,
      kind: "val",
      epoch,
      mIoU: finite(score),
      mDice: finite(all?.mDice ?? Number.NaN),
      foregroundDice: finite(all?.foregroundDice ?? Number.NaN),
      sensitivity: finite(all?.sensitivity ?? Number.NaN),
    });
    if (best) await saveCheckpoint(this.#folder.paths.best, await networkTensors(this.#trainer.network), this.#facts());
    observer.validated({ epoch, result, best });
  }

  async #save(): Promise<void> {
    const tensors = await networkTensors(this.#trainer.network);
    for (const [name, tensor] of await this.#trainer.state()) tensors.set(name, tensor);
    await saveCheckpoint(this.#folder.paths.last, tensors, this.#facts());
  }

  #facts(): CheckpointFacts {
    const { config, network, dataset, statistics } = this.#input;
    return {
      preset: config.preset,
      config: network,
      classes: dataset.classes,
      colours: dataset.colours,
      mean: statistics.mean,
      std: statistics.std,
      progress: this.#progress,
    };
  }

  async close(): Promise<void> {
    await this.#pool.close();
    this.#trainer.network.destroy();
  }
}

export function trainSamples(dataset: CheckedDataset): readonly CheckedSample[] {
  return dataset.splits.train ?? [];
}

/** Pooled Dice over the foreground classes of a batch, percent. */
function foregroundDice(counts: Uint32Array): number {
  const classes = counts.length / 3;
  const sum = (row: number) => counts.subarray(row * classes + 1, (row + 1) * classes).reduce((a, b) => a + b, 0);
  const sizes = sum(1) + sum(2);
  return sizes === 0 ? Number.NaN : (200 * sum(0)) / sizes;
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
