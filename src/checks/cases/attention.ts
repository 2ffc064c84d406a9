import { attention } from "../../kernels/ops/attention/attention.ts";
import type { Shape } from "../../kernels/trace/shape.ts";
import { checkOf } from "../check.ts";
import { type Drawn, noise } from "../draw.ts";
import { at, type Elements, kept, sum, type Tensors, within } from "../tensor.ts";

/**
 * `softmax(q k^T / sqrt(dim)) v` of every lane and head of `[lanes, tokens, heads * dim]`, and the log of each row's sum of
 * exponentials, `[lanes, heads, tokens]`. The rows asked for are kept, so walk through a large tensor row by row.
 */
export function attended({ q, k, v }: Tensors<"q" | "k" | "v">, { heads }: { readonly heads: number }): Elements[] {
  const [lanes = 1, tokens = 1, features = 1] = q.shape;
  const dim = features / heads;
  const place = (lane: number, token: number, head: number) => (lane * tokens + token) * features + head * dim;
  /** Weights of row `token` and its log-sum-exp; rows are numbered as the log-sum-exps lie. */
  const rowOf = kept((number) => {
    const [token, head] = [number % tokens, Math.floor(number / tokens) % heads];
    const lane = Math.floor(number / tokens / heads);
    const own = place(lane, token, head);
    const scores = Float64Array.from({ length: tokens }, (_, j) => {
      const other = place(lane, j, head);
      return sum(dim, (d) => at(q.data, own + d) * at(k.data, other + d)) / Math.sqrt(dim);
    });
    const highest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const total = scores.reduce((all, score) => all + Math.exp(score - highest), 0);
    const lse = highest + Math.log(total);
    return { weights: scores.map((score) => Math.exp(score - lse)), lse };
  });
  const out = (index: number) => {
    const [feature, token] = [index % features, Math.floor(index / features) % tokens];
    const [lane, head] = [Math.floor(index / features / tokens), Math.floor(feature / dim)];
    const { weights } = rowOf((lane * heads + head) * tokens + token);
    return sum(tokens, (j) => at(weights, j) * at(v.data, place(lane, j, head) + (feature % dim)));
  };
  return [
    { shape: q.shape, at: out },
    { shape: [lanes, heads, tokens], at: (index) => rowOf(index).lse },
  ];
}

const qkv = (shape: Shape, scale = 2.5): { readonly [P in "q" | "k" | "v"]: Drawn } => ({
  q: noise(shape, { scale }),
  k: noise(shape, { scale }),
  v: noise(shape, { scale: 2.5 }),
});

/** Lanes, tokens, heads and features of a head: tokens beside a multiple of the 64 rows of a tile. */
const SIZES = [
  [1, 1, 1, 4],
  [2, 67, 2, 4],
  [2, 13, 2, 3],
  [1, 131, 1, 8],
  [2, 37, 2, 36],
  [1, 21, 2, 65],
  [1, 21, 1, 128],
] as const;

export const ATTENTION = {
  attention: checkOf(attention, {
    expected: attended,
    touches({ input, index, shapes, out, attrs: { heads } }) {
      const [, tokens = 1, features = 1] = shapes.q;
      const dim = features / heads;
      const head = Math.floor((index % features) / dim);
      const [token, lane] = [Math.floor(index / features) % tokens, Math.floor(index / features / tokens)];
      return within(out, [
        [lane, lane + 1],
        input === "q" ? [token, token + 1] : [0, tokens],
        [head * dim, (head + 1) * dim],
      ]);
    },
    cases: [
      ...SIZES.map(([lanes, tokens, heads, dim]) => ({
        inputs: qkv([lanes, tokens, heads * dim]),
        attrs: { heads },
      })),
      {
        about: "scores of a thousand, whose rounding in float32 is 1e-4, and so is that of the weights",
        inputs: qkv([1, 9, 4], 60),
        attrs: { heads: 1 },
        tolerance: 2e-3,
      },
    ],
    bench({ software }) {
      const [tokens, dim] = [software ? 1024 : 4096, 64];
      const shape = [1, tokens, dim];
      return [
        {
          row: "attention",
          detail: `1 x ${tokens} tokens, 1 head of ${dim}`,
          inputs: { q: shape, k: shape, v: shape },
          attrs: { heads: 1 },
          arithmetic: true,
          // Each of the latter samples walks all pairs of tokens.
          passes: [
            { name: "grad q", of: ["q"] },
            { name: "grad k, v", of: ["k", "v"], samples: 2 },
          ],
        },
      ];
    },
  }),
};
