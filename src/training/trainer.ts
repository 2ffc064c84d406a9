import type { OptimizerOptions } from "../autograd/optimizer.ts";
import { Program } from "../kernels/compile/program.ts";
import { LOSS_SCALE_RULE } from "../kernels/ops/update/kernels.ts";
import type { Allowance } from "../kernels/passes/recompute.ts";
import type { Shape } from "../kernels/trace/shape.ts";
import { channelsOf } from "../model/definition.ts";
import { arenaOf, CONTROL, clockKey, GROUPS, LOSS_SCALE, LOSS_TOTAL, type Role } from "../model/keys.ts";
import type { LossSettings } from "../model/supervision.ts";
import { type KeptFor, trainingArenas } from "./arenas.ts";
import { type ClassWeighting, classWeights } from "./class-weights.ts";
import type { Network } from "./network.ts";
import type { Precision } from "./passes.ts";
import type { RateFactors } from "./rates.ts";
import {
  type TrainingBatch,
  type TrainingSettings,
  type TrainingTrace,
  trainingTrace,
  type UpdateTrace,
  updateTrace,
} from "./training-trace.ts";

/** How a network is trained, whatever the batch. */
export interface TrainerOptions {
  readonly loss: LossSettings;
  readonly optimizer: OptimizerOptions;
  readonly classWeights: ClassWeighting;
  /** Batches whose gradients make one update. */
  readonly accumulate: number;
  /** As in {@link TrainingSettings}. */
  readonly repeat?: Allowance;
  /** See {@link TrainingSettings.precision}. */
  readonly precision?: Precision | undefined;
  /** Learning rates over that of the run, while the encoder is frozen or not. */
  rates(frozen: boolean): RateFactors;
}

/** Memory of runs on the GPU. */
export type Footprint = Pick<Program, "bytes" | "least">;

/** What one update did. */
export interface StepReport {
  readonly loss: number;
  /** Norm of all gradients before clipping. */
  readonly gradientNorm: number;
  /** True when loss or gradients were not finite: nothing was changed. */
  readonly skipped: boolean;
  /** What the next step's gradients are multiplied by, and the steps skipped so far; null in f32. */
  readonly scaling: { readonly lossScale: number; readonly skippedSteps: number } | null;
  /** Pixels per class: in both, predicted, labelled. */
  readonly counts: Uint32Array;
}

/** A tensor of the optimizer's state, in PyTorch's order. */
export interface StateTensor {
  readonly shape: Shape;
  readonly data: Float32Array | Int32Array;
}

/** A training step on a device. */
export interface CompiledStep {
  readonly trace: TrainingTrace;
  readonly program: Program;
}

interface CompiledUpdate {
  readonly trace: UpdateTrace;
  readonly program: Program;
}

/** Compiles the training step of a network whose {@link trainingArenas} are allocated. */
export async function compileStep(network: Network, settings: TrainingSettings): Promise<CompiledStep> {
  const { device, config, table, store } = network;
  if (settings.precision === "f16") device.requireHalf();
  const trace = trainingTrace(config, table, device.target, settings);
  const { graph, keep, placed } = trace;
  const name = `training step of ${settings.batch} images`;
  return { trace, program: await Program.compile(device, graph, { name, store, keep, placed }) };
}

/** Compiles the update of a network's weights by stored gradients. */
export async function compileUpdate(
  network: Network,
  settings: Pick<TrainingSettings, "rates" | "optimizer" | "precision">,
  from: "total" | "gradient",
): Promise<CompiledUpdate> {
  const { device, table, store } = network;
  const trace = updateTrace(table, device.target, settings, from);
  return { trace, program: await Program.compile(device, trace.graph, { name: "update of the weights", store }) };
}

/** Makes room for all that training keeps beside the weights, zero at first but for the loss scale. */
export async function allocateTraining({ store, table }: Network, settings: KeptFor): Promise<void> {
  for (const { name, entries } of trainingArenas(table, settings)) await store.allocate(name, entries);
  if (store.has(LOSS_SCALE.key)) store.write(LOSS_SCALE.key, Float32Array.of(LOSS_SCALE_RULE.first, 0));
}

/** A network in training: gradients, moments, clocks, and the programs of each batch size that occurs. */
export class Trainer {
  readonly network: Network;
  readonly #options: TrainerOptions;
  readonly #steps = new Map<string, CompiledStep>();
  readonly #updates = new Map<boolean, CompiledUpdate>();

  private constructor(network: Network, options: TrainerOptions) {
    this.network = network;
    this.#options = options;
  }

  static async create(network: Network, options: TrainerOptions): Promise<Trainer> {
    await allocateTraining(network, options);
    return new Trainer(network, options);
  }

