import {
  appendJudgement,
  appendOptimizer,
  appendUpdates,
  type OptimizerOptions,
  type StepWords,
} from "../autograd/optimizer.ts";
import { ShapeError } from "../errors.ts";
import type { Program } from "../kernels/compile/program.ts";
import { argmaxLast, segmentationCounts } from "../kernels/ops/loss/loss.ts";
import { scaledSeed } from "../kernels/ops/update/judge.ts";
import { accumulate } from "../kernels/ops/update/update.ts";
import type { Allowance } from "../kernels/passes/recompute.ts";
import type { Target } from "../kernels/target.ts";
import { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import { sameShape } from "../kernels/trace/shape.ts";
import type { DrawTable } from "../model/draws.ts";
import { arenaOf, CONTROL, INPUT, keyOf, LOSS_SCALE, LOSS_TOTAL, targetInput } from "../model/keys.ts";
import { loneNorm } from "../model/lone-image.ts";
import { networkLoss, targetMap, targetsOf, weighted } from "../model/losses.ts";
import type { ParameterTable } from "../model/parameters.ts";
import type { Head, LossSettings } from "../model/supervision.ts";
import { type NetworkConfig, traceNetwork } from "../model/zoo.ts";
import { type NamedGroup, parameterGroups } from "./arenas.ts";
import { type Form, type Precision, trainingPasses } from "./passes.ts";
import type { RateFactors } from "./rates.ts";
import { moveRunningStatistics } from "./running-statistics.ts";

export interface TrainingSettings {
  readonly batch: number;
  readonly loss: LossSettings;
  readonly optimizer: OptimizerOptions;
  /** Batches whose gradients make one update; above 1 the gradient and the update are separate traces. */
  readonly accumulate: number;
  /** Learning rates over that of the run; parameters of 0 stay as they are and get no gradient. */
  readonly rates: RateFactors;
  readonly form?: Form;
  /** f16: activations and their gradients are stored in half precision, and a loss scale keeps small gradients in its range. */
  readonly precision?: Precision | undefined;
  /** What backward may compute once more to save memory (default: what costs little). Results are the same. */
  readonly repeat?: Allowance | undefined;
  /** Also keep the outputs that the loss looks at, for checks. */
  readonly keepHeads?: boolean;
}

/** What a training step learns from. */
export interface TrainingBatch {
  /** `[n, height, width, channels]`, normalised. */
  readonly images: Float32Array;
  /** `[n, height, width]`. */
  readonly labels: Int32Array;
  readonly height: number;
  readonly width: number;
}

/** What differs from step to step beside the batch. */
export interface StepInputs {
  readonly rate: number;
  /** `[classes]`; ones where classes count alike. */
  readonly classWeights: Float32Array;
  /** The random choices by input: {@link DrawTable.sample} draws them, `fromRecorded` repeats recorded ones. */
  readonly draws: ReadonlyMap<string, Float32Array>;
}

/** A traced training step: what to bind, feed and read. */
export interface TrainingTrace {
  readonly graph: Graph;
  /** The random choices it has to be fed with. */
  readonly draws: DrawTable;
  readonly loss: Value;
  /** The outputs that the loss looks at, the main one first; their logits are kept only where that was asked for. */
  readonly heads: readonly Head[];
  /** u32 `[3, classes]`: intersection, predicted and labelled pixels of the batch. */
  readonly counts: Value;
  /** u32 `[4]`: whether the step counted; see the optimizer. */
  readonly control: Value;
  /** `[2]`: the loss scale; null in f32. */
  readonly scale: Value | null;
  /** Gradients, and statistics of the batch, by value id to the state they are stored as. */
  readonly placed: ReadonlyMap<number, string>;
  /** What is read after a run. */
  readonly keep: readonly Value[];
  /** Writes everything a run needs. */
  feed(program: Program, batch: TrainingBatch, step: StepInputs): void;
}

/**
 * The trace of one training batch: forward, loss, gradients and, without accumulation, the update. Running statistics
 * move with every batch, unless the step is judged not finite.
 */
export function trainingTrace(
  config: NetworkConfig,
  table: ParameterTable,
  target: Target,
  settings: TrainingSettings,
): TrainingTrace {
  const { batch, loss: lossSettings, form, precision, keepHeads = false } = settings;
  const traced = traceNetwork(config, { mode: "train", batch, parameters: table });
  const { build, logits } = traced;
  const lone = loneNorm(traced);
  if (lone !== undefined) {
    throw new ShapeError(
      `${lone}: a training batch of ${batch} image leaves the batch norm one value a channel, which has no statistics; ` +
        "use two images or more",
    );
  }
  const { graph, draws } = build;
  const heads = weighted(traced.heads, lossSettings.headWeights);
  const label = graph.input(INPUT.label, [batch, config.height, config.width], "i32");
  const loss = networkLoss(graph, heads, label, graph.input(INPUT.classWeights, [config.classes]), lossSettings);
  const words = stepWords(graph, precision);
  const shown = keepHeads ? heads.map((head) => head.logits) : [];
  const weights = trainedWeights(graph, table, settings.rates);
  const { counts, tables, keep, placed } = trainingPasses(
    graph,
    {
      loss,
      seed: words.scale ? graph.apply(scaledSeed, { scale: words.scale }, {}) : graph.input(INPUT.one, [1]),
      wanted: weights.map(({ value }) => value),
      target,
      repeat: settings.repeat,
      read: [logits, ...shown, ...build.statistics.map((of) => of.batch)],
      follow(gradients) {
        const placed = new Map<number, string>();
        for (const { key, value } of weights) {
          const gradient = gradients.get(value.id);
          if (gradient) placed.set(graph.root(gradient.id), gradientKey(key, value, gradient));
        }
        appendEnd(graph, parameterGroups(graph, table, target, settings.rates, "gradient"), words, loss, settings);
        const moved = moveRunningStatistics(build, table, target, words.control);
        const prediction = graph.apply(argmaxLast, { x: logits }, {});
        const { ignoreIndex } = lossSettings;
        const counts = graph.apply(segmentationCounts, { prediction, label }, { classes: config.classes, ignoreIndex });
        return {
          ...{ counts, tables: moved.tables },
          ...{ keep: [loss, counts, ...shown], placed: new Map([...placed, ...moved.placed]) },
        };
      },
    },
    { form, precision },
  );
  const constants = new Map<string, Float32Array | Uint32Array>(tables);
  if (words.scale === null) constants.set(INPUT.one, Float32Array.of(1));
  const feed = feeder(heads, lossSettings.ignoreIndex, constants);
  return { graph, draws, loss, heads, counts, control: words.control, scale: words.scale, placed, keep, feed };
}

function stepWords(graph: Graph, precision: Precision = "f32"): StepWords {
  return {
    control: graph.state(CONTROL.key, [4], "u32"),
    rate: graph.input(INPUT.rate, [2]),
    scale: precision === "f16" ? graph.state(LOSS_SCALE.key, [2]) : null,
  };
}

/** The tensors of every parameter that trains. */
function trainedWeights(graph: Graph, table: ParameterTable, rates: RateFactors) {
  const parts = table.list("weight").flatMap((entry) => (rates(entry) > 0 ? entry.parts : []));
  return parts.map(({ key, shape }) => ({ key, value: graph.state(key, shape) }));
}

/** A gradient of another shape would be written over its neighbours in the arena. */
function gradientKey(key: string, { shape }: Value, gradient: Value): string {
  if (sameShape(gradient.shape, shape)) return keyOf("gradient", key);
  throw new ShapeError(`the gradient of ${key} [${shape}] came out as [${gradient.shape}]: a derivative is wrong`);
}

/** What the gradients are for: the update, or a sum to which further batches add. */
function appendEnd(
  graph: Graph,
  groups: readonly NamedGroup[],
  words: StepWords,
  loss: Value,
  { accumulate: batches, optimizer }: TrainingSettings,
): void {
  if (batches === 1) {
    appendOptimizer(graph, groups, words, loss, optimizer);
    return;
  }
  graph.scope("accumulate", () => {
    // The sums of all batches carry one scale: only the update that they end in moves it.
    appendJudgement(graph, groups, { ...words, scale: null }, loss, null);
    graph.update(accumulate, { total: graph.state(LOSS_TOTAL.key, [1]), part: loss }, {});
    for (const { name, gradients, segments } of groups) {
      for (const { segment } of segments) {
        const total = graph.stretch(arenaOf("total", name), segment);
        graph.update(accumulate, { total, part: graph.stretch(gradients, segment) }, {});
      }
    }
  });
}

/**
 * Writes a batch, with whatever maps the loss needs that are made from its labels, what the step adds, and what is the
 * same in every step.
 */
function feeder(
  heads: readonly Head[],
  ignoreIndex: number,
  constants: ReadonlyMap<string, Float32Array | Uint32Array>,
): TrainingTrace["feed"] {
  const targets = targetsOf(heads);
  return (program, { images, labels, height, width }, { rate, classWeights, draws }) => {
    program.write(INPUT.image, images);
    program.write(INPUT.label, labels);
    for (const kind of targets) {
      program.write(targetInput(kind), targetMap(kind, labels, { height, width, ignoreIndex }));
    }
    program.write(INPUT.classWeights, classWeights);
    program.write(INPUT.rate, Float32Array.of(rate, 1));
    for (const [name, data] of [...draws, ...constants]) program.write(name, data);
  };
}

/** A traced update of the weights by stored gradients. */
export interface UpdateTrace {
  readonly graph: Graph;
  /** Both as in {@link TrainingTrace}. */
  readonly control: Value;
  readonly scale: Value | null;
  /** Writes the learning rate and the factor of the gradients. */
  feed(program: Program, step: { readonly rate: number; readonly factor: number }): void;
}

/**
 * The update by gradients that are there already: the sums of accumulated batches (`total`), or those of the last step
 * (`gradient`).
 */
export function updateTrace(
  table: ParameterTable,
  target: Target,
  settings: Pick<TrainingSettings, "rates" | "optimizer" | "precision">,
  from: "total" | "gradient",
): UpdateTrace {
  const graph = new Graph();
  const words = stepWords(graph, settings.precision);
  const groups = parameterGroups(graph, table, target, settings.rates, from);
  const loss = graph.state(LOSS_TOTAL.key, [1]);
  appendJudgement(graph, groups, words, loss, settings.optimizer.clipNorm);
  appendUpdates(graph, groups, words, settings.optimizer);
  return {
    graph,
    control: words.control,
    scale: words.scale,
    feed: (program, { rate, factor }) => program.write(INPUT.rate, Float32Array.of(rate, factor)),
  };
}
