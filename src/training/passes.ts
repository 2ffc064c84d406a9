import { differentiate } from "../autograd/differentiate.ts";
import type { Conv2dAttrs } from "../kernels/ops/contraction/contract.ts";
import { conv2d } from "../kernels/ops/contraction/conv.ts";
import { foldNormsForward } from "../kernels/passes/fold-norms.ts";
import { fuse } from "../kernels/passes/fuse.ts";
import { gatherStatistics } from "../kernels/passes/gather-statistics.ts";
import { halve } from "../kernels/passes/halve.ts";
import { takeMeansFirst } from "../kernels/passes/linear-means.ts";
import { takeActivationSlopes } from "../kernels/passes/norm-gradients.ts";
import { type Allowance, CHEAP, CHEAP_IN_HALF, recompute } from "../kernels/passes/recompute.ts";
import { dropUnread, splitPointwiseOverConcat } from "../kernels/passes/rewrite.ts";
import { joinSoftmaxSums } from "../kernels/passes/softmax-sums.ts";
import { giveToWeightGradients } from "../kernels/passes/weight-gradients.ts";
import type { Target } from "../kernels/target.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";

/**
 * `production` is what runs. `literal` is what the network wrote, step for step and with every tap of every convolution
 * computed: what production is compared with.
 */
export type Form = "production" | "literal";

/** How production stores activations, their gradients and the weights that are multiplied by. Everything is computed in f32. */
export const PRECISIONS = ["f32", "f16"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** How a trace is made. */
export interface Making {
  readonly form?: Form | undefined;
  /** Production only (default: f32). */
  readonly precision?: Precision | undefined;
}

/**
 * What is done to the trace of an inference. `keep` is read after a run.
 *
 * 1. Drop what only training looks at: as a second reader it would keep the rewrites away.
 * 2. Rewrite by algebra, on the literal steps that the rules describe; then sums weighted by a softmax become one step.
 * 3. Fuse: a rewritten step is fused like any other.
 * 4. Fold the norms that are left into the convolutions behind them.
 * 5. Halve last: what was fused is never stored, so that there is nothing to choose.
 */
export function inferencePasses(graph: Graph, keep: readonly Value[], { form, precision }: Making): void {
  if (form === "literal") {
    computeEveryTap(graph);
    return;
  }
  dropUnread(graph, keep);
  splitPointwiseOverConcat(graph);
  takeMeansFirst(graph, keep);
  joinSoftmaxSums(graph, keep);
  fuse(graph, keep);
  foldNormsForward(graph, keep);
  if (precision === "f16") halve(graph, { keep, placed: [] });
}

/** What outlives a training step. */
interface Ends {
  /** What the host reads after a run. */
  readonly keep: readonly Value[];
  /** Gradients by value id, whose storage is elsewhere. */
  readonly placed: ReadonlyMap<number, string>;
}

/** A trace from its forward pass to what the host reads. */
export interface TrainingSpec<R extends Ends> {
  /** `[1]`. */
  readonly loss: Value;
  /** `[1]`: the gradient of the loss by itself. */
  readonly seed: Value;
  /** What the gradients are taken by. */
  readonly wanted: readonly Value[];
  /** Tensors of the forward pass that are read beside the loss. */
  readonly read: readonly Value[];
  /** What the step will run on. */
  readonly target: Target;
  /** What may be repeated to save memory. */
  readonly repeat?: Allowance | undefined;
  /** Appends what follows the gradients, given by the ids of `wanted`. */
  follow(gradients: ReadonlyMap<number, Value>): R;
}

/**
 * What is done to the trace of a training step. Returns what `follow` made.
 *
 * 1. Drop what nobody reads: it must not be differentiated, nor count as a reader.
 * 2. Rewrite by algebra before the derivatives, so that gradients take the short way too.
 * 3. Differentiate, and append what the gradients are for.
 * 4. Let gradients of norms take the slopes of activations.
 * 5. Fuse: only now is it known what backward still reads and must therefore be stored.
 * 6. Let gradients of weights make what they read, and sum what they read anyway.
 * 7. Let convolutions gather the statistics of norms, when it is known what else is in their last instruction.
 * 8. Halve, when all that is stored is known: what passes between steps, forward and backward.
 * 9. Recompute last: only now is it known how long each tensor would be held.
 */
export function trainingPasses<R extends Ends>(graph: Graph, spec: TrainingSpec<R>, { form, precision }: Making): R {
  if (form === "literal") computeEveryTap(graph);
  else {
    dropUnread(graph, [spec.loss, spec.seed, ...spec.read]);
    splitPointwiseOverConcat(graph);
  }
  const made = spec.follow(differentiate(graph, spec.loss, spec.seed, spec.wanted));
  if (form !== "literal") {
    const held = { keep: made.keep, placed: [...made.placed.keys()] };
    takeActivationSlopes(graph, made.keep);
    fuse(graph, made.keep);
    giveToWeightGradients(graph, made.keep, spec.target);
    gatherStatistics(graph, spec.target);
    if (precision === "f16") halve(graph, held);
    recompute(graph, held, spec.repeat ?? (precision === "f16" ? CHEAP_IN_HALF : CHEAP));
  }
  return made;
}

function computeEveryTap(graph: Graph): void {
  graph.replaceSteps(
    graph.steps.map((step) => {
      const attrs: Conv2dAttrs = { ...(step.attrs as Conv2dAttrs), taps: "all" };
      return step.op.name === conv2d.name ? { ...step, attrs } : step;
    }),
  );
}
