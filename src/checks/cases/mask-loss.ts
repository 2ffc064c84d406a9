import { binaryCrossEntropy } from "../../kernels/ops/loss/binary-loss.ts";
import { boundaryEmphasis, classMasks } from "../../kernels/ops/loss/class-masks.ts";
import { bceDiceLoss, structureLoss } from "../../kernels/ops/loss/region-loss.ts";
import type { Shape } from "../../kernels/trace/shape.ts";
import { checkOf } from "../check.ts";
import { changed, type Drawn, labels, noise } from "../draw.ts";
import { at, type Elements, elements, kept, placeOf, sum, type Tensor, together } from "../tensor.ts";

const IGNORED = 255;
const CHANNELS = [8, 5];

/** The cross-entropy of sigmoid(v) with what is wanted. */
const entropy = (v: number, wanted: number): number => Math.max(v, 0) - v * wanted + Math.log1p(Math.exp(-Math.abs(v)));
const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));

/** Shares between 0 and 1 of which every fifth does not count, as masks of images or soft targets have it. */
const truths = (shape: Shape): Drawn => changed(noise(shape), (v, i) => (i % 5 === 0 ? -1 : Math.abs(v)));

/** Masks as classMasks makes them: of the last sample nothing counts. */
function masks(shape: Shape): Drawn {
  const [n = 1] = shape;
  const sample = (i: number) => placeOf(shape, i)[0] ?? 0;
  return changed(noise(shape), (v, i) => (v < -0.8 || (n > 2 && sample(i) === n - 1) ? -1 : v > 0 ? 1 : 0));
}

/**
 * The sums of a binary loss over the pixels of every sample and channel, `[n, 4, c]`: entropy, weight, w p m and w (p + m);
 * the loss is the mean entropy plus 1 minus the overlap, averaged.
 */
export function regionLoss(logits: Tensor, truth: Tensor, weight: (index: number) => number, gain: 1 | 2): Elements[] {
  const [n = 1, h = 1, w = 1, c = 1] = logits.shape;
  const sums = together([n, 4, c], () => {
    const all = new Float64Array(4 * n * c);
    for (const [index, wanted] of truth.data.entries()) {
      if (wanted < 0) continue;
      const [v, own] = [at(logits.data, index), weight(index)];
      const p = sigmoid(v);
      for (const [part, value] of [entropy(v, wanted), 1, p * wanted, p + wanted].entries()) {
        const place = (4 * Math.floor(index / (h * w * c)) + part) * c + (index % c);
        all[place] = at(all, place) + own * value;
      }
    }
    return all;
  });
  const loss = (sample: number, channel: number) => {
    const [bits = 0, all = 0, both = 0, either = 0] = [0, 1, 2, 3].map((part) =>
      sums.at((4 * sample + part) * c + channel),
    );
    return bits / Math.max(all, 1) + 1 - (gain * both + 1) / (either - (2 - gain) * both + 1);
  };
  return [{ shape: [1], at: () => sum(n, (s) => sum(c, (channel) => loss(s, channel))) / (n * c) }, sums];
}

/** 1 + strength |mean of the window - mask|; where the mask is below zero 0, and 0 is what windows see there. */
export function emphasised(truth: Tensor, { reach, strength }: { readonly reach: number; readonly strength: number }) {
  const [, h = 1, w = 1, c = 1] = truth.shape;
  const side = 2 * reach + 1;
  /** The sum of a row of the window, as windows above one another share it. */
  const across = kept((index) => {
    const [n = 0, y = 0, x = 0, channel = 0] = placeOf(truth.shape, index);
    const [first, last] = [Math.max(0, x - reach), Math.min(w - 1, x + reach)];
    return sum(last - first + 1, (i) => Math.max(0, at(truth.data, ((n * h + y) * w + first + i) * c + channel)));
  });
  return elements(truth.shape, ([n = 0, y = 0, x = 0, channel = 0], index) => {
    const mask = at(truth.data, index);
    if (mask < 0) return 0;
    const [first, last] = [Math.max(0, y - reach), Math.min(h - 1, y + reach)];
    const around = sum(last - first + 1, (i) => across(((n * h + first + i) * w + x) * c + channel));
    return 1 + strength * Math.abs(around / side ** 2 - mask);
  });
}

