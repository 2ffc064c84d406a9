import { add, multiply } from "../kernels/ops/arithmetic.ts";
import { concat, permuteRows } from "../kernels/ops/layout.ts";
import { pack2x2, unpack2x2 } from "../kernels/ops/packing.ts";
import { gelu, geluTanh, hardswish, relu, sigmoid, silu } from "../kernels/ops/pointwise.ts";
import { adaptiveAveragePool2d, adaptiveMaxPool2d, maxPool2d } from "../kernels/ops/pool/pool.ts";
import { resizeBilinear, resizeNearest } from "../kernels/ops/resize.ts";
import { type FixtureCase, FixtureError } from "./fixture.ts";
import { CHANNELS, callOf, type GoldenCall, valueNamed, valuesNamed } from "./golden-call.ts";

/** Height and width as a case states them. */
function sizeOf({ attributes }: FixtureCase): { readonly height: number; readonly width: number } {
  const [height, width, ...rest] = attributes.numbers("size");
  if (height === undefined || width === undefined || rest.length > 0) {
    throw new FixtureError('attribute "size" should be a height and a width');
  }
  return { height, width };
}

export function poolingCall(golden: FixtureCase): GoldenCall {
  const { attributes } = golden;
  switch (attributes.choice("op", ["max", "adaptive_average", "adaptive_max"])) {
    case "max":
      return callOf(maxPool2d, {
        kernel: attributes.integer("kernel"),
        stride: attributes.integer("stride"),
        padding: attributes.integer("padding"),
      });
    case "adaptive_average":
      return callOf(adaptiveAveragePool2d, sizeOf(golden));
    case "adaptive_max":
      return callOf(adaptiveMaxPool2d, sizeOf(golden));
  }
}

export function resizeCall(golden: FixtureCase): GoldenCall {
  const { attributes } = golden;
  const size = sizeOf(golden);
  if (attributes.choice("mode", ["bilinear", "nearest"]) === "nearest") return callOf(resizeNearest, size);
  return callOf(resizeBilinear, { ...size, alignCorners: attributes.flag("align_corners") });
}

export function packingCall(golden: FixtureCase): GoldenCall {
  const { attributes } = golden;
  switch (attributes.choice("op", ["pack", "unpack", "permute_pixels", "concat"])) {
    case "pack":
      onlyPatch2(golden);
      return callOf(pack2x2, {});
    case "unpack":
      onlyPatch2(golden);
      return callOf(unpack2x2, { height: attributes.integer("height"), width: attributes.integer("width") });
    case "permute_pixels":
      return permutationCall(golden);
    case "concat":
      attributes.choice("axis", ["channel"]);
      return concatCall(["first", "second", "third"]);
  }
}

function onlyPatch2({ attributes }: FixtureCase): void {
  const patch = attributes.integer("patch");
  if (patch !== 2) throw new FixtureError(`attribute "patch" should be 2, not ${patch}`);
}

function permutationCall(golden: FixtureCase): GoldenCall {
  golden.attributes.choice("rule", ["out[j] = in[order[j]]"]);
  const { shape, data } = golden.int("order");
  return {
    inputs: ["x"],
    constants: { order: { shape, data } },
    body(graph, values) {
      const { x, order } = valuesNamed(values, ["x", "order"]);
      const [n = 0, h = 0, w = 0, c = 0] = x.shape;
      const rows = graph.view(x, [n, h * w, c]);
      return graph.view(graph.apply(permuteRows, { x: rows, order }, {}), x.shape);
    },
  };
}

const concatCall = (inputs: readonly string[]): GoldenCall => ({
  inputs,
  body(graph, values) {
    const parts = inputs.map((name, i) => [`x${i}`, valueNamed(values, name)] as const);
    return graph.apply(concat(inputs.length), Object.fromEntries(parts), {});
  },
});

const POINTWISE = {
  relu: callOf(relu, {}),
  silu: callOf(silu, {}),
  gelu: callOf(gelu, {}),
  gelu_tanh: callOf(geluTanh, {}),
  sigmoid: callOf(sigmoid, {}),
  hardswish: callOf(hardswish, {}),
  add: callOf(add, {}),
  multiply: callOf(multiply, {}),
};
const OTHERS = ["multiply by sigmoid", "multiply by constant mask"] as const;

export function pointwiseCall(golden: FixtureCase): GoldenCall {
  const names = [...(Object.keys(POINTWISE) as (keyof typeof POINTWISE)[]), ...OTHERS];
  const name = golden.attributes.choice("op", names);
  if (name === "multiply by constant mask") return maskedCall(golden, 1);
  if (name !== "multiply by sigmoid") return POINTWISE[name];
  return {
    inputs: ["x", "y"],
    body(graph, values) {
      const { x, y } = valuesNamed(values, ["x", "y"]);
      return graph.apply(multiply, { x, y: graph.apply(sigmoid, { x: y }, {}) }, {});
    },
  };
}

/** The mask of integers, times a factor. */
function maskedCall(golden: FixtureCase, factor: number): GoldenCall {
  const mask = golden.int("mask");
  const scaled = { ...mask, data: Float32Array.from(mask.data, (value) => value * factor) };
  return callOf(multiply, {}, { constants: { y: CHANNELS.give(scaled) } });
}

/** Which axes of [n, c, h, w] the mask of each kind of dropout has in full. */
const MASKED_AXES = { dropout: 4, dropout2d: 2, stochastic_depth: 1 } as const;

/** The mask says which numbers stay; those are scaled so that the mean is kept. */
export function dropoutCall(golden: FixtureCase): GoldenCall {
  const op = golden.attributes.choice("op", ["dropout", "dropout2d", "stochastic_depth"]);
  const mask = golden.int("mask");
  const wanted = golden.float("x").shape.map((extent, axis) => (axis < MASKED_AXES[op] ? extent : 1));
  if (mask.shape.join() !== wanted.join()) {
    throw new FixtureError(`the mask of ${op} should be [${wanted}], not [${mask.shape}]`);
  }
  return maskedCall(golden, 1 / (1 - golden.attributes.number("drop")));
}
