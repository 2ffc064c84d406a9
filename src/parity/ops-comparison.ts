import { conv2d, convTranspose2d } from "../kernels/ops/contraction/conv.ts";
import { pad2d } from "../kernels/ops/frame.ts";
import { leakyRelu } from "../kernels/ops/leaky-relu.ts";
import { binaryCrossEntropy } from "../kernels/ops/loss/binary-loss.ts";
import { instanceNorm } from "../kernels/ops/norm/instance-norm.ts";
import { averagePool2d } from "../kernels/ops/pool/average-pool.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import type { Attributes } from "./attributes.ts";
import { FixtureError } from "./fixture.ts";
import { type CaseCheck, CHANNELS, checkGradients, type Values, valueNamed } from "./op-case.ts";

interface Call {
  readonly inputs: readonly string[];
  readonly body: (graph: Graph, values: Values) => Value;
}

const x = (values: Values): Value => valueNamed(values, "x");

function pairOf(attributes: Attributes, key: string): readonly [number, number] {
  const [down, across, ...rest] = attributes.numbers(key);
  if (down === undefined || across === undefined || rest.length > 0) {
    throw new FixtureError(`attribute "${key}" should be one number an axis, two in all`);
  }
  return [down, across];
}

const CALLS = {
  leaky_relu(attributes: Attributes): Call {
    const attrs = { slope: attributes.number("slope") };
    return { inputs: ["x"], body: (graph, values) => graph.apply(leakyRelu, { x: x(values) }, attrs) };
  },
  instance_norm(attributes: Attributes): Call {
    const attrs = { eps: attributes.number("eps") };
    return {
      inputs: ["x", "weight", "bias"],
      body(graph, values) {
        const [weight, bias] = [valueNamed(values, "weight"), valueNamed(values, "bias")];
        return graph.apply(instanceNorm, { x: x(values), weight, bias }, attrs);
      },
    };
  },
  average_pool(attributes: Attributes): Call {
    const attrs = {
      kernel: attributes.integer("kernel"),
      stride: attributes.integer("stride"),
      padding: attributes.integer("padding"),
      ceil: attributes.flag("ceil"),
      countPadding: attributes.flag("count_padding"),
    };
    return { inputs: ["x"], body: (graph, values) => graph.apply(averagePool2d, { x: x(values) }, attrs) };
  },
  conv(attributes: Attributes): Call {
    const stride = attributes.has("stride") ? pairOf(attributes, "stride") : 1;
    const attrs = { stride, padding: pairOf(attributes, "padding"), dilation: 1, groups: 1 };
    return {
      inputs: ["x", "weight"],
      body: (graph, values) => graph.apply(conv2d, { x: x(values), weight: valueNamed(values, "weight") }, attrs),
    };
  },
  conv_transpose(attributes: Attributes): Call {
    const attrs = { stride: pairOf(attributes, "stride"), padding: 0, outputPadding: 0 };
    return {
      inputs: ["x", "weight"],
      body: (graph, values) =>
        graph.apply(convTranspose2d, { x: x(values), weight: valueNamed(values, "weight") }, attrs),
    };
  },
  pad(attributes: Attributes): Call {
    const attrs = {
      top: attributes.number("top"),
      bottom: attributes.number("bottom"),
      left: attributes.number("left"),
      right: attributes.number("right"),
    };
    return { inputs: ["x"], body: (graph, values) => graph.apply(pad2d, { x: x(values) }, attrs) };
  },
  binary_cross_entropy(): Call {
    return {
      inputs: ["logits"],
      body(graph, values) {
        const [logits, truth] = [valueNamed(values, "logits"), valueNamed(values, "truth")];
        return graph.apply(binaryCrossEntropy, { logits, truth }, {});
      },
    };
  },
} as const;

/** The ops that only the comparison networks use. */
export async function checkComparison(check: CaseCheck): Promise<void> {
  const { attributes } = check.golden;
  const name = attributes.choice("op", Object.keys(CALLS) as (keyof typeof CALLS)[]);
  const { inputs, body } = CALLS[name](attributes);
  const constants = name === "binary_cross_entropy" ? { truth: CHANNELS.give(check.golden.float("truth")) } : {};
  await checkGradients(check, { inputs, constants }, body);
}