const REGIONS: readonly Shape[] = [
  [3, 13, 11, 8],
  [2, 29, 23, 5],
  [1, 6, 4, 1],
];

export const MASK_LOSS = {
  binaryCrossEntropy: checkOf(binaryCrossEntropy, {
    expected({ logits, truth }) {
      const totals = together([2], () => {
        const counted = [...truth.data.entries()].filter(([, wanted]) => wanted >= 0);
        return [counted.reduce((all, [i, wanted]) => all + entropy(at(logits.data, i), wanted), 0), counted.length];
      });
      return [{ shape: [1], at: () => totals.at(0) / Math.max(totals.at(1), 1) }, totals];
    },
    constants: ["truth"],
    cases: [
      { inputs: { logits: noise([1, 3001, 1, 1], { scale: 6 }), truth: truths([1, 3001, 1, 1]) } },
      { inputs: { logits: noise([2, 13, 11, 8], { scale: 6 }), truth: truths([2, 13, 11, 8]) } },
      {
        about: "logits far from 0",
        inputs: {
          logits: changed(noise([7, 5]), (v, i) => (i % 3 === 0 ? v : 95 * Math.sign(v))),
          truth: truths([7, 5]),
        },
      },
      { about: "nothing counts", inputs: { logits: [3, 3], truth: changed(noise([3, 3]), () => -1) } },
    ],
  }),
  classMasks: checkOf(classMasks, {
    expected({ label }, { classes, ignoreIndex }) {
      const channels = Math.max(1, classes - 1);
      const value = (index: number) => {
        const truth = at(label.data, Math.floor(index / channels));
        if (truth === ignoreIndex || truth < 0 || (classes > 1 && truth >= classes)) return -1;
        return (classes === 1 ? truth > 0 : truth === (index % channels) + 1) ? 1 : 0;
      };
      return [{ shape: [...label.shape, channels], at: value }];
    },
    cases: [8, 5, 2, 1].map((classes) => ({
      inputs: {
        label: changed(labels([2, 13, 11], Math.max(classes, 3), { index: IGNORED, share: 0.2 }), (v, i) =>
          i % 31 === 7 ? -3 : i % 31 === 8 ? 9 : v,
        ),
      },
      attrs: { classes, ignoreIndex: IGNORED },
    })),
  }),
  boundaryEmphasis: checkOf(boundaryEmphasis, {
    expected: ({ truth }, attrs) => [emphasised(truth, attrs)],
    cases: CHANNELS.flatMap((c) => [
      { inputs: { truth: masks([3, 17, 37, c]) }, attrs: { reach: 15, strength: 5 } },
      { inputs: { truth: masks([2, 11, 5, c]) }, attrs: { reach: 2, strength: 3 } },
    ]),
  }),
  structureLoss: checkOf(structureLoss, {
    expected: ({ logits, truth, emphasis }) => regionLoss(logits, truth, (i) => at(emphasis.data, i), 1),
    constants: ["truth", "emphasis"],
    cases: REGIONS.map((shape) => ({
      inputs: {
        logits: noise(shape, { scale: 4 }),
        truth: masks(shape),
        emphasis: noise(shape, { scale: 2, centre: 3 }),
      },
    })),
  }),
  bceDiceLoss: checkOf(bceDiceLoss, {
    expected: ({ logits, truth }) => regionLoss(logits, truth, () => 1, 2),
    constants: ["truth"],
    cases: REGIONS.map((shape) => ({ inputs: { logits: noise(shape, { scale: 4 }), truth: masks(shape) } })),
  }),
};
