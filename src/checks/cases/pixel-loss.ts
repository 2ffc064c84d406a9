import { focalLoss } from "../../kernels/ops/loss/focal-loss.ts";
import { hardLabels } from "../../kernels/ops/loss/hard-labels.ts";
import { logOdds } from "../../kernels/ops/loss/log-odds.ts";
import { argmaxLast, crossEntropy, segmentationCounts, softDice } from "../../kernels/ops/loss/loss.ts";
import { lastOf } from "../../kernels/trace/shape.ts";
import { checkOf } from "../check.ts";
import { changed, labels, noise } from "../draw.ts";
import { at, type Elements, kept, type Numbers, row, sum, type Tensor, type Tensors, together } from "../tensor.ts";

const IGNORED = 255;

/** Log of the sum of exponentials of each pixel's logits, and the share that a class has of it. */
function shares({ shape, data }: Tensor) {
  const classes = lastOf(shape);
  const lse = kept((pixel) => {
    let highest = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) highest = Math.max(highest, at(data, pixel * classes + c));
    return highest + Math.log(sum(classes, (c) => Math.exp(at(data, pixel * classes + c) - highest)));
  });
  const share = (pixel: number, c: number) => Math.exp(at(data, pixel * classes + c) - lse(pixel));
  return { classes, lse, share };
}

/** Class `c` of a pixel's logits against the others. */
function odds(x: Numbers, classes: number, pixel: number, c: number): number {
  let others = 0;
  for (let j = 0; j < classes; j++) if (j !== c) others += Math.exp(at(x, pixel * classes + j));
  return at(x, pixel * classes + c) - Math.log(others);
}

const counts = (label: number, classes: number, ignoreIndex: number) =>
  label !== ignoreIndex && label >= 0 && label < classes;

/** Labels of which the last few are outside the classes: those do not count either. */
const wild = (shape: readonly number[], classes: number, share: number) =>
  changed(labels(shape, classes, { index: IGNORED, share }), (label, i) => (i % 97 === 96 ? classes + 1 : label));

const logits = (shape: readonly number[]) => noise(shape, { scale: 6 });

/** The weighted mean cross-entropy; its sum, divisor and the sum of all weights; each pixel's log-sum-exp. */
export function crossEntropies(
  { logits: x, label, weight }: Tensors<"logits" | "label" | "weight">,
  { ignoreIndex, smoothing }: { readonly ignoreIndex: number; readonly smoothing: number },
): Elements[] {
  const { classes, lse } = shares(x);
  const totals = together([3], () => {
    let [total, divisor] = [0, 0];
    for (const [pixel, truth] of label.data.entries()) {
      if (!counts(truth, classes, ignoreIndex)) continue;
      const loss = (c: number) => lse(pixel) - at(x.data, pixel * classes + c);
      total += (1 - smoothing) * at(weight.data, truth) * loss(truth);
      total += (smoothing / classes) * sum(classes, (c) => at(weight.data, c) * loss(c));
      divisor += at(weight.data, truth);
    }
    return [total, divisor, sum(classes, (c) => at(weight.data, c))];
  });
  const mean = () => (totals.at(1) === 0 ? 0 : totals.at(0) / totals.at(1));
  return [{ shape: [1], at: mean }, totals, { shape: label.shape, at: lse }];
}

/** The weighted mean of -(1 - p)^gamma log p; its sum and divisor; each pixel's log-sum-exp. */
function focalLosses(
  { logits: x, label, weight }: Tensors<"logits" | "label" | "weight">,
  { ignoreIndex, gamma }: { readonly ignoreIndex: number; readonly gamma: number },
): Elements[] {
  const { classes, lse, share } = shares(x);
  const totals = together([2], () => {
    let [total, divisor] = [0, 0];
    for (const [pixel, truth] of label.data.entries()) {
      if (!counts(truth, classes, ignoreIndex)) continue;
      const rest = sum(classes, (c) => (c === truth ? 0 : share(pixel, c)));
      const entropy = lse(pixel) - at(x.data, pixel * classes + truth);
      total += at(weight.data, truth) * rest ** gamma * entropy;
      divisor += at(weight.data, truth);
    }
    return [total, divisor];
  });
  const mean = () => (totals.at(1) === 0 ? 0 : totals.at(0) / totals.at(1));
  return [{ shape: [1], at: mean }, totals, { shape: label.shape, at: lse }];
}

