import { multiply } from "../kernels/ops/arithmetic.ts";
import { attention } from "../kernels/ops/attention/attention.ts";
import { batchNormTrain, layerNorm } from "../kernels/ops/norm/norm.ts";
import { relu } from "../kernels/ops/pointwise.ts";
import { weightedSum } from "../kernels/ops/reduce/reduce.ts";
import { softmax } from "../kernels/ops/reduce/softmax.ts";
import { resizeBilinear } from "../kernels/ops/resize.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Values } from "../kernels/trace/op.ts";
import type { OpCase, Tensors } from "./op-case.ts";
import {
  attentionForward,
  attentionGradKV,
  attentionGradQ,
  bilinearSource,
  type Floats,
  type HeadView,
  moments,
  normGradX,
  type Stretch,
} from "./reference.ts";

const pick = (given: Tensors, name: string): Floats => given[name] ?? [];
const at = (data: Floats, i: number): number => data[i] ?? Number.NaN;

type Qkv = "q" | "k" | "v";

function attentionCase(lanes: number, tokens: number): OpCase<Qkv> {
  const heads = 1;
  const dim = 64;
  const width = heads * dim;
  const view = (given: Tensors, index: number) => {
    const feature = index % width;
    const token = Math.floor(index / width) % tokens;
    const first = Math.floor(index / width / tokens) * tokens * width;
    const head = Math.floor(feature / dim) * dim;
    const place = (t: number, d: number) => first + t * width + head + d;
    const of: HeadView = { q: pick(given, "q"), k: pick(given, "k"), v: pick(given, "v"), tokens, dim, place };
    return { of, token, feature: feature % dim };
  };
  return {
    name: "attention",
    detail: `${lanes} x ${tokens} tokens, ${heads} head of ${dim}`,
    inputs: { q: [lanes, tokens, width], k: [lanes, tokens, width], v: [lanes, tokens, width] },
    body: (graph: Graph, values: Values<Qkv>) => graph.apply(attention, values, { heads }),
    macs: 2 * lanes * heads * tokens * tokens * dim,
    expected(given, index) {
      const { of, token, feature } = view(given, index);
      return attentionForward(of, token, feature);
    },
    backward: [
      {
        name: "grad q",
        work: 1.5,
        expected: {
          q(given, index) {
            const { of, token, feature } = view(given, index);
            return attentionGradQ(of, pick(given, "upstream"), token, feature);
          },
        },
      },
      // Each of these samples walks all pairs of tokens.
      { name: "grad k, v", work: 2, samples: 4, expected: { k: keyGrad("k", view), v: keyGrad("v", view) } },
    ],
  };
}

type ViewOf = (given: Tensors, index: number) => { of: HeadView; token: number; feature: number };

function keyGrad(name: "k" | "v", view: ViewOf) {
  return (given: Tensors, index: number): number => {
    const { of, token, feature } = view(given, index);
    return attentionGradKV(of, pick(given, "upstream"), token, feature)[name];
  };
}

/** The separable attention of SvANet: one context vector a lane, by a softmax over its tokens, times the values. */
function separableCase(lanes: number, tokens: number): OpCase<Qkv> {
  const dim = 64;
  const context = (given: Tensors, lane: number, feature: number) => {
    const q = pick(given, "q");
    let total = 0;
    let sum = 0;
    for (let t = 0; t < tokens; t++) {
      const weight = Math.exp(at(q, lane * tokens + t));
      total += weight;
      sum += weight * at(pick(given, "k"), (lane * tokens + t) * dim + feature);
    }
    return sum / total;
  };
  const laneOf = (index: number) => Math.floor(index / dim / tokens);
  return {
    name: "separable attention",
    detail: `${lanes} x ${tokens} tokens, ${dim} wide`,
    inputs: { q: [lanes, tokens], k: [lanes, tokens, dim], v: [lanes, tokens, dim] },
    body(graph: Graph, { q, k, v }: Values<Qkv>) {
      const weights = graph.apply(softmax, { x: q }, {});
      const mixed = graph.view(graph.apply(weightedSum, { weights, x: k }, {}), [lanes, 1, dim]);
      return graph.apply(multiply, { x: graph.apply(relu, { x: v }, {}), y: mixed }, {});
    },
    expected: (given, i) => Math.max(at(pick(given, "v"), i), 0) * context(given, laneOf(i), i % dim),
    backward: [
      {
        name: "backward",
        expected: {
          v: (given, i) =>
            at(pick(given, "v"), i) > 0 ? at(pick(given, "upstream"), i) * context(given, laneOf(i), i % dim) : 0,
          k(given, index) {
            const lane = laneOf(index);
            const [q, up, v] = [pick(given, "q"), pick(given, "upstream"), pick(given, "v")];
            let total = 0;
            let sum = 0;
            for (let t = 0; t < tokens; t++) {
              const place = (lane * tokens + t) * dim + (index % dim);
              total += Math.exp(at(q, lane * tokens + t));
              sum += at(up, place) * Math.max(at(v, place), 0);
            }
            return (sum * Math.exp(at(q, Math.floor(index / dim)))) / total;
          },
        },
      },
    ],
  };
}

