import { boundaryEmphasis } from "../kernels/ops/loss/class-masks.ts";
import { hardLabels } from "../kernels/ops/loss/hard-labels.ts";
import { logOdds } from "../kernels/ops/loss/log-odds.ts";
import { argmaxLast, crossEntropy } from "../kernels/ops/loss/loss.ts";
import { structureLoss } from "../kernels/ops/loss/region-loss.ts";
import { sigmoid } from "../kernels/ops/pointwise.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Values } from "../kernels/trace/op.ts";
import type { OpCase, Tensors } from "./op-case.ts";
import type { Floats } from "./reference.ts";

const pick = (given: Tensors, name: string): Floats => given[name] ?? [];
const at = (data: Floats, i: number): number => data[i] ?? Number.NaN;

const CLASSES = 8;
const SIDE = 256;

/** Class `c` of a row of logits against the others. */
function odds(x: Floats, row: number, c: number): number {
  let others = 0;
  for (let j = 0; j < CLASSES; j++) if (j !== c) others += Math.exp(at(x, row * CLASSES + j));
  return at(x, row * CLASSES + c) - Math.log(others);
}

function oddsCase(batch: number): OpCase<"x"> {
  const channels = CLASSES - 1;
  return {
    name: "log-odds",
    detail: `[${batch}, ${SIDE}, ${SIDE}, ${CLASSES}]`,
    inputs: { x: [batch, SIDE, SIDE, CLASSES] },
    body: (graph: Graph, { x }: Values<"x">) => graph.apply(logOdds, { logits: x }, {}),
    expected: (given, i) => odds(pick(given, "x"), Math.floor(i / channels), (i % channels) + 1),
    backward: [
      {
        name: "backward",
        expected: {
          x(given, index) {
            const [x, row, j] = [pick(given, "x"), Math.floor(index / CLASSES), index % CLASSES];
            let slope = 0;
            for (let c = 1; c < CLASSES; c++) {
              const up = at(pick(given, "upstream"), row * channels + c - 1);
              const others = Math.exp(at(x, row * CLASSES + c) - odds(x, row, c));
              slope += c === j ? up : (-up * Math.exp(at(x, index))) / others;
            }
            return slope;
          },
        },
      },
    ],
  };
}

const REACH = 15;

/** Sums of square windows, by a table of sums from the corner. */
function windowSums(mask: Floats): (i: number) => number {
  const table = new Float64Array((SIDE + 1) ** 2);
  const corner = (y: number, x: number) => at(table, y * (SIDE + 1) + x);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const above = corner(y, x + 1) - corner(y, x);
      table[(y + 1) * (SIDE + 1) + x + 1] = corner(y + 1, x) + above + Math.max(0, at(mask, y * SIDE + x));
    }
  }
  return (i) => {
    const [y, x] = [Math.floor(i / SIDE), i % SIDE];
    const [top, left] = [Math.max(0, y - REACH), Math.max(0, x - REACH)];
    const [bottom, right] = [Math.min(SIDE, y + REACH + 1), Math.min(SIDE, x + REACH + 1)];
    return corner(bottom, right) - corner(top, right) - corner(bottom, left) + corner(top, left);
  };
}

interface Region {
  readonly weight: Floats;
  readonly weights: number;
  readonly shared: number;
  readonly whole: number;
  readonly value: number;
}

/** The structure loss of one image and its parts; truth below zero does not count, and may be anything above. */
function region(logits: Floats, truth: Floats): Region {
  const around = windowSums(truth);
  const weight = Float64Array.from(truth, (m, i) => (m < 0 ? 0 : 1 + 5 * Math.abs(around(i) / 31 ** 2 - m)));
  let [entropy, weights, hits, both] = [0, 0, 0, 0];
  for (let i = 0; i < truth.length; i++) {
    const [v, m, w] = [at(logits, i), Math.max(0, at(truth, i)), at(weight, i)];
    const p = 1 / (1 + Math.exp(-v));
    entropy += w * (Math.log1p(Math.exp(v)) - v * m);
    weights += w;
    hits += w * p * m;
    both += w * (p + m);
  }
  const [shared, whole] = [hits + 1, both - hits + 1];
  return { weight, weights, shared, whole, value: entropy / weights + 1 - shared / whole };
}

