import { differentiate } from "../autograd/differentiate.ts";
import {
  appendJudgement,
  appendOptimizer,
  appendUpdates,
  CONTROL_KEY,
  type OptimizerOptions,
  type ParameterGroup,
  stored,
} from "../autograd/optimizer.ts";
import type { Program } from "../kernels/compile/program.ts";
import { ArenaLayout } from "../kernels/compile/state.ts";
import { argmaxLast, segmentationCounts } from "../kernels/ops/loss/loss.ts";
import { updateRunning } from "../kernels/ops/norm/norm.ts";
import { accumulate } from "../kernels/ops/update/update.ts";
import { fuse } from "../kernels/passes/fuse.ts";
import { dropUnread, splitPointwiseOverConcat } from "../kernels/passes/rewrite.ts";
import type { Target } from "../kernels/target.ts";
import { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import type { Build } from "../model/build.ts";
import { networkLoss, targetInput, targetMap, targetsOf, weighted } from "../model/losses.ts";
import type { ParameterTable } from "../model/parameters.ts";
import type { BinaryTarget, LossSettings } from "../model/supervision.ts";
import { type NetworkConfig, traceNetwork } from "../model/zoo.ts";
import { GROUPS, type GroupName, groupEntries, weightsArena } from "./network.ts";
import type { RateFactors } from "./rates.ts";

/** Prefixes of what goes with every parameter, before its key. */
export const PREFIX = { gradient: "grad:", first: "first:", second: "second:", total: "total:" } as const;

export const LOSS_TOTAL_KEY = "loss.total";

export interface TrainingSettings {
  readonly batch: number;
  readonly loss: LossSettings;
  readonly optimizer: OptimizerOptions;
  /** Batches whose gradients make one update; above 1 the gradient and the update are separate traces. */
  readonly accumulate: number;
  /** Learning rates over that of the run; parameters of 0 stay as they are and get no gradient. */
  readonly rates: RateFactors;
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

/** The groups that train. */
function trainedGroups(
  table: ParameterTable,
  target: Target,
  { rates }: TrainingSettings,
  accumulated: boolean,
): ParameterGroup[] {
  const factors = new Map(
    table.list("weight").flatMap((entry) => entry.parts.map(({ key }) => [key, rates(entry)] as const)),
  );
  return GROUPS.map((group) => {
    const layout = new ArenaLayout(groupEntries(table, group), target);
    const rated = layout.segmentsBy(target, (key) => factors.get(key) ?? 1);
    const segments = rated.map(({ segment, value: rateFactor }) => ({ segment, rateFactor }));
    return parameterGroup(
      group,
      segments.filter(({ rateFactor }) => rateFactor > 0),
      accumulated,
    );
  }).filter(({ segments }) => segments.length > 0);
}

/** How the parameters of a group are updated; arenas of one layout. */
function parameterGroup(group: GroupName, segments: ParameterGroup["segments"], accumulated: boolean): ParameterGroup {
  return {
    name: group,
    weightsArena: weightsArena(group),
    gradientsArena: accumulated ? `total/${group}` : `gradient/${group}`,
    firstArena: `first/${group}`,
    secondArena: `second/${group}`,
    segments,
    clockKey: clockKey(group),
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
  const placed = placeGradients(graph, table, loss, settings.rates);
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

/** Differentiates by every parameter that trains and has each gradient written to its place in the arena. */
function placeGradients(graph: Graph, table: ParameterTable, loss: Value, rates: RateFactors): Map<number, string> {
  const trained = table.list("weight").filter((entry) => rates(entry) > 0);
  const parts = trained.flatMap((entry) => entry.parts);
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
      for (const { segment } of segments) {
        const total = stored(graph, `total/${name}`, segment);
        graph.update(accumulate, { total, part: stored(graph, `gradient/${name}`, segment) }, {});
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
