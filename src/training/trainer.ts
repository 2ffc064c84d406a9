import { type OptimizerOptions, optimizerArenas } from "../autograd/optimizer.ts";
import type { Batch } from "../data/feed/batches.ts";
import { CheckpointError } from "../errors.ts";
import type { Checkpoint } from "../experiment/checkpoint/checkpoint.ts";
import type { TrainConfig } from "../experiment/settings/config.ts";
import { lossSettings } from "../experiment/settings/recipe.ts";
import { Program } from "../kernels/compile/program.ts";
import type { Value } from "../kernels/trace/op.ts";
import type { Parameter } from "../model/parameters.ts";
import type { LossSettings } from "../model/supervision.ts";
import { float32, int32, type StoredTensor, storeFloat32, storeInt32 } from "../weights/safetensors.ts";
import { GROUPS, groupOf, type Network } from "./network.ts";
import { type RateFactors, rateFactors } from "./rates.ts";
import {
  CONTROL_KEY,
  clockKey,
  LOSS_TOTAL_KEY,
  PREFIX,
  type TrainingSettings,
  type TrainingTrace,
  trainingArenas,
  trainingTrace,
  updateTrace,
  writeLabels,
} from "./training-trace.ts";

/** What one update did. */
export interface StepReport {
  readonly loss: number;
  /** Norm of all gradients before clipping. */
  readonly gradientNorm: number;
  /** True when loss or gradients were not finite: nothing was changed. */
  readonly skipped: boolean;
  /** Pixels per class: in both, predicted, labelled. */
  readonly counts: Uint32Array;
}

interface CompiledStep {
  readonly trace: TrainingTrace;
  readonly program: Program;
}

interface CompiledUpdate {
  readonly program: Program;
  readonly control: Value;
}

/** The settings of a run's training step for a batch of so many images. */
export function trainingSettings(
  config: TrainConfig,
  batch: number,
  rates: RateFactors,
  loss: LossSettings,
): TrainingSettings {
  const { weightDecay, clipNorm, betas, eps, momentum } = config;
  const optimizer: OptimizerOptions =
    config.optimizer === "adamw"
      ? { kind: "adamw", betas, eps, weightDecay, clipNorm }
      : { kind: "sgd", momentum, nesterov: true, weightDecay, clipNorm };
  return { batch, loss, optimizer, accumulate: config.accumulate, rates };
}

/** A network in training: gradients, moments, clocks, and the programs of each batch size that occurs. */
export class Trainer {
  readonly network: Network;
  readonly #config: TrainConfig;
  readonly #loss: LossSettings;
  readonly #steps = new Map<string, CompiledStep>();
  readonly #updates = new Map<string, CompiledUpdate>();

  private constructor(network: Network, config: TrainConfig, loss: LossSettings) {
    this.network = network;
    this.#config = config;
    this.#loss = loss;
  }

  static async create(network: Network, config: TrainConfig): Promise<Trainer> {
    const { store, table } = network;
    const loss = lossSettings(config, network.config);
    const settings = trainingSettings(config, config.batchSize, rateFactors(table, config), loss);
    for (const { name, entries } of trainingArenas(table, settings)) await store.allocate(name, entries);
    for (const [arena, entries] of optimizerArenas(GROUPS.map(clockKey))) await store.allocate(arena, entries);
    await store.allocate("loss", [{ key: LOSS_TOTAL_KEY, shape: [1] }]);
    return new Trainer(network, config, loss);
  }