  /** Compiles the step of a batch size ahead of its first use. Returns the bytes its run needs, and any plan's would. */
  async prepare(batch: number, frozen: boolean): Promise<Footprint> {
    const { bytes, least } = (await this.#stepFor(batch, frozen)).program;
    if (this.#options.accumulate > 1) await this.#updateFor(frozen);
    return { bytes, least };
  }

  /**
   * Submits one batch; `last` ends an update. The report is read behind the work just submitted, so that the next
   * batch can be submitted before it arrives.
   */
  async submit(batch: TrainingBatch, step: SubmitOptions): Promise<Submitted> {
    const { config, regions, store } = this.network;
    const { accumulate, classWeights: weighting } = this.#options;
    const count = batch.images.length / (channelsOf(config) * batch.height * batch.width);
    const compiled = await this.#stepFor(count, step.frozen ?? false);
    const { trace, program } = compiled;
    trace.feed(program, batch, {
      rate: step.rate,
      classWeights: classWeights(weighting, batch.labels, config.classes),
      draws: trace.draws.sample(step.seed, step.index, regions),
    });
    if (accumulate > 1 && (step.first ?? true)) {
      for (const group of GROUPS) store.clear(arenaOf("total", group));
      store.write(LOSS_TOTAL.key, Float32Array.of(0));
    }
    program.run();
    if (accumulate === 1) return { report: readReport(compiled, compiled) };
    return (step.last ?? true) ? this.#update(compiled, step) : { report: null };
  }

  /** Updates the weights by the gradients accumulated so far. */
  async #update(compiled: CompiledStep, step: SubmitOptions): Promise<Submitted> {
    const { rate, frozen = false, batches = 1 } = step;
    const update = await this.#updateFor(frozen);
    update.trace.feed(update.program, { rate, factor: 1 / batches });
    update.program.run();
    const report = readReport(compiled, update);
    return { report: withMeanLoss(report, this.network.store.read(LOSS_TOTAL.key), batches) };
  }

  async #stepFor(batch: number, frozen: boolean): Promise<CompiledStep> {
    const key = `${batch} ${frozen}`;
    const known = this.#steps.get(key);
    if (known) return known;
    const settings = { ...this.#options, batch, rates: this.#options.rates(frozen) };
    const made = await compileStep(this.network, settings);
    this.#steps.set(key, made);
    return made;
  }

  async #updateFor(frozen: boolean): Promise<CompiledUpdate> {
    const known = this.#updates.get(frozen);
    if (known) return known;
    const { optimizer, precision } = this.#options;
    const settings = { optimizer, precision, rates: this.#options.rates(frozen) };
    const made = await compileUpdate(this.network, settings, "total");
    this.#updates.set(frozen, made);
    return made;
  }

  /** Moments, clocks, the count of skipped steps and the loss scale, under names that begin with `optimizer.`. */
  async state(): Promise<Map<string, StateTensor>> {
    const { network } = this;
    const tensors = new Map<string, StateTensor>();
    for (const role of this.#moments()) {
      for (const [name, data] of await network.read(role)) {
        tensors.set(momentName(role, name), { shape: network.table.get(name).shape, data });
      }
    }
    for (const key of this.#counters()) {
      const words = Int32Array.from(new Int32Array((await network.store.read(key)).buffer));
      tensors.set(counterName(key), { shape: [words.length], data: words });
    }
    return tensors;
  }

  /** The inverse of {@link state}; `floats` and `integers` find a tensor by its name or throw. */
  restore(find: { floats(name: string): Float32Array; integers(name: string): Int32Array }): void {
    for (const role of this.#moments()) {
      for (const { name } of this.network.table.list("weight")) {
        this.network.write(name, find.floats(momentName(role, name)), role);
      }
    }
    for (const key of this.#counters()) this.network.store.write(key, find.integers(counterName(key)));
  }

  /** Frees the programs' memory; the network stays. */
  destroy(): void {
    for (const { program } of [...this.#steps.values(), ...this.#updates.values()]) program.destroy();
    this.#steps.clear();
    this.#updates.clear();
  }

  #moments(): readonly Role[] {
    return this.#options.optimizer.kind === "adamw" ? ["first", "second"] : ["first"];
  }

  /** State that is kept as words: bits, so that a loss scale comes back as it was. */
  #counters(): readonly string[] {
    const scale = this.#options.precision === "f16" ? [LOSS_SCALE.key] : [];
    return [CONTROL.key, ...GROUPS.map(clockKey), ...scale];
  }
}

const momentName = (role: Role, name: string): string => `optimizer.${role}.${name}`;
const counterName = (key: string): string => `optimizer.${key}`;

/** What judged an update: its own program, or that of the step. */
interface Judge {
  readonly trace: Pick<TrainingTrace, "control" | "scale">;
  readonly program: Program;
}

/** Both copies are submitted now, before any later step overwrites what they read. */
async function readReport({ trace, program }: CompiledStep, judge: Judge): Promise<StepReport> {
  const { control, scale } = judge.trace;
  const [[loss, counts], [words, scaled]] = await Promise.all([
    program.readAll([trace.loss, trace.counts]),
    judge.program.readAll([control, ...(scale ? [scale] : [])]),
  ]);
  const state = new Uint32Array(words ?? new ArrayBuffer(16));
  const first = (bytes: ArrayBuffer | undefined) => new Float32Array(bytes ?? new ArrayBuffer(0))[0] ?? Number.NaN;
  return {
    loss: first(loss),
    gradientNorm: new Float32Array(state.buffer)[3] ?? Number.NaN,
    skipped: state[0] !== 0,
    scaling: scale ? { lossScale: first(scaled), skippedSteps: state[1] ?? 0 } : null,
    counts: new Uint32Array(counts ?? new ArrayBuffer(0)),
  };
}

/** The loss of an update is the mean over its batches; the counts are the last batch's. */
async function withMeanLoss(
  report: Promise<StepReport>,
  total: Promise<Float32Array>,
  batches: number,
): Promise<StepReport> {
  const [last, [sum = Number.NaN]] = await Promise.all([report, total]);
  return { ...last, loss: sum / batches };
}

export interface Submitted {
  /** Null for a batch that ends no update. */
  readonly report: Promise<StepReport> | null;
}

export interface SubmitOptions {
  readonly seed: number;
  /** Number of the batch since training began: the random choices are a function of seed and index. */
  readonly index: number;
  /** The learning rate. */
  readonly rate: number;
  /** Whether the encoder's weights stay as they are (default: they train). */
  readonly frozen?: boolean;
  /** Whether this batch begins and ends an update, and of how many batches the update is; by default it is one of its own. */
  readonly first?: boolean;
  readonly last?: boolean;
  readonly batches?: number;
}
