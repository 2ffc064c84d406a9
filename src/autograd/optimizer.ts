import { ShapeError } from "../errors.ts";
import { type Segment, type StateEntry, segmentKey } from "../kernels/compile/state.ts";
import { accumulate, adamW, judgeStep, prepareAdamW, sgd, squaredNorm, tick } from "../kernels/ops/update/update.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";

/** Parameters that are updated together: arenas of one layout, walked segment by segment. */
export interface ParameterGroup {
  readonly name: string;
  readonly weightsArena: string;
  readonly gradientsArena: string;
  /** First moments of AdamW, velocities of SGD. */
  readonly firstArena: string;
  /** Second moments; SGD has none. */
  readonly secondArena: string;
  /** What is updated; tensors that no segment covers stay as they are. */
  readonly segments: readonly RatedSegment[];
  /** Key of the group's own step counter, u32 [1]: a group that starts late starts at 1. */
  readonly clockKey: string;
}

/** Parameters of one learning rate. */
export interface RatedSegment {
  readonly segment: Segment;
  /** Their learning rate over that of the run. */
  readonly rateFactor: number;
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
export function optimizerArenas(clockKeys: readonly string[]): ReadonlyMap<string, readonly StateEntry[]> {
  return new Map<string, readonly StateEntry[]>([
    ["step", [{ key: CONTROL_KEY, shape: [4], dtype: "u32" }]],
    ["clocks", clockKeys.map((key): StateEntry => ({ key, shape: [1], dtype: "u32" }))],
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
  const prepared = new Map<number, Value>();
  for (const { segment, rateFactor } of group.segments) {
    const rate = rateOf(graph);
    const hyper =
      prepared.get(rateFactor) ?? graph.apply(prepareAdamW, { clock, control, rate }, { ...attrs, rateFactor });
    prepared.set(rateFactor, hyper);
    graph.update(
      adamW,
      {
        parameter: stored(graph, group.weightsArena, segment),
        first: stored(graph, group.firstArena, segment),
        second: stored(graph, group.secondArena, segment),
        gradient: stored(graph, group.gradientsArena, segment),
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
  for (const { segment, rateFactor } of group.segments) {
    graph.update(
      sgd,
      {
        parameter: stored(graph, group.weightsArena, segment),
        velocity: stored(graph, group.firstArena, segment),
        gradient: stored(graph, group.gradientsArena, segment),
        control,
        rate: rateOf(graph),
      },
      { momentum, nesterov, weightDecay, rateFactor },
    );
  }
}

const rateOf = (graph: Graph): Value => graph.input(RATE_INPUT, [2]);

function segmentsOf(graph: Graph, group: ParameterGroup, arena: string): Value[] {
  return group.segments.map(({ segment }) => stored(graph, arena, segment));
}

/** A segment of an arena as a tensor. */
export function stored(graph: Graph, arena: string, segment: Segment): Value {
  return graph.state(segmentKey(arena, segment), [segment.floats]);
}
