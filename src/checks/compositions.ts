import { multiply } from "../kernels/ops/arithmetic.ts";
import { boundaryEmphasis } from "../kernels/ops/loss/class-masks.ts";
import { hardLabels } from "../kernels/ops/loss/hard-labels.ts";
import { argmaxLast, crossEntropy } from "../kernels/ops/loss/loss.ts";
import { structureLoss } from "../kernels/ops/loss/region-loss.ts";
import { relu, sigmoid } from "../kernels/ops/pointwise.ts";
import { weightedSum } from "../kernels/ops/reduce/reduce.ts";
import { softmax } from "../kernels/ops/reduce/softmax.ts";
import { sizeOf } from "../kernels/trace/shape.ts";
import { ACTIVATIONS } from "./activation.ts";
import { emphasised, regionLoss } from "./cases/mask-loss.ts";
import { crossEntropies, hardest, largestOf } from "./cases/pixel-loss.ts";
import { type Check, checkTogether } from "./check.ts";
import { noise } from "./draw.ts";
import { at, kept, sum, type Tensor, within } from "./tensor.ts";

/** The separable attention of SvANet: one context vector a lane, by a softmax over its tokens, times the values. */
const separable = checkTogether<"q" | "k" | "v">("separable attention", {
  body(graph, { q, k, v }) {
    const [lanes = 1, , dim = 1] = v.shape;
    const weights = graph.apply(softmax, { x: q }, {});
    const mixed = graph.view(graph.apply(weightedSum, { weights, x: k }, {}), [lanes, 1, dim]);
    return graph.apply(multiply, { x: graph.apply(relu, { x: v }, {}), y: mixed }, {});
  },
  expected({ q, k, v }) {
    const [, tokens = 1, dim = 1] = v.shape;
    const total = kept((lane) => sum(tokens, (t) => Math.exp(at(q.data, lane * tokens + t))));
    const context = kept((place) => {
      const [lane, feature] = [Math.floor(place / dim), place % dim];
      const weighted = (t: number) =>
        Math.exp(at(q.data, lane * tokens + t)) * at(k.data, (lane * tokens + t) * dim + feature);
      return sum(tokens, weighted) / total(lane);
    });
    const placeOf = (i: number) => Math.floor(i / dim / tokens) * dim + (i % dim);
    return [{ shape: v.shape, at: (i) => Math.max(at(v.data, i), 0) * context(placeOf(i)) }];
  },
  touches({ input, index, out }) {
    const [, tokens = 1, dim = 1] = out;
    if (input === "v") return [index];
    const row = input === "q" ? index : Math.floor(index / dim);
    const lane = Math.floor(row / tokens);
    const feature = index % dim;
    return within(out, [[lane, lane + 1], [0, tokens], input === "q" ? [0, dim] : [feature, feature + 1]]);
  },
  cases: [8, 5].map((c) => ({ inputs: { q: [3, 37], k: [3, 37, c], v: noise([3, 37, c], { kinks: [0] }) } })),
  bench({ batch }) {
    const [lanes, tokens, dim] = [4 * batch, 4096, 64];
    return [
      {
        row: "separable attention",
        detail: `${lanes} x ${tokens} tokens, ${dim} wide`,
        inputs: { q: [lanes, tokens], k: [lanes, tokens, dim], v: [lanes, tokens, dim] },
        passes: [{ name: "backward", of: ["v", "k"] }],
      },
    ];
  },
});

const EMPHASIS = { reach: 15, strength: 5 };

/** PraNet's loss with the weights it gives pixels near edges. */
const structure = checkTogether<"logits" | "truth">("structure loss", {
  body(graph, { logits, truth }) {
    const emphasis = graph.apply(boundaryEmphasis, { truth }, EMPHASIS);
    return graph.apply(structureLoss, { logits, truth, emphasis }, {});
  },
  expected: ({ logits, truth }) => regionLoss(logits, truth, emphasised(truth, EMPHASIS).at, 1).slice(0, 1),
  constants: ["truth"],
  cases: [5, 1].map((c) => ({ inputs: { logits: [2, 19, 37, c], truth: [2, 19, 37, c] } })),
  bench({ batch }) {
    const shape = [batch, 256, 256, 1];
    return [
      {
        row: "structure loss",
        detail: `[${shape.join(", ")}], windows of 31 x 31`,
        inputs: { logits: shape, truth: shape },
        // Each of these samples walks all pixels.
        passes: [{ name: "backward", of: ["logits"], samples: 4 }],
      },
    ];
  },
});

const hardHalf = (label: { readonly shape: readonly number[] }) => ({
  threshold: 1e-9,
  kept: Math.floor(sizeOf(label.shape) / 2),
  ignoreIndex: 255,
});

/** OHEM's choice of the hardest half and the cross-entropy of what is left; the labels are another map's classes. */
const ohem = checkTogether<"logits" | "classes" | "weight">("OHEM cross-entropy", {
  body(graph, { logits, classes, weight }) {
    const label = graph.apply(argmaxLast, { x: classes }, {});
    const hard = graph.apply(hardLabels, { logits, label }, hardHalf(label));
    const positive = graph.apply(sigmoid, { x: weight }, {});
    return graph.apply(crossEntropy, { logits, label: hard, weight: positive }, { ignoreIndex: 255, smoothing: 0 });
  },
  expected({ logits, classes, weight }) {
    const label = whole(largestOf(classes));
    const hard = whole(hardest(logits, label, hardHalf(label)));
    const positive = { ...weight, data: weight.data.map(ACTIVATIONS.sigmoid) };
    const given = { logits, label: hard, weight: positive };
    return crossEntropies(given, { ignoreIndex: 255, smoothing: 0 }).slice(0, 1);
  },
  constants: ["classes", "weight"],
  cases: [8, 5].map((c) => ({
    inputs: { logits: noise([2, 13, 11, c], { scale: 6 }), classes: [2, 13, 11, c], weight: [c] },
  })),
  bench({ batch }) {
    const shape = [batch, 256, 256, 8];
    return [
      {
        row: "OHEM cross-entropy",
        detail: `[${shape.join(", ")}], half of the pixels kept`,
        inputs: { logits: shape, classes: shape, weight: [8] },
        passes: [],
      },
    ];
  },
});

/** All elements, as an input of another definition. */
const whole = ({ shape, at: f }: { readonly shape: readonly number[]; at(index: number): number }): Tensor => ({
  shape,
  data: Float64Array.from({ length: sizeOf(shape) }, (_, index) => f(index)),
});

/** What networks make of several ops and the bench times together. */
export const COMPOSITIONS: readonly Check[] = [separable, structure, ohem];
