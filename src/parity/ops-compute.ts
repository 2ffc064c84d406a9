import type { GivenTensor } from "../checks/evaluate.ts";
import { multiply } from "../kernels/ops/arithmetic.ts";
import { attention } from "../kernels/ops/attention/attention.ts";
import { addBias, conv2d, convTranspose2d, linear } from "../kernels/ops/contraction/conv.ts";
import { batchNormEval, batchNormTrain, layerNorm, updateRunning } from "../kernels/ops/norm/norm.ts";
import { relu } from "../kernels/ops/pointwise.ts";
import { weightedSum } from "../kernels/ops/reduce/reduce.ts";
import { softmax } from "../kernels/ops/reduce/softmax.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import { lastOf, type Shape, sizeOf } from "../kernels/trace/shape.ts";
import { FixtureError } from "./fixture.ts";
import { type CaseCheck, CHANNELS, checkGradients, type Layout, PLAIN, type Values, valueNamed } from "./op-case.ts";
import { runUpdate } from "./run-update.ts";
import { TOLERANCE } from "./tolerance.ts";

const WITH_BIAS = { inputs: ["x", "weight"], optional: ["bias"] };

const biased = (graph: Graph, values: Values, y: Value): Value =>
  values["bias"] ? graph.apply(addBias, { x: y, bias: values["bias"] }, {}) : y;

const xw = (values: Values) => ({ x: valueNamed(values, "x"), weight: valueNamed(values, "weight") });

/** The side a case states must be that of its weights. */
function checkKernel({ golden }: CaseCheck, weight: Shape): void {
  const kernel = golden.attributes.integer("kernel");
  if (weight[1] !== kernel || weight[2] !== kernel) {
    throw new FixtureError(`attribute "kernel" is ${kernel}, but the weights are [${weight}]`);
  }
}

export async function checkConv2d(check: CaseCheck): Promise<void> {
  const { attributes } = check.golden;
  const attrs = {
    stride: attributes.integer("stride"),
    padding: attributes.integer("padding"),
    dilation: attributes.integer("dilation"),
    groups: attributes.integer("groups"),
  };
  await checkGradients(check, WITH_BIAS, (graph, values) => {
    checkKernel(check, xw(values).weight.shape);
    return biased(graph, values, graph.apply(conv2d, xw(values), attrs));
  });
}

export async function checkConvTranspose2d(check: CaseCheck): Promise<void> {
  const { attributes } = check.golden;
  const attrs = {
    stride: attributes.integer("stride"),
    padding: attributes.integer("padding"),
    outputPadding: attributes.integer("output_padding"),
  };
  await checkGradients(check, WITH_BIAS, (graph, values) => {
    checkKernel(check, xw(values).weight.shape);
    return biased(graph, values, graph.apply(convTranspose2d, xw(values), attrs));
  });
}

export async function checkLinear(check: CaseCheck): Promise<void> {
  await checkGradients(check, WITH_BIAS, (graph, values) => biased(graph, values, graph.apply(linear, xw(values), {})));
}

export async function checkNormalisation(check: CaseCheck): Promise<void> {
  const { attributes } = check.golden;
  const op = attributes.choice("op", ["batch", "layer"]);
  const eps = attributes.number("eps");
  if (op === "batch") {
    const momentum = attributes.number("momentum");
    if (attributes.flag("training")) await checkBatchTrain(check, eps, momentum);
    else await checkBatchEval(check, eps);
    return;
  }
  attributes.choice("axis", ["last"]);
  await checkGradients(check, { inputs: ["x", "weight", "bias"], layout: PLAIN }, (graph, values) =>
    graph.apply(layerNorm, { ...xw(values), bias: valueNamed(values, "bias") }, { eps }),
  );
}

