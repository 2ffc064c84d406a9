import { describe, expect, test } from "vitest";
import { Graph, type Step } from "../../../src/kernels/trace/graph.ts";
import type { Value } from "../../../src/kernels/trace/op.ts";
import type { Shape } from "../../../src/kernels/trace/shape.ts";
import { Build, type Mode } from "../../../src/model/build.ts";
import { activated } from "../../../src/model/layers/activation.ts";
import { sum } from "../../../src/model/layers/combine.ts";
import {
  classifier,
  convolution,
  convolutionParts,
  convolutions,
  transposedConvolution,
} from "../../../src/model/layers/convolution.ts";
import type { Start } from "../../../src/model/layers/initialiser.ts";
import { linearParts } from "../../../src/model/layers/linear.ts";
import { BATCH_NORM, INSTANCE_NORM } from "../../../src/model/layers/norm.ts";
import { globalMean, halved, pooledStem } from "../../../src/model/layers/pool.ts";
import { grow, resizedByCentres, resizedToCorners, spread } from "../../../src/model/layers/resize.ts";

/** What a layer writes for an input of `shape`. */
function traced(shape: Shape, layer: (build: Build, x: Value) => Value, mode: Mode = "eval") {
  const build = new Build({ graph: new Graph(), mode });
  const x = build.graph.input("x", shape);
  const y = layer(build, x);
  return { build, x, y, steps: build.graph.steps, parameters: build.parameters };
}

const named = ({ parameters }: ReturnType<typeof traced>) =>
  parameters.list("weight").map(({ name, shape }) => `${name} [${shape}]`);

const written = (steps: readonly Step[]) => steps.map(({ path, op }) => `${path} ${op.name}`);

const IMAGE = [2, 8, 12, 6] as const;

describe("a convolution", () => {
  test("is followed by batch norm, which has the bias, and by its activation", () => {
    const layer = traced(IMAGE, (build, x) =>
      convolution(build, "mix", x, { outer: 4, kernel: 3, activation: "relu" }),
    );
    expect(named(layer)).toEqual(["mix.conv.weight [4,6,3,3]", "mix.norm.weight [4]", "mix.norm.bias [4]"]);
    expect(written(layer.steps)).toEqual(["mix.conv conv2d", "mix.norm batchNormEval", "mix relu"]);
    expect(layer.steps[1]?.attrs).toEqual({ eps: 1e-5 });
    expect(layer.y.shape).toEqual([2, 8, 12, 4]);
  });

  test("without a norm has a bias and tensors of its own name, or neither where none is asked for", () => {
    const scores = traced(IMAGE, (build, x) => classifier(build, "head", x, 3));
    expect(named(scores)).toEqual(["head.weight [3,6,1,1]", "head.bias [3]"]);
    expect(written(scores.steps)).toEqual(["head conv2d", "head addBias"]);
    const bare = traced(IMAGE, (build, x) => convolution(build, "down", x, { outer: 3, norm: "none", bias: false }));
    expect(named(bare)).toEqual(["down.weight [3,6,1,1]"]);
  });

  test("takes the names it is given", () => {
    const names = { weight: "kernel.w", bias: "kernel.b" };
    const layer = traced(IMAGE, (build, x) => convolution(build, "a", x, { outer: 4, bias: true, names }));
    expect(named(layer).map((name) => name.split(" ")[0])).toEqual([
      "a.kernel.w",
      "a.kernel.b",
      "a.norm.weight",
      "a.norm.bias",
    ]);
    expect(written(layer.steps)).toEqual(["a conv2d", "a addBias", "a.norm batchNormEval"]);
  });

  test("keeps the size at stride 1, whatever its kernel and dilation", () => {
    for (const options of [{ kernel: 5 }, { kernel: [1, 7] as const }, { kernel: 3, dilation: 4 }, { groups: 3 }]) {
      const { y, steps } = traced(IMAGE, (build, x) => convolution(build, "a", x, { outer: 9, ...options }));
      expect(y.shape).toEqual([2, 8, 12, 9]);
      expect(steps[0]?.attrs).toMatchObject({ stride: 1, dilation: 1, groups: 1, ...withoutKernel(options) });
    }
    const { y } = traced(IMAGE, (build, x) => convolution(build, "a", x, { outer: 4, kernel: 3, stride: [2, 1] }));
    expect(y.shape).toEqual([2, 4, 12, 4]);
  });

  test("is normalised by the norm it is given", () => {
    const batch = { ...BATCH_NORM, eps: 0.25, momentum: 0.75 };
    const { steps, build } = traced(IMAGE, (b, x) => convolution(b, "a", x, { outer: 4, norm: batch }), "train");
    expect([steps[1]?.op.name, steps[1]?.attrs]).toEqual(["batchNormTrain", { eps: 0.25 }]);
    expect(build.statistics).toMatchObject([{ momentum: 0.75, count: 192 }]);
    const instance = traced(IMAGE, (b, x) => convolution(b, "a", x, { outer: 4, norm: INSTANCE_NORM }), "train");
    expect(written(instance.steps)).toEqual(["a.conv conv2d", "a.norm instanceNorm"]);
    expect(instance.parameters.list("statistic")).toEqual([]);
  });

  test("in a row is named by its place", () => {
    const layer = traced(IMAGE, (build, x) => convolutions(build, "stem", x, [{ outer: 4 }, { outer: 2 }]));
    expect(named(layer).filter((name) => name.includes("conv"))).toEqual([
      "stem.0.conv.weight [4,6,1,1]",
      "stem.1.conv.weight [2,4,1,1]",
    ]);
  });
});