/**
 * OHEM by its definition: labels of pixels whose probability is below the larger one of the threshold and that of rank
 * `kept` among those that count.
 */
export function hardest(
  x: Tensor,
  label: Tensor,
  {
    threshold,
    kept: rank,
    ignoreIndex,
  }: { readonly threshold: number; readonly kept: number; readonly ignoreIndex: number },
): Elements {
  const { classes, share } = shares(x);
  return together(label.shape, () => {
    const probabilities = Array.from(label.data, (truth, i) =>
      counts(truth, classes, ignoreIndex) ? share(i, truth) : Number.POSITIVE_INFINITY,
    );
    const sorted = probabilities.filter(Number.isFinite).sort((a, b) => a - b);
    const limit = Math.max(threshold, sorted[Math.min(rank, sorted.length - 1)] ?? 0);
    return probabilities.map((p, i) => (p < limit ? at(label.data, i) : ignoreIndex));
  });
}

/** The first class of the largest logit. */
export function largestOf({ shape, data }: Tensor): Elements {
  const c = lastOf(shape);
  const largest = (pixel: number) => {
    let best = 0;
    for (let i = 1; i < c; i++) if (at(data, pixel * c + i) > at(data, pixel * c + best)) best = i;
    return best;
  };
  return { shape: shape.slice(0, -1), at: largest };
}

const CLASSES = [8, 5];