function structureCase(batch: number): OpCase<"logits" | "truth"> {
  const pixels = SIDE * SIDE;
  const image = (data: Floats, n: number) => Float64Array.from({ length: pixels }, (_, i) => at(data, n * pixels + i));
  const found = new Map<number, Region>();
  const of = (given: Tensors, n: number) => {
    const made = found.get(n) ?? region(image(pick(given, "logits"), n), image(pick(given, "truth"), n));
    found.set(n, made);
    return made;
  };
  return {
    name: "structure loss",
    detail: `[${batch}, ${SIDE}, ${SIDE}, 1], windows of 31 x 31`,
    inputs: { logits: [batch, SIDE, SIDE, 1], truth: [batch, SIDE, SIDE, 1] },
    body(graph: Graph, { logits, truth }: Values<"logits" | "truth">) {
      const emphasis = graph.apply(boundaryEmphasis, { truth }, { reach: REACH, strength: 5 });
      return graph.apply(structureLoss, { logits, truth, emphasis }, {});
    },
    expected: (given) => Array.from({ length: batch }, (_, n) => of(given, n).value / batch).reduce((a, b) => a + b, 0),
    backward: [
      {
        name: "backward",
        expected: {
          logits(given, index) {
            const m = at(pick(given, "truth"), index);
            if (m < 0) return 0;
            const { weight, weights, shared, whole } = of(given, Math.floor(index / pixels));
            const p = 1 / (1 + Math.exp(-at(pick(given, "logits"), index)));
            const byP = ((shared / whole) * (1 - m) - m) / whole;
            const slope = (p - m) / weights + byP * p * (1 - p);
            return (at(pick(given, "upstream"), 0) * at(weight, index % pixels) * slope) / batch;
          },
        },
      },
    ],
  };
}

/** OHEM's choice of the hardest half and the cross-entropy of what is left; the labels are another map's classes. */
function hardCase(batch: number): OpCase<"logits" | "classes" | "weight"> {
  const shape = [batch, SIDE, SIDE, CLASSES];
  const kept = (batch * SIDE * SIDE) / 2;
  return {
    name: "OHEM cross-entropy",
    detail: `[${shape.join(", ")}], half of the pixels kept`,
    inputs: { logits: shape, classes: shape, weight: [CLASSES] },
    body(graph: Graph, { logits, classes, weight }: Values<"logits" | "classes" | "weight">) {
      const label = graph.apply(argmaxLast, { x: classes }, {});
      const hard = graph.apply(hardLabels, { logits, label }, { threshold: 1e-9, kept, ignoreIndex: 255 });
      const positive = graph.apply(sigmoid, { x: weight }, {});
      return graph.apply(crossEntropy, { logits, label: hard, weight: positive }, { ignoreIndex: 255, smoothing: 0 });
    },
    expected(given) {
      const [logits, classes] = [pick(given, "logits"), pick(given, "classes")];
      const weight = Float64Array.from(pick(given, "weight"), (v) => 1 / (1 + Math.exp(-v)));
      const pixels = Array.from({ length: batch * SIDE * SIDE }, (_, row) => {
        const own = Array.from({ length: CLASSES }, (_unused, c) => at(classes, row * CLASSES + c));
        const label = own.indexOf(Math.max(...own));
        return { label, loss: Math.log1p(Math.exp(-odds(logits, row, label))) };
      });
      const hardest = pixels.sort((a, b) => b.loss - a.loss).slice(0, kept);
      const weights = hardest.reduce((sum, { label }) => sum + at(weight, label), 0);
      return hardest.reduce((sum, { label, loss }) => sum + at(weight, label) * loss, 0) / weights;
    },
    backward: [],
  };
}

/** Losses other than plain cross-entropy. */
export function lossCases(batch: number): OpCase[] {
  return [oddsCase(batch), structureCase(batch), hardCase(batch)] as OpCase[];
}