  /** Compiles the step of a batch size ahead of its first use. Returns the bytes its run needs. */
  async prepare(batch: number, frozen: boolean): Promise<number> {
    const bytes = (await this.#stepFor(batch, frozen)).program.bytes;
    if (this.#config.accumulate > 1) await this.#updateFor(frozen);
    return bytes;
  }

  /**
   * Submits one batch; `last` ends an update. The report is read behind the work just submitted, so that the next
   * batch can be submitted before it arrives.
   */
  async submit(batch: Batch, step: SubmitOptions): Promise<Submitted> {
    const { trace, program } = await this.#stepFor(batch.names.length, step.frozen);
    const { classes } = this.network.config;
    program.write("image", batch.images);
    writeLabels(program, trace, batch.labels, batch);
    program.write("class weight", classWeights(this.#config.classWeights, batch.labels, classes));
    program.write("one", Float32Array.of(1));
    for (const [name, data] of trace.build.draws.sample(step.seed, batch.step, this.network.regions)) {
      program.write(name, data);
    }
    if (this.#config.accumulate === 1) {
      program.write("rate", Float32Array.of(step.rate, 1));
      program.run();
      return { report: this.#report(program, trace, trace.control, program) };
    }
    return this.#accumulate({ trace, program }, step);
  }

  async #accumulate({ trace, program }: CompiledStep, step: SubmitOptions): Promise<Submitted> {
    if (step.first) {
      for (const group of GROUPS) this.network.store.clear(`total/${group}`);
      this.network.store.write(LOSS_TOTAL_KEY, Float32Array.of(0));
    }
    program.write("rate", Float32Array.of(step.rate, 1));
    program.run();
    if (!step.last) return { report: null };
    const update = await this.#updateFor(step.frozen);
    update.program.write("rate", Float32Array.of(step.rate, 1 / step.batches));
    update.program.run();
    const report = this.#report(program, trace, update.control, update.program);
    return { report: this.#withMeanLoss(report, this.network.store.read(LOSS_TOTAL_KEY), step.batches) };
  }

  /** The loss of an update is the mean over its batches; the counts are the last batch's. */
  async #withMeanLoss(report: Promise<StepReport>, total: Promise<Float32Array>, batches: number): Promise<StepReport> {
    const [last, [sum = Number.NaN]] = await Promise.all([report, total]);
    return { ...last, loss: sum / batches };
  }

  async #report(program: Program, trace: TrainingTrace, control: Value, judge: Program): Promise<StepReport> {
    // Both copies must be submitted now, before any later step overwrites what they read.
    const [[loss, counts], [words]] = await Promise.all([
      program.readAll([trace.loss, trace.counts]),
      judge.readAll([control]),
    ]);
    const state = new Uint32Array(words ?? new ArrayBuffer(16));
    return {
      loss: new Float32Array(loss ?? new ArrayBuffer(4))[0] ?? Number.NaN,
      gradientNorm: new Float32Array(state.buffer)[3] ?? Number.NaN,
      skipped: state[0] !== 0,
      counts: new Uint32Array(counts ?? new ArrayBuffer(0)),
    };
  }

  async #stepFor(batch: number, frozen: boolean): Promise<CompiledStep> {
    const key = `${batch} ${frozen}`;
    const known = this.#steps.get(key);
    if (known) return known;
    const { device, config, table, store } = this.network;
    const settings = trainingSettings(this.#config, batch, rateFactors(table, this.#config, frozen), this.#loss);
    const trace = trainingTrace(config, table, device.target, settings);
    const keep = [trace.loss, trace.counts];
    const name = `training step of ${batch} images`;
    const program = await Program.compile(device, trace.graph, { name, store, keep, placed: trace.placed });
    const made = { trace, program };
    this.#steps.set(key, made);
    return made;
  }

  async #updateFor(frozen: boolean): Promise<CompiledUpdate> {
    const key = String(frozen);
    const known = this.#updates.get(key);
    if (known) return known;
    const { device, table, store } = this.network;
    const rates = rateFactors(table, this.#config, frozen);
    const settings = trainingSettings(this.#config, this.#config.batchSize, rates, this.#loss);
    const { graph, control } = updateTrace(table, device.target, settings);
    const made = { program: await Program.compile(device, graph, { name: "update of the weights", store }), control };
    this.#updates.set(key, made);
    return made;
  }

  /** Moments, clocks and the count of skipped steps, under names that begin with `optimizer.`. */
  async state(): Promise<Map<string, StoredTensor>> {
    const { network } = this;
    const tensors = new Map<string, StoredTensor>();
    for (const [label, prefix] of this.#moments()) {
      for (const group of GROUPS) {
        const of = (entry: Parameter) => entry.kind === "weight" && groupOf(entry) === group;
        for (const [name, data] of await network.readArena(`${label}/${group}`, of, prefix)) {
          tensors.set(`optimizer.${label}.${name}`, storeFloat32(data, network.table.get(name).shape));
        }
      }
    }
    for (const key of this.#counters()) {
      const floats = await network.store.read(key);
      const words = Int32Array.from(new Int32Array(floats.buffer));
      tensors.set(`optimizer.${key}`, storeInt32(words, [words.length]));
    }
    return tensors;
  }

  restore({ path, tensors }: Checkpoint): void {
    const take = (name: string): StoredTensor => {
      const found = tensors.get(name);
      if (!found)
        throw new CheckpointError(`${path} cannot continue training: ${name} is missing; resume from last.safetensors`);
      return found;
    };
    for (const [label, prefix] of this.#moments()) {
      for (const { name } of this.network.table.list("weight")) {
        this.network.write(name, float32(take(`optimizer.${label}.${name}`)), prefix);
      }
    }
    for (const key of this.#counters()) this.network.store.write(key, int32(take(`optimizer.${key}`)));
  }

  /** Frees the programs' memory; the network stays. */
  destroy(): void {
    for (const { program } of [...this.#steps.values(), ...this.#updates.values()]) program.destroy();
    this.#steps.clear();
    this.#updates.clear();
  }

  #moments(): readonly (readonly [label: "first" | "second", prefix: string])[] {
    const first = ["first", PREFIX.first] as const;
    return this.#config.optimizer === "adamw" ? [first, ["second", PREFIX.second]] : [first];
  }

  #counters(): readonly string[] {
    return [CONTROL_KEY, ...GROUPS.map(clockKey)];
  }
}

export interface Submitted {
  /** Null for a batch that ends no update. */
  readonly report: Promise<StepReport> | null;
}

export interface SubmitOptions {
  readonly seed: number;
  readonly rate: number;
  readonly frozen: boolean;
  /** Whether this batch begins and ends an update, and of how many batches the update is. */
  readonly first: boolean;
  readonly last: boolean;
  readonly batches: number;
}

/** Ones, or the release's weights of a batch: 1 / ln(1.1 + share of the class), 0 for an absent class. */
function classWeights(kind: TrainConfig["classWeights"], labels: Int32Array, classes: number): Float32Array {
  const weights = new Float32Array(classes).fill(1);
  if (kind === "none") return weights;
  const counts = new Float64Array(classes);
  for (const label of labels) if (label < classes) counts[label] = (counts[label] ?? 0) + 1;
  const total = counts.reduce((sum, count) => sum + count, 0);
  return weights.map((_, c) => {
    const count = counts[c] ?? 0;
    return count === 0 ? 0 : 1 / Math.log(1.1 + count / total);
  });
}
