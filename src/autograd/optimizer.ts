import { ShapeError } from "../errors.ts";
import type { Graph } from "../kernels/graph.ts";
import type { Value } from "../kernels/op.ts";
import { scale } from "../kernels/ops/arithmetic.ts";
import { concat, sliceLast } from "../kernels/ops/layout.ts";
import { accumulate, adamW, judgeStep, prepareAdamW, sgd, squaredNorm, tick } from "../kernels/ops/update.ts";
import { type StateEntry, segmentKey } from "../kernels/state.ts";

/** Parameters that are updated together: arenas of one layout, walked segment by segment. */
export interface ParameterGroup {
  readonly name: string;
  readonly weightsArena: string;
  readonly gradientsArena: string;
  /** First moments of AdamW, velocities of SGD. */
  readonly firstArena: string;
  /** Second moments; SGD has none. */
  readonly secondArena: string;
  /** Lengths in floats of the arenas' segments. */
  readonly segments: readonly number[];
  /** Key of the group's own step counter, u32 [1]: a group that starts late starts at 1. */
  readonly clockKey: string;
  /** The group's learning rate over that of the run; 1 when left out. */
  readonly rateFactor?: number;
}

export type OptimizerOptions =
  | {
      readonly kind: "adamw";
      readonly betas: readonly [number, number];
      readonly eps: number;
      readonly weightDecay: number;
      /** Largest norm of all gradients together; null leaves them as they are. */
      readonly clipNorm: number | null;
    }
  | {
      readonly kind: "sgd";
      readonly momentum: number;
      readonly nesterov: boolean;
      readonly weightDecay: number;
      readonly clipNorm: number | null;
    };

/** Key of the u32 [4] that says whether a step counts; its words are described in update.ts. */
export const CONTROL_KEY = "step.control";

/** Name of the input [2]: the learning rate, and the factor of the gradients (1 / accumulated batches). */
export const RATE_INPUT = "rate";

/**
 * What the update part keeps beside the groups' arenas, by arena. Two, because one dispatch reads the control words
 * and writes a clock, and may not do both in one buffer.
 */
export function optimizerArenas(groups: readonly ParameterGroup[]): ReadonlyMap<string, readonly StateEntry[]> {
  const clocks = new Set(groups.map((group) => group.clockKey));
  return new Map<string, readonly StateEntry[]>([
    ["step", [{ key: CONTROL_KEY, shape: [4], dtype: "u32" }]],
    ["clocks", [...clocks].map((key): StateEntry => ({ key, shape: [1], dtype: "u32" }))],
  ]);
}

/**
 * Appends the decision whether this step counts: `loss` [1] and every gradient must be finite. Returns `control`, which
 * the updates that follow (weights, running statistics) read.
 */
export function appendJudgement(
  graph: Graph,
  groups: readonly ParameterGroup[],
  loss: Value,
  clipNorm: number | null,
): Value {
  const control = graph.state(CONTROL_KEY, [4], "u32");
  const segments = groups.flatMap((group) => segmentsOf(graph, group, group.gradientsArena));
  const [totals, ...more] = segments.map((x) => graph.apply(squaredNorm, { x }, {}));
  if (!totals) throw new ShapeError("optimizer: there are no parameters to train");
  for (const part of more) graph.update(accumulate, { total: totals, part }, {});
  graph.update(judgeStep, { control, totals, loss, rate: rateOf(graph) }, { clipNorm });
  return control;
}

/** Appends the updates of the weights and moments of all groups. */
export function appendUpdates(
  graph: Graph,
  groups: readonly ParameterGroup[],
  control: Value,
  options: OptimizerOptions,
): void {
  for (const group of groups) {
    graph.scope(group.name, () => {
      graph.update(tick, { clock: graph.state(group.clockKey, [1], "u32"), control }, {});
      if (options.kind === "adamw") appendAdamW(graph, group, control, options);
      else appendSgd(graph, group, control, options);
    });
  }
}

/** The whole end of a training step: judgement, then updates. Returns `control`. */
export function appendOptimizer(
  graph: Graph,
  groups: readonly ParameterGroup[],
  loss: Value,
  options: OptimizerOptions,
): Value {
  return graph.scope("optimizer", () => {
    const control = appendJudgement(graph, groups, loss, options.clipNorm);
    appendUpdates(graph, groups, control, options);
    return control;
  });
}

function appendAdamW(
  graph: Graph,
  group: ParameterGroup,
  control: Value,
  { betas: [beta1, beta2], eps, weightDecay }: OptimizerOptions & { readonly kind: "adamw" },
): void {
  const attrs = { beta1, beta2, weightDecay, eps };
  const clock = graph.state(group.clockKey, [1], "u32");
  const hyper = graph.apply(prepareAdamW, { clock, control, rate: groupRate(graph, group) }, attrs);
  for (const [i, floats] of group.segments.entries()) {
    const segment = (arena: string) => graph.state(segmentKey(arena, i), [floats]);
    graph.update(
      adamW,
      {
        parameter: segment(group.weightsArena),
        first: segment(group.firstArena),
        second: segment(group.secondArena),
        gradient: segment(group.gradientsArena),
        hyper,
      },
      attrs,
    );
  }
}

function appendSgd(
  graph: Graph,
  group: ParameterGroup,
  control: Value,
  { momentum, nesterov, weightDecay }: OptimizerOptions & { readonly kind: "sgd" },
): void {
  const rate = groupRate(graph, group);
  for (const [i, floats] of group.segments.entries()) {
    const segment = (arena: string) => graph.state(segmentKey(arena, i), [floats]);
    graph.update(
      sgd,
      {
        parameter: segment(group.weightsArena),
        velocity: segment(group.firstArena),
        gradient: segment(group.gradientsArena),
        control,
        rate,
      },
      { momentum, nesterov, weightDecay },
    );
  }
}

const rateOf = (graph: Graph): Value => graph.input(RATE_INPUT, [2]);

/** The rate input with the group's factor on its first number. */
function groupRate(graph: Graph, { rateFactor: factor = 1 }: ParameterGroup): Value {
  const rate = rateOf(graph);
  if (factor === 1) return rate;
  const own = graph.apply(scale, { x: graph.apply(sliceLast, { x: rate }, { start: 0, count: 1 }) }, { factor });
  return graph.apply(concat(2), { x0: own, x1: graph.apply(sliceLast, { x: rate }, { start: 1, count: 1 }) }, {});
}

function segmentsOf(graph: Graph, group: ParameterGroup, arena: string): Value[] {
  return group.segments.map((floats, i) => graph.state(segmentKey(arena, i), [floats]));
}
