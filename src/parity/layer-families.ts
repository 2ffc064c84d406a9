import { multiply } from "../kernels/ops/arithmetic.ts";
import { attention } from "../kernels/ops/attention/attention.ts";
import { conv2d, convTranspose2d } from "../kernels/ops/contraction/conv.ts";
import { linear } from "../kernels/ops/contraction/linear.ts";
import { pad2d } from "../kernels/ops/frame.ts";
import { leakyRelu } from "../kernels/ops/leaky-relu.ts";
import { binaryCrossEntropy } from "../kernels/ops/loss/binary-loss.ts";
import { instanceNorm } from "../kernels/ops/norm/instance-norm.ts";
import { relu } from "../kernels/ops/pointwise.ts";
import { averagePool2d } from "../kernels/ops/pool/average-pool.ts";
import { weightedSum } from "../kernels/ops/reduce/reduce.ts";
import { softmax } from "../kernels/ops/reduce/softmax.ts";
import type { Attributes } from "./attributes.ts";
import { type FixtureCase, FixtureError } from "./fixture.ts";
import { biased, CHANNELS, callOf, type GoldenCall, type Layout, PLAIN, valuesNamed } from "./golden-call.ts";

/** The side a case states must be that of its weights `[k, c, r, s]`. */
function checkKernel(golden: FixtureCase): void {
  const kernel = golden.attributes.integer("kernel");
  const { shape } = golden.float("weight");
  if (shape[2] !== kernel || shape[3] !== kernel) {
    throw new FixtureError(`attribute "kernel" is ${kernel}, but the weights are [${shape}]`);
  }
}

/** One number an axis. */
function pairOf(attributes: Attributes, key: string): readonly [number, number] {
  const [down, across, ...rest] = attributes.numbers(key);
  if (down === undefined || across === undefined || rest.length > 0) {
    throw new FixtureError(`attribute "${key}" should be one number an axis, two in all`);
  }
  return [down, across];
}

export function conv2dCall(golden: FixtureCase): GoldenCall {
  const { attributes } = golden;
  checkKernel(golden);
  const attrs = {
    stride: attributes.integer("stride"),
    padding: attributes.integer("padding"),
    dilation: attributes.integer("dilation"),
    groups: attributes.integer("groups"),
  };
  return biased(callOf(conv2d, attrs));
}

export function convTranspose2dCall(golden: FixtureCase): GoldenCall {
  const { attributes } = golden;
  checkKernel(golden);
  const attrs = {
    stride: attributes.integer("stride"),
    padding: attributes.integer("padding"),
    outputPadding: attributes.integer("output_padding"),
  };
  return biased(callOf(convTranspose2d, attrs));
}

export const linearCall = (): GoldenCall => biased(callOf(linear, {}));

export function attentionCall({ attributes }: FixtureCase): GoldenCall {
  if (attributes.choice("op", ["softmax_attention", "linear_attention"]) === "linear_attention") {
    return linearAttentionCall(attributes);
  }
  attributes.choice("layout", ["lane, head, token, feature"]);
  const [heads, tokens, dim] = ["heads", "tokens", "head_dim"].map((name) => attributes.integer(name));
  if (!heads || !tokens || !dim) throw new FixtureError("heads, tokens and features must be at least one");
  const scale = attributes.number("scale");
  if (Math.abs(scale * Math.sqrt(dim) - 1) > 1e-12) {
    throw new FixtureError(`attribute "scale" should be 1 / sqrt(${dim}), not ${scale}`);
  }
  return callOf(attention, { heads }, { layout: headsLayout(heads, tokens, dim) });
}

