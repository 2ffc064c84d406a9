import type { ChannelPlan } from "../../data/channels.ts";
import { defaultColours } from "../../data/dataset/check-dataset.ts";
import { type Batch, type BatchStream, trainBatches } from "../../data/feed/batches.ts";
import { SamplePool } from "../../data/feed/sample-pool.ts";
import { type Checkpoint, restoreNetwork, restoreTrainer } from "../../inference/checkpoint/checkpoint.ts";
import type { CheckpointFacts, Progress } from "../../inference/checkpoint/facts.ts";
import { Network } from "../../training/network.ts";
import { type StepReport, Trainer } from "../../training/trainer.ts";
import { weightsPath } from "../../weights/published/find-weights.ts";
import { loadPretrained } from "../checkpoint/pretrained.ts";
import type { RunFolder } from "../run/run-folder.ts";
import { borderClassOf, classesBeside } from "../settings/outputs.ts";
import { augmentOptions, bestByOf, isNative, networkName, recipeText, trainerOptions } from "../settings/recipe.ts";
import { Keeper } from "./keeper.ts";
import { startNotes } from "./start-notes.ts";
import { StepLog } from "./step-log.ts";
import type { Timetable } from "./timetable.ts";
import { type TrainInput, type TrainResult, trainSamples } from "./train-input.ts";
import { troubleOf } from "./trouble.ts";
import { findsForeground, scoreOf, Validation } from "./validation.ts";

/** A submitted update whose report has not been read. */
interface Waiting {
  readonly report: Promise<StepReport>;
  readonly batch: Batch;
}