type NormInputs = "x" | "weight" | "bias";

/** A norm over stretches of `x`; `stretch(i)` is the one element `i` belongs to. */
function normCase(
  spec: Pick<OpCase<NormInputs>, "name" | "detail" | "body"> & {
    readonly shape: readonly number[];
    readonly channels: number;
    readonly eps: number;
    stretch(index: number): Stretch;
  },
): OpCase<NormInputs> {
  const { name, detail, body, shape, channels, eps } = spec;
  const hat = (x: Floats, i: number) => {
    const { start, step, count } = spec.stretch(i);
    const { mean, variance } = moments(x, start, step, count);
    return (at(x, i) - mean) / Math.sqrt(variance + eps);
  };
  return {
    name,
    detail,
    inputs: { x: shape, weight: [channels], bias: [channels] },
    body,
    expected: (given, i) =>
      hat(pick(given, "x"), i) * at(pick(given, "weight"), i % channels) + at(pick(given, "bias"), i % channels),
    backward: [
      {
        name: "backward",
        expected: {
          x: (given, i) => {
            const scaled = (j: number) => at(pick(given, "upstream"), j) * at(pick(given, "weight"), j % channels);
            return normGradX(pick(given, "x"), scaled, spec.stretch(i), i, eps);
          },
          bias(given, channel) {
            const up = pick(given, "upstream");
            let sum = 0;
            for (let i = channel; i < up.length; i += channels) sum += at(up, i);
            return sum;
          },
        },
      },
    ],
  };
}

function resizeCase(batch: number): OpCase<"x"> {
  const [side, channels, size] = [64, 64, 128];
  const map = (index: number) => {
    const c = index % channels;
    const ox = Math.floor(index / channels) % size;
    const oy = Math.floor(index / channels / size) % size;
    const n = Math.floor(index / channels / size / size);
    const [y0, y1, fy] = bilinearSource(oy, side, size, false);
    const [x0, x1, fx] = bilinearSource(ox, side, size, false);
    const place = (y: number, x: number) => ((n * side + y) * side + x) * channels + c;
    return [
      [place(y0, x0), (1 - fy) * (1 - fx)],
      [place(y0, x1), (1 - fy) * fx],
      [place(y1, x0), fy * (1 - fx)],
      [place(y1, x1), fy * fx],
    ] as const;
  };
  let gradient: Float64Array | null = null;
  return {
    name: "resize bilinear",
    detail: `[${batch}, ${side}, ${side}, ${channels}] -> ${size} x ${size}`,
    inputs: { x: [batch, side, side, channels] },
    body: (graph: Graph, { x }: Values<"x">) =>
      graph.apply(resizeBilinear, { x }, { height: size, width: size, alignCorners: false }),
    expected: (given, i) => map(i).reduce((sum, [place, share]) => sum + share * at(pick(given, "x"), place), 0),
    backward: [
      {
        name: "backward",
        expected: {
          x(given, index) {
            const up = pick(given, "upstream");
            if (!gradient) {
              gradient = new Float64Array(pick(given, "x").length);
              for (let i = 0; i < up.length; i++) {
                for (const [place, share] of map(i)) gradient[place] = (gradient[place] ?? 0) + share * at(up, i);
              }
            }
            return at(gradient, index);
          },
        },
      },
    ],
  };
}

/** Everything but contractions. */
export function otherCases(batch: number, tokens: number): OpCase[] {
  const [side, channels, rows, width] = [64, 64, 4096 * batch, 256];
  return [
    attentionCase(1, tokens),
    separableCase(4 * batch, 4096),
    normCase({
      name: "batch norm",
      detail: `[${4 * batch}, ${side}, ${side}, ${channels}]`,
      shape: [4 * batch, side, side, channels],
      channels,
      eps: 1e-3,
      body: (graph, values) => graph.apply(batchNormTrain, values, { eps: 1e-3 }),
      stretch: (i) => ({ start: i % channels, step: channels, count: 4 * batch * side * side }),
    }),
    normCase({
      name: "layer norm",
      detail: `[${rows}, ${width}]`,
      shape: [rows, width],
      channels: width,
      eps: 1e-5,
      body: (graph, values) => graph.apply(layerNorm, values, { eps: 1e-5 }),
      stretch: (i) => ({ start: i - (i % width), step: 1, count: width }),
    }),
    resizeCase(batch),
  ] as OpCase[];
}