describe("the first weights of a convolution", () => {
  const parameters = (start: Start) =>
    traced(IMAGE, (build, x) => convolution(build, "a", x, { outer: 4, kernel: 3, norm: "none", start })).parameters;

  test.each([
    ["framework", { kind: "uniform", bound: 1 / Math.sqrt(54) }],
    ["he-in", { kind: "normal", deviation: Math.sqrt(2 / (1 + 0.01 ** 2) / 54) }],
    ["he-out", { kind: "normal", deviation: Math.sqrt(2 / 36) }],
    ["xavier", { kind: "uniform", bound: Math.sqrt(6 / 90) }],
    [{ deviation: 0.5 }, { kind: "normal", deviation: 0.5 }],
  ] as const)("by %j", (start, init) => {
    expect(parameters(start).get("a.weight").init).toEqual(init);
  });

  test("go with a bias of zero where the publications say so", () => {
    const isZero = (start: Start) => parameters(start).get("a.bias").init.kind === "constant";
    const starts = ["framework", "he-in", "he-out", "xavier"] as const;
    expect(starts.filter(isZero)).toEqual(["he-in", "xavier"]);
  });
});

const withoutKernel = ({ kernel: _, ...rest }: { readonly kernel?: unknown }) => rest;

describe("a transposed convolution", () => {
  test.each([
    [3, 2, { padding: 1, outputPadding: 1 }],
    [4, 2, { padding: 1, outputPadding: 0 }],
    [2, 2, { padding: 0, outputPadding: 0 }],
    [[2, 1], [2, 1], { padding: 0, outputPadding: 0 }],
    [1, 3, { padding: 0, outputPadding: 2 }],
    [3, 1, { padding: 1, outputPadding: 0 }],
  ] as const)("of kernel %j and stride %j multiplies the size by its stride", (kernel, stride, paddings) => {
    const options = { outer: 4, kernel, stride, norm: "none" } as const;
    const layer = traced(IMAGE, (build, x) => transposedConvolution(build, "up", x, options));
    const [down, right] = typeof stride === "number" ? [stride, stride] : stride;
    expect(layer.y.shape).toEqual([2, 8 * down, 12 * right, 4]);
    expect(layer.steps[0]?.attrs).toEqual({ stride, ...paddings });
    expect(named(layer)[0]).toMatch(/^up\.weight \[6,4,/);
  });

  test("that would need two paddings is refused", () => {
    const options = { outer: 4, kernel: [3, 1], stride: 1 } as const;
    expect(() => traced(IMAGE, (build, x) => transposedConvolution(build, "up", x, options))).toThrow(
      "a kernel of 3x1 with stride 1x1 needs other paddings for rows than for columns",
    );
  });
});

describe("parts of one layer", () => {
  test("share its weight and bias", () => {
    const points = traced(IMAGE, (build, x) => {
      const parts = convolutionParts(build, "project", x, [1, 4]);
      expect(parts.map(({ shape }) => shape[3])).toEqual([1, 4]);
      return x;
    });
    expect(named(points)).toEqual(["project.weight [5,6,1,1]", "project.bias [5]"]);
    const features = traced([7, 6], (build, x) => {
      const parts = linearParts(build, "qkv", x, [2, 2, 2], "xavier");
      expect(parts.map(({ shape }) => shape)).toEqual([
        [7, 2],
        [7, 2],
        [7, 2],
      ]);
      return x;
    });
    expect(named(features)).toEqual(["qkv.weight [6,6]", "qkv.bias [6]"]);
    expect(features.parameters.get("qkv.bias").init).toEqual({ kind: "constant", value: 0 });
  });
});

describe("resizing", () => {
  test("says by its name what it puts on each other", () => {
    const attrs = (resize: typeof resizedToCorners) => traced(IMAGE, (b, x) => resize(b, x, 9, 5)).steps[0]?.attrs;
    expect(attrs(resizedToCorners)).toEqual({ height: 9, width: 5, alignCorners: true });
    expect(attrs(resizedByCentres)).toEqual({ height: 9, width: 5, alignCorners: false });
  });

  test("to the size a map has changes nothing", () => {
    for (const resize of [resizedToCorners, resizedByCentres]) {
      const { x, y } = traced(IMAGE, (build, value) => resize(build, value, 8, 12));
      expect(y).toBe(x);
    }
  });

  test("of a layer and of a single pixel", () => {
    const raised = traced(IMAGE, (build, x) => grow(build, x, 2));
    expect(raised.steps).toMatchObject([{ path: "grow", attrs: { height: 16, width: 24, alignCorners: true } }]);
    expect(traced(IMAGE, (build, x) => grow(build, x, 2, "nearest")).steps[0]?.op.name).toBe("resizeNearest");
    expect(traced([2, 1, 1, 6], (build, x) => spread(build, x, 3, 5)).y.shape).toEqual([2, 3, 5, 6]);
  });
});

test("pools take halves, rounded down or up, and whole maps", () => {
  const odd = [2, 7, 9, 3] as const;
  expect(traced(odd, halved).y.shape).toEqual([2, 3, 4, 3]);
  expect(traced(odd, pooledStem).y.shape).toEqual([2, 4, 5, 3]);
  const mean = traced(odd, globalMean);
  expect([mean.y.shape, mean.steps[0]?.attrs]).toEqual([[2, 1, 1, 3], { axes: [1, 2], factor: 1 / 63 }]);
});

test("an activation is an op, a slope or nothing", () => {
  const one = (kind: Parameters<typeof activated>[2]) => traced(IMAGE, (build, x) => activated(build, x, kind));
  for (const kind of ["relu", "silu", "gelu", "sigmoid", "hardswish"] as const) {
    expect(one(kind).steps.map(({ op }) => op.name)).toEqual([kind]);
  }
  expect(one({ leaky: 0.1 }).steps).toMatchObject([{ op: { name: "leakyRelu" }, attrs: { slope: 0.1 } }]);
  const none = one(undefined);
  expect(none.y).toBe(none.x);
});

test("a sum adds from left to right", () => {
  const { steps, y } = traced(IMAGE, (build, x) => sum(build, x, globalMean(build, x), x));
  const [mean, first, second] = steps;
  expect(first?.inputs["y"]).toBe(mean?.outputs[0]);
  expect(second?.inputs["x"]).toBe(first?.outputs[0]);
  expect(second?.outputs[0]).toBe(y);
});
