import { type CheckedDataset, type CheckedSample, defaultColours } from "../../data/dataset/check-dataset.ts";
import { type Batch, type BatchStream, trainBatches } from "../../data/feed/batches.ts";
import { SamplePool } from "../../data/feed/sample-pool.ts";
import type { PixelStatistics } from "../../data/image/normalise.ts";
import { UsageError } from "../../errors.ts";
import type { Device } from "../../kernels/device/device.ts";
import type { NetworkConfig } from "../../model/zoo.ts";
import { Network } from "../../training/network.ts";
import { type StepReport, Trainer } from "../../training/trainer.ts";
import {
  type Checkpoint,
  type CheckpointFacts,
  networkTensors,
  type Progress,
  restoreNetwork,
  restoreTrainer,
  saveCheckpoint,
  trainerTensors,
} from "../checkpoint/checkpoint.ts";
import { loadPretrained } from "../checkpoint/pretrained.ts";
import { describeEnvironment } from "../run/environment.ts";
import { RunFolder } from "../run/run-folder.ts";
import type { TrainConfig } from "../settings/config.ts";
import { augmentOptions, networkName, recipeText, trainerOptions } from "../settings/recipe.ts";
import { checkpointToResume, checkSameData } from "./resume.ts";
import { startNotes } from "./start-notes.ts";
import { StepLog } from "./step-log.ts";
import { Timetable } from "./timetable.ts";
import type { TrainObserver } from "./train-observer.ts";
import { unjudgeable, Validation } from "./validation.ts";

