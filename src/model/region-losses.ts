import { boundaryEmphasis, classMasks } from "../kernels/ops/loss/class-masks.ts";
import { logOdds } from "../kernels/ops/loss/log-odds.ts";
import { bceDiceLoss, structureLoss } from "../kernels/ops/loss/region-loss.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import { lastOf, nhwc } from "../kernels/trace/shape.ts";

/**
 * Losses published for one foreground, which compare regions. Of several classes each but the background is set against
 * all others, by the logit whose sigmoid is its softmax probability, and the losses of the classes are averaged; with
 * two classes that is the published loss of `l_1 - l_0`.
 *
 * `structure` (PraNet, CFANet, CaraNet) is computed as published: cross-entropy and intersection over union with
 * pixels weighted by `1 + 5 |mean of 31 x 31 - mask|`. The public code hands `reduce="none"` to
 * `binary_cross_entropy_with_logits`, which PyTorch takes for the mean: there the weights cancel out of the
 * cross-entropy. `bce-dice` (TransNetR) takes its Dice over the whole batch.
 */
export const REGION_LOSSES = ["structure", "bce-dice"] as const;
export type RegionLoss = (typeof REGION_LOSSES)[number];

export const isRegionLoss = (name: string): name is RegionLoss => (REGION_LOSSES as readonly string[]).includes(name);

const EMPHASIS = { reach: 15, strength: 5 } as const;

/** The masks of a step's labels and their weights: made once, however many outputs are compared with them. */
export class RegionTargets {
  readonly #graph: Graph;
  readonly #ignoreIndex: number;
  readonly #made = new Map<string, Value>();

  constructor(graph: Graph, ignoreIndex: number) {
    this.#graph = graph;
    this.#ignoreIndex = ignoreIndex;
  }

  /** As `classMasks` makes them, of labels `[n, h, w]`. */
  masks(label: Value, classes: number): Value {
    const attrs = { classes, ignoreIndex: this.#ignoreIndex };
    return this.#once(`masks ${label.id} ${classes}`, () => this.#graph.apply(classMasks, { label }, attrs));
  }

  emphasis(truth: Value): Value {
    return this.#once(`emphasis ${truth.id}`, () => this.#graph.apply(boundaryEmphasis, { truth }, EMPHASIS));
  }

  #once(key: string, make: () => Value): Value {
    const value = this.#made.get(key) ?? make();
    this.#made.set(key, value);
    return value;
  }
}

/** The loss `[1]` of class logits `[n, h, w, k]` against labels `[n, h, w]`. A single channel is a foreground map. */
export function regionLoss(
  graph: Graph,
  name: RegionLoss,
  { logits, label }: { readonly logits: Value; readonly label: Value },
  targets: RegionTargets,
): Value {
  const classes = lastOf(logits.shape);
  const odds = classes === 1 ? logits : graph.apply(logOdds, { logits }, {});
  return foregroundLoss(graph, name, { logits: odds, truth: targets.masks(label, classes) }, targets);
}

/** The loss `[1]` of foreground logits `[n, h, w, c]` against masks of that shape, below zero where nothing counts. */
export function foregroundLoss(
  graph: Graph,
  name: RegionLoss,
  { logits, truth }: { readonly logits: Value; readonly truth: Value },
  targets: RegionTargets,
): Value {
  if (name === "structure") {
    return graph.apply(structureLoss, { logits, truth, emphasis: targets.emphasis(truth) }, {});
  }
  const { n, h, w, c } = nhwc("loss", "logits", logits.shape);
  const batch = (value: Value) => graph.view(value, [1, n * h, w, c]);
  return graph.apply(bceDiceLoss, { logits: batch(logits), truth: batch(truth) }, {});
}
