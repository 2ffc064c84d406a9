import { describe, expect, test } from "vitest";
import { add, scale } from "../../../src/kernels/ops/arithmetic.ts";
import { conv2d } from "../../../src/kernels/ops/contraction/conv.ts";
import { sliceLast } from "../../../src/kernels/ops/layout.ts";
import { reduceSum } from "../../../src/kernels/ops/reduce/reduce.ts";
import { halve } from "../../../src/kernels/passes/halve.ts";
import { byteSize } from "../../../src/kernels/shader/shader.ts";
import { Graph, readsOf, type Step } from "../../../src/kernels/trace/graph.ts";
import type { Epilogue, Value } from "../../../src/kernels/trace/op.ts";
import { fromZoo } from "../../../src/model/zoo.ts";
import { trainingNeeds } from "../../../src/training/costs.ts";
import { inferenceTrace } from "../../../src/training/inference-trace.ts";
import { NETWORKS, tinyNetwork } from "../../support/nets.ts";
import { tracedStep } from "../../support/training-trace.ts";

const tensorsOf = (step: Step): Value[] => [...readsOf(step), ...step.outputs];

/** Every tensor of a trace by what it is stored in: its own, or that of the tensor it is a view of. */
function storage(graph: Graph): Map<number, Set<string>> {
  const found = new Map<number, Set<string>>();
  for (const value of graph.steps.flatMap(tensorsOf)) {
    const id = graph.root(value.id);
    found.set(id, (found.get(id) ?? new Set()).add(value.dtype));
  }
  return found;
}

const HALF = { precision: "f16" } as const;
const steps = (graph: Graph, ...names: readonly string[]) => graph.steps.filter(({ op }) => names.includes(op.name));

describe.each(NETWORKS)("%s", (name) => {
  const config = tinyNetwork(name);
  const { trace } = tracedStep(config, 2, HALF);
  const { graph, placed, keep, loss, scale: lossScale } = trace;

  test("every reader and writer of a tensor, through views too, takes it for what it is stored in", () => {
    expect([...storage(graph).values()].filter((types) => types.size !== 1)).toEqual([]);
  });

  test("what is summed, updated or read stays whole", () => {
    const stored = storage(graph);
    const state = graph.stored.map(({ id }) => id);
    const whole = [...placed.keys(), ...state, ...[loss, lossScale, ...keep].flatMap((value) => value?.id ?? [])];
    for (const id of whole) expect(stored.get(graph.root(id))?.has("f16") ?? false).toBe(false);
    for (const { outputs } of graph.steps) expect(outputs.slice(1).every(({ dtype }) => dtype !== "f16")).toBe(true);
    for (const step of graph.steps.filter(
      ({ op }) => op.half === undefined && op.name !== "view" && op.name !== "toHalf",
    )) {
      expect(
        tensorsOf(step).map(({ dtype }) => dtype),
        step.op.name,
      ).not.toContain("f16");
    }
  });

  test("a gradient of weights is whole on all of its way", () => {
    const roots = new Map(graph.steps.flatMap((step) => step.outputs.map(({ id }) => [graph.root(id), step] as const)));
    const pathTo = (id: number): Step[] => {
      const step = roots.get(graph.root(id));
      return step?.op.half === "moves" ? [step, ...Object.values<Value>(step.inputs).flatMap((v) => pathTo(v.id))] : [];
    };
    for (const step of [...placed.keys()].flatMap(pathTo)) {
      expect(
        tensorsOf(step).map(({ dtype }) => dtype),
        `${step.op.name} in ${step.path}`,
      ).not.toContain("f16");
    }
  });

  test("every product by weights reads a copy of them, which forward and backward share", () => {
    const copies = steps(graph, "toHalf");
    const products = graph.steps.filter(({ op, inputs }) => op.cost.macs === "weights" && inputs["weight"]);
    expect(products.length).toBeGreaterThan(copies.length);
    for (const { inputs } of products) expect(inputs["weight"]?.dtype).toBe("f16");
  });

  test("most activations take half", () => {
    const made = graph.steps.filter(({ op }) => op.name !== "view").flatMap(({ outputs }) => outputs.slice(0, 1));
    const large = made.filter((value) => value.shape.length === 4 && (value.shape[1] ?? 1) > 1);
    const halved = large.filter(({ dtype }) => dtype === "f16");
    expect(halved.length / large.length).toBeGreaterThan(0.75);
  });
});