/** A network in training, from a start or a checkpoint to the end. */
export class TrainingRun {
  readonly #input: TrainInput;
  readonly #timetable: Timetable;
  readonly #trainer: Trainer;
  readonly #pool: SamplePool;
  readonly #validation: Validation;
  readonly #keeper: Keeper;
  readonly #log: StepLog;
  #progress: Progress;
  /** Whether any validation of this process predicted a foreground pixel; null before the first. */
  #found: boolean | null = null;

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
    this.#trainer = trainer;
    const progress = checkpoint?.facts.progress;
    this.#keeper = new Keeper(folder, trainer, progress?.step ?? null);
    this.#log = new StepLog(folder, timetable, input.observer, () => this.#keeper.whatIsLeft);
    this.#pool = new SamplePool(config.workers ?? undefined);
    const { network } = trainer;
    const { batchSize } = config;
    const native = isNative(config);
    const borders = config.borders ?? undefined;
    this.#validation = new Validation({ network, dataset, statistics, pool: this.#pool, batchSize, native, borders });
    this.#progress = progress
      ? { ...progress, ...timetable.placeAfter(progress.step) }
      : { step: 0, epoch: 0, stepInEpoch: 0, best: null, bestEpoch: null, recipe: recipeText(config) };
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
      const path = await weightsPath(config.weights, config.weightsDir);
      const { loaded, random, notes } = await loadPretrained(network, path, config);
      for (const line of notes) observer.note(`${config.weights}: ${line}`);
      observer.note(`${config.weights}: ${loaded} tensors loaded, ${random} start random`);
    }
    // Every program is made before the first step: a run that does not fit into memory fails now, not after an epoch.
    let [bytes, least] = [0, 0];
    for (const { batch, frozen } of timetable.variants(checkpoint?.facts.progress.epoch ?? 0)) {
      const run = await trainer.prepare(batch, frozen);
      [bytes, least] = [bytes + run.bytes, least + run.least];
    }
    for (const line of startNotes(network, config, { bytes, least })) observer.note(line);
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
    const validated = this.#timetable.isValidation(batch) && this.#validation.isPossible;
    if (validated) await this.#validate(epoch);
    await this.#save(batch);
    // Of a run that is over by this the folder is not complete yet.
    if (validated && !this.#isOver()) await this.#input.observer.saved?.(this.#input.config.out, "validated");
    if (!this.#timetable.isStale(this.#progress)) return;
    const { patience } = this.#input.config;
    this.#input.observer.note(`stopping early: no better validation in ${patience} epochs (--patience)`);
  }

  #isOver(): boolean {
    return this.#progress.step >= this.#timetable.duration.steps || this.#timetable.isStale(this.#progress);
  }

  #result(): TrainResult {
    const { step, best } = this.#progress;
    const finished = this.#isOver();
    const bestBy = bestByOf(this.#input.config);
    const ending = { lastLoss: this.#log.lastLoss, found: this.#found, best, bestBy };
    return { steps: step, finished, best, bestBy, trouble: finished ? troubleOf(ending) : null };
  }

  #batches(): BatchStream {
    const { config, dataset, statistics, observer } = this.#input;
    let said = false;
    return trainBatches({
      samples: trainSamples(dataset, config),
      size: config.size,
      batchSize: config.batchSize,
      statistics,
      pool: this.#pool,
      seed: config.seed,
      start: { epoch: this.#progress.epoch, indexInEpoch: this.#progress.stepInEpoch },
      augment: augmentOptions(config),
      borders: borderClassOf(config, this.#input.network.classes),
      keepSingle: this.#timetable.keepSingle,
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
    const tensors = await this.#keeper.soundNetwork(this.#progress.step);
    const { result, images } = await this.#validation.evaluate();
    const score = scoreOf(result, bestByOf(this.#input.config));
    this.#found = this.#found === true || findsForeground(result);
    const better = Number.isFinite(score) && (this.#progress.best === null || score > this.#progress.best);
    // The step before a skipped one may be what went wrong.
    const best = better && this.#log.skippedInARow === 0;
    if (best) this.#progress = { ...this.#progress, best: score, bestEpoch: epoch };
    this.#log.validation(this.#progress.step, epoch, result, images);
    if (best) await this.#keeper.keepBest(tensors, this.#facts());
    this.#input.observer.validated({ epoch, result, best, bestBy: bestByOf(this.#input.config) });
  }

  /** Keeps the state, unless steps are being skipped; one skipped step at the very end leaves a state as good as before. */
  async #save(batch: Batch): Promise<void> {
    const skipped = this.#log.skippedInARow;
    const isLast = this.#timetable.isLast(batch);
    if (skipped === 0 || (isLast && skipped === 1)) return this.#keeper.keepLast(this.#facts());
    if (isLast) throw this.#log.givingUp(batch.names.join(", "));
    this.#input.observer.note(
      `step ${this.#progress.step} was skipped: no checkpoint is written before a step counts again`,
    );
  }

  #facts(): CheckpointFacts {
    const { config, network, statistics, dataset } = this.#input;
    const { mean, std } = statistics;
    const { window, channels } = dataset;
    return {
      preset: networkName(config),
      config: network,
      ...classesOf(this.#input),
      mean,
      std,
      ...(channels ? { channels: storedPlan(channels) } : {}),
      ...(window ? { window } : {}),
      ...(isNative(config) ? { resolution: "native" as const } : {}),
      ...(config.borders === null ? {} : { borders: config.borders }),
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

/** A plan without what it leaves open. */
function storedPlan({ names, windows, pages }: ChannelPlan): ChannelPlan {
  return { names, ...(windows ? { windows } : {}), ...(pages ? { pages } : {}) };
}

/** Names and colours of the network's classes, but for that of borders; a network may have more than its data set. */
function classesOf({ config, dataset, network }: Pick<TrainInput, "config" | "dataset" | "network">) {
  const { classes, colours } = dataset;
  const count = classesBeside(config, network.classes);
  const labels = Array.from({ length: count }, (_, label) => label);
  const further = defaultColours(count);
  return {
    classes: labels.map((label) => classes[label] ?? `class ${label}`),
    colours: further.map((colour, label) => colours[label] ?? colour),
  };
}