export interface TrainInput {
  readonly config: TrainConfig;
  readonly network: NetworkConfig;
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

/** A submitted update whose report has not been read. */
interface Waiting {
  readonly report: Promise<StepReport>;
  readonly batch: Batch;
}

/** Trains a network from its start or last checkpoint to its end. The run folder is complete whenever this returns. */
export async function runTraining(input: TrainInput): Promise<TrainResult> {
  const { config, device } = input;
  const timetable = new Timetable(config, trainSamples(input.dataset).length);
  const why = unjudgeable(input.dataset);
  if (config.patience !== null && why !== undefined) {
    throw new UsageError(
      `--patience ${config.patience}: ${config.data} has nothing to judge by (${why}); leave it out`,
    );
  }
  const checkpoint = await checkpointToResume(config);
  if (checkpoint) checkSameData(config, checkpoint.facts, input.dataset, input.statistics);
  const progress = checkpoint?.facts.progress;
  const folder = progress ? RunFolder.resume(config.out, progress.step, config) : RunFolder.create(config.out, config);
  if (folder.tookOverFrom !== undefined) {
    input.observer.note(`took over the run from process ${folder.tookOverFrom}, which is gone`);
  }
  try {
    const { name, driver, backend } = device.report;
    folder.addEnvironment(describeEnvironment({ name, driver, backend }));
    const run = await TrainingRun.open(input, timetable, folder, checkpoint);
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
  readonly #timetable: Timetable;
  readonly #folder: RunFolder;
  readonly #trainer: Trainer;
  readonly #pool: SamplePool;
  readonly #validation: Validation;
  readonly #log: StepLog;
  #progress: Progress;

  private constructor(
    input: TrainInput,
    timetable: Timetable,
    folder: RunFolder,
    trainer: Trainer,
    checkpoint: Checkpoint | null,
  ) {
    const { config, dataset, statistics } = input;
    this.#input = input;
    this.#timetable = timetable;
    this.#folder = folder;
    this.#trainer = trainer;
    this.#log = new StepLog(folder, timetable, input.observer);
    this.#pool = new SamplePool(config.workers ?? undefined);
    const { network } = trainer;
    const { batchSize } = config;
    this.#validation = new Validation({ network, dataset, statistics, pool: this.#pool, batchSize });
    this.#progress = checkpoint?.facts.progress ?? {
      step: 0,
      epoch: 0,
      stepInEpoch: 0,
      best: null,
      bestEpoch: null,
      recipe: recipeText(config),
    };
  }

  static async open(
    input: TrainInput,
    timetable: Timetable,
    folder: RunFolder,
    checkpoint: Checkpoint | null,
  ): Promise<TrainingRun> {
    const { config, device, observer } = input;
    const network = await Network.create(device, input.network, config.seed);
    const trainer = await Trainer.create(network, trainerOptions(config, input.network, network.table));
    if (checkpoint) {
      restoreNetwork(network, checkpoint);
      restoreTrainer(trainer, checkpoint);
      observer.note(`resuming at step ${checkpoint.facts.progress.step}`);
    } else if (config.weights !== null) {
      const { loaded, random, notes } = await loadPretrained(network, config.weights, config);
      for (const line of notes) observer.note(`${config.weights}: ${line}`);
      observer.note(`${config.weights}: ${loaded} tensors loaded, ${random} start random`);
    }
    // Every program is made before the first step: a run that does not fit into memory fails now, not after an epoch.
    let bytes = 0;
    for (const { batch, frozen } of timetable.variants(checkpoint?.facts.progress.epoch ?? 0)) {
      bytes += await trainer.prepare(batch, frozen);
    }
    for (const line of startNotes(network, config, bytes)) observer.note(line);
    return new TrainingRun(input, timetable, folder, trainer, checkpoint);
  }

  async train(): Promise<TrainResult> {
    const { steps } = this.#timetable.duration;
    if (this.#isOver()) {
      this.#input.observer.note(`the run is complete: ${this.#progress.step} of ${steps} steps are done`);
      return this.#result();
    }
    const stream = this.#batches();
    try {
      return await this.#walk(stream);
    } finally {
      await stream.close();
    }
  }

  async #walk(stream: BatchStream): Promise<TrainResult> {
    let waiting: Waiting | null = null;
    for await (const batch of stream) {
      const submitted = await this.#submit(batch);
      if (!submitted) continue;
      // The GPU is at work on this step while the report of the one before is read.
      if (waiting) await this.#finish(waiting, stream);
      waiting = submitted;
      if (!this.#isPause(batch)) continue;
      await this.#finish(waiting, stream);
      waiting = null;
      await this.#pause(batch);
      if (this.#isOver() || this.#input.stopped?.()) return this.#result();
    }
    throw new Error(`the batches ended at step ${this.#progress.step} of ${this.#input.config.out}`);
  }

  /** Whether something is to be done between this update and the next that needs the state in between. */
  #isPause(batch: Batch): boolean {
    const table = this.#timetable;
    return (
      table.isEpochEnd(batch) || table.isLast(batch) || table.isCheckpoint(batch) || this.#input.stopped?.() === true
    );
  }

  /** Validates where it is due, and saves. */
  async #pause(batch: Batch): Promise<void> {
    const { epoch } = batch;
    const ended = this.#timetable.isEpochEnd(batch);
    if (ended) this.#progress = { ...this.#progress, epoch: epoch + 1, stepInEpoch: 0 };
    if (this.#timetable.isValidation(batch) && this.#validation.isPossible) await this.#validate(epoch);
    await this.#save();
    if (!this.#timetable.isStale(this.#progress)) return;
    const { patience } = this.#input.config;
    this.#input.observer.note(`stopping early: no better validation in ${patience} epochs (--patience)`);
  }

  #isOver(): boolean {
    return this.#progress.step >= this.#timetable.duration.steps || this.#timetable.isStale(this.#progress);
  }

  #result(): TrainResult {
    const { step, best } = this.#progress;
    return { steps: step, finished: this.#isOver(), best };
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
      start: { epoch: this.#progress.epoch, indexInEpoch: this.#progress.stepInEpoch },
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

  /** Submits a batch. What comes back is the update that ends with it, if one does. */
  async #submit(batch: Batch): Promise<Waiting | null> {
    const { seed } = this.#input.config;
    const { epoch } = batch;
    const step = { ...this.#timetable.place(batch), seed, index: batch.index, rate: this.#timetable.rate(epoch) };
    this.#log.submitted(batch);
    const { report } = await this.#trainer.submit(batch, { ...step, frozen: this.#timetable.isFrozen(epoch) });
    // A failure of the GPU is seen where the report is read; until then nobody listens.
    report?.catch(() => undefined);
    return report ? { report, batch } : null;
  }

  async #finish({ report, batch }: Waiting, stream: BatchStream): Promise<void> {
    const step = this.#timetable.updateOf(batch);
    this.#log.step(step, await report, batch, stream.waitedMs);
    const { epoch, indexInEpoch } = batch;
    this.#progress = { ...this.#progress, step, epoch, stepInEpoch: indexInEpoch + 1 };
  }

  async #validate(epoch: number): Promise<void> {
    const result = await this.#validation.evaluate();
    const score = result.strata["all"]?.mIoU ?? Number.NaN;
    const best = Number.isFinite(score) && (this.#progress.best === null || score > this.#progress.best);
    if (best) this.#progress = { ...this.#progress, best: score, bestEpoch: epoch };
    this.#log.validation(this.#progress.step, epoch, result);
    if (best) await saveCheckpoint(this.#folder.paths.best, await networkTensors(this.#trainer.network), this.#facts());
    this.#input.observer.validated({ epoch, result, best });
  }

  async #save(): Promise<void> {
    await saveCheckpoint(this.#folder.paths.last, await trainerTensors(this.#trainer), this.#facts());
  }

  #facts(): CheckpointFacts {
    const { config, network, statistics, dataset } = this.#input;
    const { mean, std } = statistics;
    const { window } = dataset;
    return {
      preset: networkName(config),
      config: network,
      ...classesOf(this.#input),
      mean,
      std,
      ...(window ? { window } : {}),
      progress: this.#progress,
    };
  }

  async close(): Promise<void> {
    await this.#pool.close();
    this.#validation.destroy();
    this.#trainer.destroy();
    this.#trainer.network.destroy();
  }
}

export function trainSamples(dataset: CheckedDataset): readonly CheckedSample[] {
  return dataset.splits.train ?? [];
}

/** Names and colours of the network's classes; a network may have more than its data set. */
function classesOf({ dataset, network }: Pick<TrainInput, "dataset" | "network">) {
  const { classes, colours } = dataset;
  const labels = Array.from({ length: network.classes }, (_, label) => label);
  const further = defaultColours(network.classes);
  return {
    classes: labels.map((label) => classes[label] ?? `class ${label}`),
    colours: further.map((colour, label) => colours[label] ?? colour),
  };
}