async function checkBatchTrain(check: CaseCheck, eps: number, momentum: number): Promise<void> {
  const { device, golden, report } = check;
  const { outputs } = await checkGradients(check, { inputs: ["x", "weight", "bias"] }, (graph, values) =>
    graph.applyAll(batchNormTrain, { ...xw(values), bias: valueNamed(values, "bias") }, { eps }),
  );
  const [out, statistics] = outputs;
  if (!out || !statistics) throw new Error("batch norm made no statistics");
  const count = sizeOf(out.shape) / lastOf(out.shape);
  const after = await runUpdate(
    device,
    {
      mean: golden.float("running_mean"),
      variance: golden.float("running_var"),
      statistics,
      control: { shape: [4], data: new Uint32Array(4) },
    },
    (graph, { mean, variance, statistics: batch, control }) =>
      graph.update(updateRunning, { mean, variance, statistics: batch, control }, { momentum, count }),
  );
  report.compare(golden.name, golden.float("running_mean_after"), after.mean, TOLERANCE.op);
  report.compare(golden.name, golden.float("running_var_after"), after.variance, TOLERANCE.op);
}

async function checkBatchEval(check: CaseCheck, eps: number): Promise<void> {
  const { golden, report } = check;
  const mean = golden.float("running_mean");
  const variance = golden.float("running_var");
  const spec = { inputs: ["x", "weight", "bias"], constants: { mean, variance } };
  await checkGradients(check, spec, (graph, values) => {
    const statistics = { mean: valueNamed(values, "mean"), variance: valueNamed(values, "variance") };
    return graph.apply(batchNormEval, { ...xw(values), bias: valueNamed(values, "bias"), ...statistics }, { eps });
  });
  // Evaluation leaves the running statistics alone, and so must the golden file.
  report.compare(golden.name, golden.float("running_mean_after"), mean, TOLERANCE.op);
  report.compare(golden.name, golden.float("running_var_after"), variance, TOLERANCE.op);
}

export async function checkAttention(check: CaseCheck): Promise<void> {
  const { attributes } = check.golden;
  if (attributes.choice("op", ["softmax_attention", "linear_attention"]) === "linear_attention") {
    await checkLinearAttention(check);
    return;
  }
  attributes.choice("layout", ["lane, head, token, feature"]);
  const [heads, tokens, dim] = ["heads", "tokens", "head_dim"].map((name) => attributes.integer(name));
  if (!heads || !tokens || !dim) throw new FixtureError("heads, tokens and features must be at least one");
  const scale = attributes.number("scale");
  if (Math.abs(scale * Math.sqrt(dim) - 1) > 1e-12) {
    throw new FixtureError(`attribute "scale" should be 1 / sqrt(${dim}), not ${scale}`);
  }
  const layout = headsLayout(heads, tokens, dim);
  await checkGradients(check, { inputs: ["q", "k", "v"], layout }, (graph, values) =>
    graph.apply(
      attention,
      { q: valueNamed(values, "q"), k: valueNamed(values, "k"), v: valueNamed(values, "v") },
      { heads },
    ),
  );
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
    give({ name, shape, data }): GivenTensor {
      const [lanes = 0, ...rest] = shape;
      if (rest.join() !== [heads, tokens, dim].join()) {
        throw new FixtureError(`tensor "${name}" is [${shape}], which its case's attributes contradict`);
      }
      return { shape: [lanes, tokens, heads * dim], data: swap(data as Float32Array, heads, tokens) };
    },
    back: ([lanes = 0], data) => ({ shape: [lanes, heads, tokens, dim], data: swap(data, tokens, heads) }),
  };
}

/** relu(v) times the context: the sum of k over the patches, weighted by the softmax of q. */
async function checkLinearAttention(check: CaseCheck): Promise<void> {
  const { attributes } = check.golden;
  attributes.choice("layout", ["batch, channel, position, patch"]);
  const stated = ["positions", "patches", "channels"].map((name) => attributes.integer(name));
  await checkGradients(check, { inputs: ["q", "k", "v"], layout: CHANNELS }, (graph, values) => {
    const v = valueNamed(values, "v");
    const [b = 0, ...extents] = v.shape;
    const [p = 0, n = 0, c = 0] = extents;
    if (extents.join() !== stated.join()) {
      throw new FixtureError(`v is [${v.shape}] channels last, which the case's attributes contradict`);
    }
    const weights = graph.apply(softmax, { x: graph.view(valueNamed(values, "q"), [b * p, n]) }, {});
    const k = graph.view(valueNamed(values, "k"), [b * p, n, c]);
    const context = graph.view(graph.apply(weightedSum, { weights, x: k }, {}), [b, p, 1, c]);
    return graph.apply(multiply, { x: graph.apply(relu, { x: v }, {}), y: context }, {});
  });
}