export const PIXEL_LOSS = {
  crossEntropy: checkOf(crossEntropy, {
    expected: crossEntropies,
    constants: ["weight"],
    cases: CLASSES.flatMap((c) =>
      [
        [0, 0],
        [0.3, 0.1],
        [1, 0.1],
      ].map(([share = 0, smoothing = 0]) => ({
        about: `a share of ${share} ignored`,
        inputs: {
          logits: logits([2, 13, 11, c]),
          label: share === 1 ? labels([2, 13, 11], c, { index: IGNORED, share }) : wild([2, 13, 11], c, share),
          weight: noise([c], { centre: 1.1 }),
        },
        attrs: { ignoreIndex: IGNORED, smoothing },
      })),
    ),
  }),
  focalLoss: checkOf(focalLoss, {
    expected: focalLosses,
    constants: ["weight"],
    cases: CLASSES.flatMap((c) =>
      [
        [0, 2],
        [0.3, 0.5],
        [0.3, 0],
        [1, 2],
      ].map(([share = 0, gamma = 0]) => ({
        about: `gamma ${gamma}, a share of ${share} ignored`,
        inputs: {
          logits: logits([2, 13, 11, c]),
          label: share === 1 ? labels([2, 13, 11], c, { index: IGNORED, share }) : wild([2, 13, 11], c, share),
          weight: noise([c], { centre: 1.1 }),
        },
        attrs: { ignoreIndex: IGNORED, gamma },
      })),
    ),
  }),
  softDice: checkOf(softDice, {
    expected({ logits: x, label }, { smooth, ignoreIndex, first: scored = 0, alpha = 0.5, beta = 0.5, from = 0 }) {
      const { classes, lse, share } = shares(x);
      const [samples = 1] = x.shape;
      const pixels = label.data.length / samples;
      const sums = together([samples, 2, classes], () => {
        const all = new Float64Array(samples * 2 * classes);
        for (const [pixel, truth] of label.data.entries()) {
          if (!counts(truth, classes, ignoreIndex)) continue;
          const first = 2 * Math.floor(pixel / pixels) * classes;
          for (let c = 0; c < classes; c++) {
            const [p, y] = [share(pixel, c), truth === c ? 1 : 0];
            all[first + c] = at(all, first + c) + p * y;
            const sides = p * y + alpha * p * (1 - y) + beta * (1 - p) * y;
            all[first + classes + c] = at(all, first + classes + c) + 2 * sides;
          }
        }
        return all;
      });
      const score = (sample: number, c: number) =>
        (2 * sums.at(2 * sample * classes + c) + smooth) / (sums.at((2 * sample + 1) * classes + c) + smooth);
      const total = () => sum(samples, (n) => sum(classes - scored, (c) => score(n, scored + c)));
      return [
        { shape: [1], at: () => from - total() / (samples * (classes - scored)) },
        sums,
        { shape: label.shape, at: lse },
      ];
    },
    cases: CLASSES.flatMap((c) =>
      [
        { share: 0, first: 0 },
        { share: 0.3, first: 0 },
        { share: 0.3, first: 1 },
        { share: 0.3, first: 1, alpha: 0.3, beta: 0.9, from: 1 },
      ].map(({ share, ...attrs }) => ({
        about: `a share of ${share} ignored`,
        inputs: { logits: logits([2, 23, 17, c]), label: wild([2, 23, 17], c, share) },
        attrs: { smooth: 1, ignoreIndex: IGNORED, ...attrs },
      })),
    ),
  }),
  logOdds: checkOf(logOdds, {
    expected: ({ logits: x }) => {
      const classes = lastOf(x.shape);
      const own = classes - 1;
      const value = (index: number) => odds(x.data, classes, Math.floor(index / own), (index % own) + 1);
      return [{ shape: x.shape.with(-1, own), at: value }];
    },
    touches: ({ index, shapes, out }) => row(Math.floor(index / lastOf(shapes.logits)), lastOf(out)),
    cases: [8, 5, 2].map((c) => ({ inputs: { logits: logits([2, 13, 11, c]) } })),
    bench({ batch }) {
      const shape = [batch, 256, 256, 8];
      return [
        {
          row: "log-odds",
          detail: `[${shape.join(", ")}]`,
          inputs: { logits: shape },
          passes: [{ name: "backward", of: ["logits"] }],
        },
      ];
    },
  }),
  hardLabels: checkOf(hardLabels, {
    expected: ({ logits: x, label }, attrs) => [hardest(x, label, attrs)],
    cases: CLASSES.flatMap((c) =>
      [
        { threshold: 0.05, kept: 40 },
        { threshold: 1e-9, kept: 150 },
        { threshold: 1e-9, kept: 10_000 },
        { threshold: 0.9, kept: 0 },
      ].map((attrs) => ({
        inputs: { logits: logits([2, 13, 11, c]), label: wild([2, 13, 11], c, 0.2) },
        attrs: { ...attrs, ignoreIndex: IGNORED },
      })),
    ),
  }),
  argmaxLast: checkOf(argmaxLast, {
    expected: ({ x }) => [largestOf(x)],
    cases: [8, 5, 2].map((c) => ({
      about: "the first rows all alike",
      inputs: { x: changed(noise([2, 37, 29, c]), (v, i) => (i < 3 * c ? 1 : v)) },
    })),
  }),
  segmentationCounts: checkOf(segmentationCounts, {
    expected: ({ prediction, label }, { classes, ignoreIndex }) => [
      together([3, classes], () => {
        const all = new Float64Array(3 * classes);
        const count = (what: number, c: number) => {
          if (c < classes) all[what * classes + c] = at(all, what * classes + c) + 1;
        };
        for (const [pixel, truth] of label.data.entries()) {
          if (truth === ignoreIndex) continue;
          const said = at(prediction.data, pixel);
          if (said === truth) count(0, truth);
          count(1, said);
          count(2, truth);
        }
        return all;
      }),
    ],
    cases: (
      [
        [8, IGNORED],
        [5, IGNORED],
        [2, IGNORED],
        [5, 3],
      ] as const
    ).map(([classes, ignoreIndex]) => ({
      inputs: {
        prediction: labels([2, 37, 29], classes, { index: 0, share: 0.3 }),
        label: labels([2, 37, 29], classes, { index: ignoreIndex, share: 0.2 }),
      },
      attrs: { classes, ignoreIndex },
    })),
  }),
};
