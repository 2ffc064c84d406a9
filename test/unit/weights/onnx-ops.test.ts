import { expect, test } from "vitest";
import { type AnyCase, type Check, caseName } from "../../../src/checks/check.ts";
import { OP_CHECKS } from "../../../src/checks/op-checks.ts";
import { everywhere, type Tensors } from "../../../src/checks/tensor.ts";
import { Verdict } from "../../../src/checks/verdict.ts";
import { ShapeError } from "../../../src/errors.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import { type Shape, sizeOf } from "../../../src/kernels/trace/shape.ts";
import { exportOnnx } from "../../../src/weights/onnx/export-onnx.ts";
import { exporterOf } from "../../../src/weights/onnx/exporters.ts";
import { runOnnx } from "../../support/onnx.ts";

/** What a file with one image cannot feed, several inputs that grow with the batch or integers, is tried with networks. */
const NOT_FED: ReadonlySet<string> = new Set(["concat2", "concat3", "attention", "weightedSum", "permuteRows"]);

const RESULT = "result";

/** ONNX Runtime sums in another order than kernels of ours, and takes variances from differences of squares. */
const TOLERANCE = 2e-4;

/** A tensor as an image of one column: images are what a file takes. */
const imageShape = ([n = 1, ...rest]: Shape): readonly [number, number, number, number] => {
  const [h = 1, w = 1, c = 1] = [
    ...rest.slice(0, -1),
    ...Array(Math.max(0, 3 - rest.length)).fill(1),
    ...rest.slice(-1),
  ];
  return [n, h, w, c];
};

type Traced = ReturnType<Parameters<typeof exportOnnx>[0]["trace"]>;

/** One call with its first input as the image and the others as weights. */
function traced(check: Check, { inputs, attrs }: AnyCase, batch: number): Traced {
  const graph = new Graph();
  const [[first = "", drawn] = [], ...rest] = Object.entries(inputs);
  const shape = drawn?.shape ?? [];
  const image = graph.input("image", imageShape([batch, ...shape.slice(1)]));
  const values = Object.fromEntries(rest.map(([name, { shape: own }]) => [name, graph.state(name, own)]));
  const x = shape.length === 4 ? image : graph.view(image, [batch, ...shape.slice(1)]);
  const [y] = check.call(graph, { ...values, [first]: x }, attrs, {});
  return { graph, image, outputs: new Map(y ? [[RESULT, graph.view(y, imageShape(y.shape))]] : []) };
}

/** Whether a call can be traced for any batch: no other input says how many images there are. */
function takesAnyBatch(check: Check, one: AnyCase): boolean {
  try {
    for (const batch of [2, 3]) traced(check, one, batch);
    return one.epilogue.length === 0;
  } catch (error) {
    if (error instanceof ShapeError) return false;
    throw error;
  }
}

const EXPORTED = Object.values(OP_CHECKS).filter(({ name }) => exporterOf(name) && !NOT_FED.has(name));

test.each(EXPORTED)("$name: ONNX Runtime agrees with the definition", async (check) => {
  const cases = check.cases.filter((one) => takesAnyBatch(check, one));
  expect(cases.length).toBeGreaterThan(0);
  for (const one of cases) {
    const numbers = Object.entries(one.inputs).map(([name, d], i) => [name, d.shape, d.numbers(i + 1)] as const);
    const weights = new Map(numbers.map(([name, , data]) => [name, Float32Array.from(data)]));
    const given: Tensors = Object.fromEntries(
      numbers.map(([name, shape, data]) => [name, { shape, data: Float64Array.from(data) }]),
    );
    const [exact] = check.expected(given, one.attrs);
    const [[, shape, data] = ["", [], new Float32Array(0)] as const] = numbers;
    const model = exportOnnx({
      trace: (batch) => traced(check, one, batch),
      state: (key) => weights.get(key) ?? new Float32Array(0),
      version: "0",
      metadata: new Map(),
    }).encode();
    const theirs = (await runOnnx(model, Float32Array.from(data), imageShape(shape))).get(RESULT);
    const verdict = new Verdict(TOLERANCE);
    if (exact && theirs)
      verdict.samples(RESULT, theirs, [...everywhere(exact.shape)], [...everywhere(exact.shape)].map(exact.at));
    expect(theirs?.length, caseName(one)).toBe(sizeOf(exact?.shape ?? []));
    expect(verdict.problems, caseName(one)).toEqual([]);
  }
});
