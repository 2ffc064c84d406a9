import { differentiate } from "../autograd/differentiate.ts";
import {
  appendJudgement,
  appendOptimizer,
  appendUpdates,
  CONTROL_KEY,
  type OptimizerOptions,
  type ParameterGroup,
} from "../autograd/optimizer.ts";
import { fuse } from "../kernels/fuse.ts";
import { Graph } from "../kernels/graph.ts";
import type { Value } from "../kernels/op.ts";
import { argmaxLast, segmentationCounts } from "../kernels/ops/loss.ts";
import { updateRunning } from "../kernels/ops/norm.ts";
import { accumulate } from "../kernels/ops/update.ts";
import type { Program } from "../kernels/program.ts";
import { dropUnread, splitPointwiseOverConcat } from "../kernels/rewrite.ts";
import { ArenaLayout, segmentKey } from "../kernels/state.ts";
import type { Target } from "../kernels/target.ts";
import type { Build } from "../model/build.ts";
import type { BinaryTarget } from "../model/definition.ts";
import { type LossSettings, networkLoss, targetInput, targetMap, targetsOf, weighted } from "../model/losses.ts";
import type { ParameterTable } from "../model/parameters.ts";
import { type NetworkConfig, traceNetwork } from "../model/zoo.ts";
import { GROUPS, type GroupName, groupEntries, weightsArena } from "./network.ts";

/** Prefixes of what goes with every parameter, before its key. */
export const PREFIX = { gradient: "grad:", first: "first:", second: "second:", total: "total:" } as const;

export const LOSS_TOTAL_KEY = "loss.total";

export interface TrainingSettings {
  readonly batch: number;
  readonly loss: LossSettings;
  readonly optimizer: OptimizerOptions;
  /** Batches whose gradients make one update; above 1 the gradient and the update are separate traces. */
  readonly accumulate: number;
  /** Groups that train; a frozen encoder is left out. */
  readonly groups: readonly GroupName[];
  /** The encoder's learning rate over that of the rest; 1 when left out. */
  readonly encoderRate?: number;
}

/** A traced training step: what to bind, write and read. */
export interface TrainingTrace {
  readonly graph: Graph;
  readonly build: Build;
  /** Maps beside the labels that the loss compares with. */
  readonly targets: readonly BinaryTarget[];
  readonly loss: Value;
  /** u32 `[3, classes]`: intersection, predicted and labelled pixels of the batch. */
  readonly counts: Value;
  /** u32 `[4]`: see the optimizer. */
  readonly control: Value;
  /** Gradients by value id to the state they are stored as. */
  readonly placed: ReadonlyMap<number, string>;
}

/** The groups that train, with their rates. */
function trainedGroups(
  table: ParameterTable,
  target: Target,
  { groups, encoderRate = 1 }: TrainingSettings,
  accumulated: boolean,
): ParameterGroup[] {
  return groups.map((name) => {
    const group = parameterGroup(table, name, target, accumulated);
    return name === "encoder" ? { ...group, rateFactor: encoderRate } : group;
  });
}

/** How the parameters of a group are updated; arenas of one layout. */
export function parameterGroup(
  table: ParameterTable,
  group: GroupName,
  target: Target,
  accumulated: boolean,
): ParameterGroup {
  const layout = new ArenaLayout(groupEntries(table, group), target);
  return {
    name: group,
    weightsArena: weightsArena(group),
    gradientsArena: accumulated ? `total/${group}` : `gradient/${group}`,
    firstArena: `first/${group}`,
    secondArena: `second/${group}`,
    segments: layout.segments(target).map(({ floats }) => floats),
    clockKey: `clock.${group}`,
  };
}

/**
 * The trace of one training batch: forward, loss, gradients and, without accumulation, the update. Inputs: `image`,
 * `label` (i32, 255 = ignored; see {@link writeLabels}), `class weight`, `one` (the number 1), `rate`, and the draws.
 * Running statistics move with every batch, unless the step is judged not finite.
 */
