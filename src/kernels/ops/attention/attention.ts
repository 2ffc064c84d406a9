import { ShapeError } from "../../../errors.ts";
import { once } from "../../once.ts";
import { elementType, perInvocation, read, write } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { defineOp, FIRST_ORDER, NO_MACS } from "../../trace/op.ts";
import { type Shape, sameShape, sizeOf } from "../../trace/shape.ts";
import { attentionPass } from "./text.ts";

interface Heads {
  readonly heads: number;
}

interface Sizes {
  readonly lanes: number;
  readonly tokens: number;
  readonly heads: number;
  readonly dim: number;
}

function sizesOf(op: string, shapes: { readonly [name: string]: Shape }, { heads }: Heads): Sizes {
  const [[lanes, tokens, features] = []] = Object.values(shapes);
  const equal = Object.values(shapes).every((shape, _, [first = []]) => shape.length === 3 && sameShape(shape, first));
  if (!equal || !lanes || !tokens || !features || features % heads !== 0) {
    const all = Object.entries(shapes).map(([name, shape]) => `${name} [${shape}]`);
    throw new ShapeError(`${op}: ${all.join(", ")} must all be [lanes, tokens, ${heads} heads * dim]`);
  }
  return { lanes, tokens, heads, dim: features / heads };
}

const pairs = ({ lanes, heads, tokens, dim }: Sizes): number => lanes * heads * tokens * tokens * dim;

/** Sum over the features of a head of `grad * out`: [lanes, heads, tokens]. */
const attentionDelta = defineOp<Heads>()({
  name: "attentionDelta",
  inputs: ["grad", "out"],
  shape({ grad, out }, attrs) {
    const { lanes, heads, tokens } = sizesOf("attentionDelta", { grad, out }, attrs);
    return [lanes, heads, tokens];
  },
  lower({ inputs: { grad, out: result }, out, attrs, target }) {
    const { heads, tokens, dim } = sizesOf("attentionDelta", { grad: grad.shape }, attrs);
    const wide = dim % 4 === 0;
    return [
      perInvocation({
        label: "attentionDelta",
        target,
        count: sizeOf(out.shape),
        type: elementType(wide),
        tensors: { grad: read(grad, wide), result: read(result, wide), out: write(out) },
        sizes: { heads, tokens, width: wide ? dim / 4 : dim },
        body: `  let lane_head = i / args.tokens;
  let row = (lane_head / args.heads) * args.tokens + i % args.tokens;
  let base = (row * args.heads + lane_head % args.heads) * args.width;
  var sum = T(0.0);
  for (var d = 0u; d < args.width; d++) { sum += grad_at(base + d) * result_at(base + d); }
  out_set(i, ${wide ? "(sum.x + sum.y) + (sum.z + sum.w)" : "sum"});`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "reads",
  derivative: FIRST_ORDER,
});

const attentionQueryGrad = defineOp<Heads>()({
  name: "attentionQueryGrad",
  inputs: ["q", "k", "v", "grad", "lse", "delta"],
  shape({ q, k, v, grad }, attrs) {
    sizesOf("attentionQueryGrad", { q, k, v, grad }, attrs);
    return q;
  },
  lower: ({ inputs: { q, k, v, grad, lse, delta }, out, attrs, target }) =>
    attentionPass({
      label: "attentionQueryGrad",
      target,
      ...sizesOf("attentionQueryGrad", { q: q.shape }, attrs),
      own: { q, grad },
      ownScalars: { lse, delta },
      other: { k, v },
      otherScalars: {},
      scaled: "q",
      products: { s: ["q", "k"], t: ["grad", "v"] },
      weights: { w: (at) => `exp(${at("s")} - ${at("lse")}) * (${at("t")} - ${at("delta")})` },
      sums: { out: { value: out, weight: "w", rows: "k", scaled: true } },
    }),
  macs: ({ q }, _out, attrs) => 3 * pairs(sizesOf("attentionQueryGrad", { q }, attrs)),
  cost: { macs: "activations" },
  half: "computes",
  derivative: FIRST_ORDER,
});

/** The gradients of keys and, as extra output, values. */
const attentionKeyGrad = defineOp<Heads>()({
  name: "attentionKeyGrad",
  inputs: ["q", "k", "v", "grad", "lse", "delta"],
  shape({ q, k, v, grad }, attrs) {
    sizesOf("attentionKeyGrad", { q, k, v, grad }, attrs);
    return k;
  },
  extra: ({ v }) => [v],
  lower: ({ inputs: { q, k, v, grad, lse, delta }, out, extra: [values = out], attrs, target }) =>
    attentionPass({
      label: "attentionKeyGrad",
      target,
      ...sizesOf("attentionKeyGrad", { q: q.shape }, attrs),
      own: { k, v },
      ownScalars: {},
      other: { q, grad },
      otherScalars: { lse, delta },
      scaled: "k",
      products: { s: ["k", "q"], t: ["v", "grad"] },
      weights: {
        p: (at) => `exp(${at("s")} - ${at("lse")})`,
        w: (at) => `${at("p")} * (${at("t")} - ${at("delta")})`,
      },
      sums: {
        out: { value: out, weight: "w", rows: "q", scaled: true },
        values: { value: values, weight: "p", rows: "grad", scaled: false },
      },
    }),
  macs: ({ q }, _out, attrs) => 4 * pairs(sizesOf("attentionKeyGrad", { q }, attrs)),
  cost: { macs: "activations" },
  half: "computes",
  derivative: FIRST_ORDER,
});

/**
 * `softmax(q k^T / sqrt(dim)) v` for every lane and head, in one walk over the keys with a running maximum, so that
 * memory grows with the tokens and not with their square. The extra output [lanes, heads, tokens] is the log of the
 * sum of exponentials, from which the gradients recompute the weights.
 */
export const attention = defineOp<Heads>()({
  name: "attention",
  inputs: ["q", "k", "v"],
  shape({ q, k, v }, attrs) {
    sizesOf("attention", { q, k, v }, attrs);
    return q;
  },
  extra({ q }, attrs) {
    const { lanes, heads, tokens } = sizesOf("attention", { q }, attrs);
    return [[lanes, heads, tokens]];
  },
  lower: ({ inputs: { q, k, v }, out, extra: [lse = out], attrs, target }) =>
    attentionPass({
      label: "attention",
      target,
      ...sizesOf("attention", { q: q.shape }, attrs),
      own: { q },
      ownScalars: {},
      other: { k, v },
      otherScalars: {},
      scaled: "q",
      products: { s: ["q", "k"] },
      weights: "softmax",
      sums: { out: { value: out, weight: "p", rows: "v", scaled: false } },
      logSum: lse,
    }),
  macs: ({ q }, _out, attrs) => 2 * pairs(sizesOf("attention", { q }, attrs)),
  cost: { macs: "activations" },
  half: "computes",
  derivative: {
    saves: ["q", "k", "v", "out", "extra0"],
    backward(grad, { q, k, v, out, extra0: lse }, { attrs, exec }) {
      const delta = once(() => exec.apply(attentionDelta, { grad, out }, attrs));
      const keys = once(() => exec.applyAll(attentionKeyGrad, { q, k, v, grad, lse, delta: delta() }, attrs));
      return {
        q: () => exec.apply(attentionQueryGrad, { q, k, v, grad, lse, delta: delta() }, attrs),
        k: () => keys()[0],
        v: () => keys()[1] ?? keys()[0],
      };
    },
  },
});
