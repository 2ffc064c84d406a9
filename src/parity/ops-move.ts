import { add, multiply } from "../kernels/ops/arithmetic.ts";
import { concat, pack2x2, permuteRows, unpack2x2 } from "../kernels/ops/layout.ts";
import { gelu, geluTanh, hardswish, relu, sigmoid, silu } from "../kernels/ops/pointwise.ts";
import { adaptiveAveragePool2d, adaptiveMaxPool2d, maxPool2d } from "../kernels/ops/pool/pool.ts";
import { softmax } from "../kernels/ops/reduce/softmax.ts";
import { resizeBilinear, resizeNearest } from "../kernels/ops/resize.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import { FixtureError } from "./fixture.ts";
import { asFloats, type CaseCheck, CHANNELS, checkGradients, PLAIN, type Values, valueNamed } from "./op-case.ts";

type Body = (graph: Graph, values: Values) => Value;

const X = { inputs: ["x"] };
const x = (values: Values): Value => valueNamed(values, "x");

/** Height and width as a case states them. */
function sizeOf({ golden }: CaseCheck): { readonly height: number; readonly width: number } {
  const [height, width, ...rest] = golden.attributes.numbers("size");
  if (height === undefined || width === undefined || rest.length > 0) {
    throw new FixtureError('attribute "size" should be a height and a width');
  }
  return { height, width };
}

export async function checkPooling(check: CaseCheck): Promise<void> {
  await checkGradients(check, X, poolingBody(check));
}

function poolingBody(check: CaseCheck): Body {
  const { attributes } = check.golden;
  switch (attributes.choice("op", ["max", "adaptive_average", "adaptive_max"])) {
    case "max": {
      const attrs = {
        kernel: attributes.integer("kernel"),
        stride: attributes.integer("stride"),
        padding: attributes.integer("padding"),
      };
      return (graph, values) => graph.apply(maxPool2d, { x: x(values) }, attrs);
    }
    case "adaptive_average": {
      const size = sizeOf(check);
      return (graph, values) => graph.apply(adaptiveAveragePool2d, { x: x(values) }, size);
    }
    case "adaptive_max": {
      const size = sizeOf(check);
      return (graph, values) => graph.apply(adaptiveMaxPool2d, { x: x(values) }, size);
    }
  }
}

export async function checkResize(check: CaseCheck): Promise<void> {
  const { attributes } = check.golden;
  const size = sizeOf(check);
  if (attributes.choice("mode", ["bilinear", "nearest"]) === "nearest") {
    await checkGradients(check, X, (graph, values) => graph.apply(resizeNearest, { x: x(values) }, size));
    return;
  }
  const attrs = { ...size, alignCorners: attributes.flag("align_corners") };
  await checkGradients(check, X, (graph, values) => graph.apply(resizeBilinear, { x: x(values) }, attrs));
}

export async function checkSoftmax(check: CaseCheck): Promise<void> {
  const { attributes } = check.golden;
  attributes.choice("op", ["softmax"]);
  const layout = attributes.choice("axis", ["last", "channel"]) === "channel" ? CHANNELS : PLAIN;
  await checkGradients(check, { ...X, layout }, (graph, values) => graph.apply(softmax, { x: x(values) }, {}));
}

export async function checkPacking(check: CaseCheck): Promise<void> {
  const { attributes } = check.golden;
  switch (attributes.choice("op", ["pack", "unpack", "permute_pixels", "concat"])) {
    case "pack":
      onlyPatch2(check);
      await checkGradients(check, X, (graph, values) => graph.apply(pack2x2, { x: x(values) }, {}));
      return;
    case "unpack": {
      onlyPatch2(check);
      const size = { height: attributes.integer("height"), width: attributes.integer("width") };
      await checkGradients(check, X, (graph, values) => graph.apply(unpack2x2, { x: x(values) }, size));
      return;
    }
    case "permute_pixels":
      await checkPermutation(check);
      return;
    case "concat":
      await checkConcat(check);
  }
}

function onlyPatch2({ golden }: CaseCheck): void {
  const patch = golden.attributes.integer("patch");
  if (patch !== 2) throw new FixtureError(`attribute "patch" should be 2, not ${patch}`);
}

async function checkPermutation(check: CaseCheck): Promise<void> {
  check.golden.attributes.choice("rule", ["out[j] = in[order[j]]"]);
  const { shape, data } = check.golden.int("order");
  await checkGradients(check, { ...X, constants: { order: { shape, data } } }, (graph, values) => {
    const image = x(values);
    const [n = 0, h = 0, w = 0, c = 0] = image.shape;
    const rows = graph.view(image, [n, h * w, c]);
    const moved = graph.apply(permuteRows, { x: rows, order: valueNamed(values, "order") }, {});
    return graph.view(moved, image.shape);
  });
}

async function checkConcat(check: CaseCheck): Promise<void> {
  check.golden.attributes.choice("axis", ["channel"]);
  const inputs = ["first", "second", "third"];
  await checkGradients(check, { inputs }, (graph, values) => {
    const parts = Object.fromEntries(inputs.map((name, i) => [`x${i}`, valueNamed(values, name)]));
    return graph.apply(concat(inputs.length), parts, {});
  });
}

const UNARY = { relu, silu, gelu, sigmoid, hardswish, gelu_tanh: geluTanh } as const;
const BINARY = ["add", "multiply", "multiply by sigmoid", "multiply by constant mask"] as const;

export async function checkPointwise(check: CaseCheck): Promise<void> {
  const name = check.golden.attributes.choice("op", [...(Object.keys(UNARY) as (keyof typeof UNARY)[]), ...BINARY]);
  if (name === "multiply by constant mask") {
    await checkMasked(check, 1);
  } else if (name === "add" || name === "multiply" || name === "multiply by sigmoid") {
    await checkGradients(check, { inputs: ["x", "y"] }, (graph, values) => {
      const y = valueNamed(values, "y");
      if (name === "add") return graph.apply(add, { x: x(values), y }, {});
      const factor = name === "multiply" ? y : graph.apply(sigmoid, { x: y }, {});
      return graph.apply(multiply, { x: x(values), y: factor }, {});
    });
  } else {
    await checkGradients(check, X, (graph, values) => graph.apply(UNARY[name], { x: x(values) }, {}));
  }
}

async function checkMasked(check: CaseCheck, factor: number): Promise<void> {
  const mask = CHANNELS.give(asFloats(check.golden.int("mask"), factor));
  await checkGradients(check, { ...X, constants: { mask } }, (graph, values) =>
    graph.apply(multiply, { x: x(values), y: valueNamed(values, "mask") }, {}),
  );
}

/** Which axes of [n, c, h, w] the mask of each kind of dropout has in full. */
const MASKED_AXES = { dropout: 4, dropout2d: 2, stochastic_depth: 1 } as const;

/** The mask says which numbers stay; those are scaled so that the mean is kept. */
export async function checkDropout(check: CaseCheck): Promise<void> {
  const { golden } = check;
  const op = golden.attributes.choice("op", ["dropout", "dropout2d", "stochastic_depth"]);
  const mask = golden.int("mask");
  const wanted = golden.float("x").shape.map((extent, axis) => (axis < MASKED_AXES[op] ? extent : 1));
  if (mask.shape.join() !== wanted.join()) {
    throw new FixtureError(`the mask of ${op} should be [${wanted}], not [${mask.shape}]`);
  }
  await checkMasked(check, 1 / (1 - golden.attributes.number("drop")));
}