export function trainingTrace(
  config: NetworkConfig,
  table: ParameterTable,
  target: Target,
  settings: TrainingSettings,
): TrainingTrace {
  const { batch } = settings;
  const { build, logits, heads: own } = traceNetwork(config, { mode: "train", batch, parameters: table });
  const { graph } = build;
  const heads = weighted(own, settings.loss.headWeights);
  const label = graph.input("label", [batch, config.height, config.width], "i32");
  const loss = networkLoss(graph, heads, label, graph.input("class weight", [config.classes]), settings.loss);
  dropUnread(graph, [loss, logits, ...build.statistics.map((of) => of.batch)]);
  splitPointwiseOverConcat(graph);
  const placed = placeGradients(graph, table, loss);
  const accumulated = settings.accumulate > 1;
  const groups = trainedGroups(table, target, settings, false);
  const control = accumulated
    ? appendAccumulation(graph, groups, loss)
    : appendOptimizer(graph, groups, loss, settings.optimizer);
  for (const { mean, variance, batch: statistics, count, momentum } of build.statistics) {
    graph.update(updateRunning, { mean, variance, statistics, control }, { count, momentum });
  }
  const prediction = graph.apply(argmaxLast, { x: logits }, {});
  const counts = graph.apply(segmentationCounts, { prediction, label }, { classes: config.classes, ignoreIndex: 255 });
  fuse(graph, [loss, counts]);
  return { graph, build, targets: targetsOf(heads), loss, counts, control, placed };
}

/** Writes a batch's labels, and whatever maps the network's loss needs that are made from them. */
export function writeLabels(
  program: Program,
  { targets }: Pick<TrainingTrace, "targets">,
  labels: Int32Array,
  size: { readonly height: number; readonly width: number },
): void {
  program.write("label", labels);
  for (const kind of targets) program.write(targetInput(kind), targetMap(kind, labels, { ...size, ignoreIndex: 255 }));
}

/** Differentiates by every parameter and has each gradient written to its place in the arena. */
function placeGradients(graph: Graph, table: ParameterTable, loss: Value): Map<number, string> {
  const parts = table.list("weight").flatMap((entry) => entry.parts);
  const sources = parts.map(({ key, shape }) => graph.state(key, shape));
  const grads = differentiate(graph, loss, graph.input("one", [1]), sources);
  const placed = new Map<number, string>();
  for (const [i, { key }] of parts.entries()) {
    const grad = grads.get(sources[i]?.id ?? -1);
    if (grad) placed.set(graph.root(grad.id), `${PREFIX.gradient}${key}`);
  }
  return placed;
}

function appendAccumulation(graph: Graph, groups: readonly ParameterGroup[], loss: Value): Value {
  return graph.scope("accumulate", () => {
    const control = appendJudgement(graph, groups, loss, null);
    graph.update(accumulate, { total: graph.state(LOSS_TOTAL_KEY, [1]), part: loss }, {});
    for (const { name, segments } of groups) {
      for (const [i, floats] of segments.entries()) {
        const total = graph.state(segmentKey(`total/${name}`, i), [floats]);
        graph.update(accumulate, { total, part: graph.state(segmentKey(`gradient/${name}`, i), [floats]) }, {});
      }
    }
    return control;
  });
}

/** The update by accumulated gradients, a trace of its own. Inputs: `rate`. */
export function updateTrace(table: ParameterTable, target: Target, settings: TrainingSettings) {
  const graph = new Graph();
  const groups = trainedGroups(table, target, settings, true);
  const loss = graph.state(LOSS_TOTAL_KEY, [1]);
  const control = appendJudgement(graph, groups, loss, settings.optimizer.clipNorm);
  appendUpdates(graph, groups, control, settings.optimizer);
  return { graph, control, loss };
}

/** Everything a training run stores beside the weights and statistics, by arena. */
export function trainingArenas(table: ParameterTable, settings: Pick<TrainingSettings, "accumulate" | "optimizer">) {
  const arenas: { readonly name: string; readonly prefix: string; readonly group: GroupName }[] = [];
  for (const group of GROUPS) {
    arenas.push({ name: `gradient/${group}`, prefix: PREFIX.gradient, group });
    arenas.push({ name: `first/${group}`, prefix: PREFIX.first, group });
    if (settings.optimizer.kind === "adamw") arenas.push({ name: `second/${group}`, prefix: PREFIX.second, group });
    if (settings.accumulate > 1) arenas.push({ name: `total/${group}`, prefix: PREFIX.total, group });
  }
  return arenas.map(({ name, prefix, group }) => ({ name, entries: groupEntries(table, group, prefix) }));
}

export const clockKey = (group: GroupName): string => `clock.${group}`;
export { CONTROL_KEY };