/** [lane, head, token, feature] there, [lane, token, head and feature] here. */
function headsLayout(heads: number, tokens: number, dim: number): Layout {
  const swap = (data: Float32Array, rows: number, columns: number): Float32Array => {
    const out = new Float32Array(data.length);
    for (let i = 0; i < data.length / dim; i++) {
      const row = Math.floor(i / columns) % rows;
      const to = (Math.floor(i / (rows * columns)) * columns + (i % columns)) * rows + row;
      out.set(data.subarray(i * dim, (i + 1) * dim), to * dim);
    }
    return out;
  };
  return {
    give({ name, shape, data }) {
      const [lanes = 0, ...rest] = shape;
      if (rest.join() !== [heads, tokens, dim].join()) {
        throw new FixtureError(`tensor "${name}" is [${shape}], which its case's attributes contradict`);
      }
      return { shape: [lanes, tokens, heads * dim], data: swap(Float32Array.from(data), heads, tokens) };
    },
    back: ([lanes = 0], data) => ({ shape: [lanes, heads, tokens, dim], data: swap(data, tokens, heads) }),
  };
}

/** relu(v) times the context: the sum of k over the patches, weighted by the softmax of q. */
function linearAttentionCall(attributes: Attributes): GoldenCall {
  attributes.choice("layout", ["batch, channel, position, patch"]);
  const stated = ["positions", "patches", "channels"].map((name) => attributes.integer(name));
  return {
    inputs: ["q", "k", "v"],
    body(graph, values) {
      const { q, k, v } = valuesNamed(values, ["q", "k", "v"]);
      const [b = 0, ...extents] = v.shape;
      const [p = 0, n = 0, c = 0] = extents;
      if (extents.join() !== stated.join()) {
        throw new FixtureError(`v is [${v.shape}] channels last, which the case's attributes contradict`);
      }
      const weights = graph.apply(softmax, { x: graph.view(q, [b * p, n]) }, {});
      const summed = graph.apply(weightedSum, { weights, x: graph.view(k, [b * p, n, c]) }, {});
      return graph.apply(multiply, { x: graph.apply(relu, { x: v }, {}), y: graph.view(summed, [b, p, 1, c]) }, {});
    },
  };
}

export function softmaxCall({ attributes }: FixtureCase): GoldenCall {
  attributes.choice("op", ["softmax"]);
  return callOf(
    softmax,
    {},
    { layout: attributes.choice("axis", ["last", "channel"]) === "channel" ? CHANNELS : PLAIN },
  );
}

/** The ops that only the comparison networks use. */
const COMPARISON = {
  leaky_relu: ({ attributes }) => callOf(leakyRelu, { slope: attributes.number("slope") }),
  instance_norm: ({ attributes }) => callOf(instanceNorm, { eps: attributes.number("eps") }),
  average_pool: ({ attributes }) =>
    callOf(averagePool2d, {
      kernel: attributes.integer("kernel"),
      stride: attributes.integer("stride"),
      padding: attributes.integer("padding"),
      ceil: attributes.flag("ceil"),
      countPadding: attributes.flag("count_padding"),
    }),
  conv({ attributes }) {
    const stride = attributes.has("stride") ? pairOf(attributes, "stride") : 1;
    return callOf(conv2d, { stride, padding: pairOf(attributes, "padding"), dilation: 1, groups: 1 });
  },
  conv_transpose: ({ attributes }) =>
    callOf(convTranspose2d, { stride: pairOf(attributes, "stride"), padding: 0, outputPadding: 0 }),
  pad: ({ attributes }) =>
    callOf(pad2d, {
      top: attributes.number("top"),
      bottom: attributes.number("bottom"),
      left: attributes.number("left"),
      right: attributes.number("right"),
    }),
  binary_cross_entropy: (golden) =>
    callOf(binaryCrossEntropy, {}, { constants: { truth: CHANNELS.give(golden.float("truth")) } }),
} satisfies Record<string, (golden: FixtureCase) => GoldenCall>;

export function comparisonCall(golden: FixtureCase): GoldenCall {
  const name = golden.attributes.choice("op", Object.keys(COMPARISON) as (keyof typeof COMPARISON)[]);
  return COMPARISON[name](golden);
}