test("the logits are whole from the layer that makes them, through their enlargement to the image's size", () => {
  const config = tinyNetwork("deeplabv3");
  const { graph, logits } = inferenceTrace(config, { batch: 1, ...HALF });
  const makers = new Map(graph.steps.map((step) => [step.outputs[0]?.id, step]));
  const enlargement = makers.get(logits.id);
  expect(enlargement?.op.name).toBe("resizeBilinear");
  const layer = makers.get(enlargement?.inputs["x"]?.id);
  expect(layer?.op.name).toBe("conv2d");
  expect(layer?.outputs[0]?.dtype).toBe("f32");
  expect(layer?.inputs["x"]?.dtype).toBe("f16");
});

test("what only moves whole numbers stays whole: a slice of weights, the image in its frame", () => {
  const graph = new Graph();
  const framed = graph.apply(scale, { x: graph.input("x", [1, 8, 8, 8]) }, { factor: 2 });
  const slice = graph.apply(sliceLast, { x: graph.state("weight", [8, 3, 3, 16]) }, { start: 0, count: 8 });
  const y = graph.apply(conv2d, { x: framed, weight: slice }, { stride: 1, padding: 1, dilation: 1, groups: 1 });
  const moved = graph.apply(scale, { x: y }, { factor: 2 });
  halve(graph, { keep: [graph.apply(reduceSum, { x: moved }, { axes: [1, 2], factor: 1 })], placed: [] });
  const made = graph.steps.map(({ op, outputs }) => `${op.name} ${outputs[0]?.dtype}`);
  expect(made).toEqual(["scale f32", "sliceLast f32", "toHalf f16", "conv2d f16", "scale f16", "reduceSum f32"]);
});

test("a slope ends what moves whole numbers: behind it they are halved, as behind a step of its own", () => {
  const graph = new Graph();
  const [x, y, saved] = ["x", "y", "saved"].map((name) => graph.input(name, [1, 8, 8, 8])) as [Value, Value, Value];
  graph.apply(add, { x, y }, {});
  const slope: Epilogue = { slope: "relu", saved };
  graph.replaceSteps(graph.steps.map((step) => ({ ...step, epilogue: slope })));
  graph.apply(add, { x, y }, {});
  halve(graph, { keep: [], placed: [] });
  expect(graph.steps.map(({ outputs }) => outputs[0]?.dtype)).toEqual(["f16", "f32"]);
});

test("f32 and the literal form are as without it", () => {
  const config = tinyNetwork("unet");
  for (const options of [{}, { precision: "f32" }, { precision: "f16", form: "literal" }] as const) {
    const { graph } = inferenceTrace(config, { batch: 1, ...options });
    expect([...storage(graph).values()].flatMap((types) => [...types])).not.toContain("f16");
  }
});

test("SvANet trains at the paper's size in less than 6 GiB", () => {
  const { config } = fromZoo("svanet");
  expect(trainingNeeds(config, 4, undefined, "f16").gpu).toBeLessThan(6 * 2 ** 30);
  expect(trainingNeeds(config, 4).gpu).toBeGreaterThan(7 * 2 ** 30);
});

test("sixteen bits are two bytes, of whole fours of elements", () => {
  expect([1, 4, 5].map((length) => byteSize({ shape: [length], dtype: "f16" }))).toEqual([8, 8, 16]);
  expect([1, 4, 5].map((length) => byteSize({ shape: [length], dtype: "f32" }))).toEqual([16, 16, 32]);
});
