import { ShapeError } from "../errors.ts";
import { judgeScaledStep, judgeStep, squaredNorm } from "../kernels/ops/update/judge.ts";
import { accumulate, adamW, prepareAdamW, sgd, tick } from "../kernels/ops/update/update.ts";
import type { Graph, Segment } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";

/** Parameters that are updated together: arenas of one layout, walked segment by segment. */
export interface ParameterGroup {
  readonly name: string;
  /** Names of arenas. */
  readonly weights: string;
  readonly gradients: string;
  /** First moments of AdamW, velocities of SGD. */
  readonly first: string;
  /** Second moments; SGD has none. */
  readonly second: string;
  /** What is updated; tensors that no segment covers stay as they are. */
  readonly segments: readonly RatedSegment[];
  /** The group's own step counter, u32 [1]: a group that starts late starts at 1. */
  readonly clock: Value;
}

/** Parameters of one learning rate. */
interface RatedSegment {
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

/** The kinds by name, as flags and files give them. */
export const OPTIMIZERS = ["adamw", "sgd"] as const satisfies readonly OptimizerOptions["kind"][];

/** What the end of a step reads beside arenas and clocks. */
export interface StepWords {
  /** u32 [4]: says whether the step counts; its words are described in update.ts. */
  readonly control: Value;
  /** [2]: the learning rate, and the factor of the gradients (1 / accumulated batches). */
  readonly rate: Value;
  /** [2]: the loss scale that the gradients carry and that moves with the judgement; null where they are as they are. */
  readonly scale: Value | null;
}

/**
 * Appends the decision whether this step counts: `loss` [1] and every gradient must be finite. The updates that follow
 * (weights, running statistics) read it in `control`.
 */
export function appendJudgement(
  graph: Graph,
  groups: readonly ParameterGroup[],
  { control, rate, scale }: StepWords,
  loss: Value,
  clipNorm: number | null,
): void {
  const segments = groups.flatMap(({ gradients, segments: rated }) =>
    rated.map(({ segment }) => graph.stretch(gradients, segment)),
  );
  const [totals, ...more] = segments.map((x) => graph.apply(squaredNorm, { x }, {}));
  if (!totals) throw new ShapeError("optimizer: there are no parameters to train");
  for (const part of more) graph.update(accumulate, { total: totals, part }, {});
  if (scale) graph.update(judgeScaledStep, { control, scale, totals, loss, rate }, { clipNorm });
  else graph.update(judgeStep, { control, totals, loss, rate }, { clipNorm });
}

/** Appends the updates of the weights and moments of all groups. */
export function appendUpdates(
  graph: Graph,
  groups: readonly ParameterGroup[],
  words: StepWords,
  options: OptimizerOptions,
): void {
  for (const group of groups) {
    graph.scope(group.name, () => {
      graph.update(tick, { clock: group.clock, control: words.control }, {});
      if (options.kind === "adamw") appendAdamW(graph, group, words, options);
      else appendSgd(graph, group, words, options);
    });
  }
}

/** The whole end of a training step: judgement, then updates. */
export function appendOptimizer(
  graph: Graph,
  groups: readonly ParameterGroup[],
  words: StepWords,
  loss: Value,
  options: OptimizerOptions,
): void {
  graph.scope("optimizer", () => {
    appendJudgement(graph, groups, words, loss, options.clipNorm);
    appendUpdates(graph, groups, words, options);
  });
}

function appendAdamW(
  graph: Graph,
  { clock, segments, ...arenas }: ParameterGroup,
  { control, rate }: StepWords,
  { betas: [beta1, beta2], eps, weightDecay }: OptimizerOptions & { readonly kind: "adamw" },
): void {
  const attrs = { beta1, beta2, weightDecay, eps };
  const prepared = new Map<number, Value>();
  for (const { segment, rateFactor } of segments) {
    const hyper =
      prepared.get(rateFactor) ?? graph.apply(prepareAdamW, { clock, control, rate }, { ...attrs, rateFactor });
    prepared.set(rateFactor, hyper);
    graph.update(
      adamW,
      {
        parameter: graph.stretch(arenas.weights, segment),
        first: graph.stretch(arenas.first, segment),
        second: graph.stretch(arenas.second, segment),
        gradient: graph.stretch(arenas.gradients, segment),
        hyper,
      },
      attrs,
    );
  }
}

function appendSgd(
  graph: Graph,
  { segments, ...arenas }: ParameterGroup,
  { control, rate }: StepWords,
  { momentum, nesterov, weightDecay }: OptimizerOptions & { readonly kind: "sgd" },
): void {
  for (const { segment, rateFactor } of segments) {
    graph.update(
      sgd,
      {
        parameter: graph.stretch(arenas.weights, segment),
        velocity: graph.stretch(arenas.first, segment),
        gradient: graph.stretch(arenas.gradients, segment),
        control,
        rate,
      },
      { momentum, nesterov, weightDecay, rateFactor },
    );
  }
}
