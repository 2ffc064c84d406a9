import { expect, test } from "vitest";
import { addBias, conv2d } from "../../../src/kernels/ops/contraction/conv.ts";
import { relu } from "../../../src/kernels/ops/pointwise.ts";
import { fuse } from "../../../src/kernels/passes/fuse.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";

const PLAIN = { stride: 1, padding: 0, dilation: 1, groups: 1 };

/** A convolution, its bias and an activation; returns the tensors between them. */
function chain() {
  const graph = new Graph();
  const x = graph.input("x", [1, 4, 4, 8]);
  const y = graph.apply(conv2d, { x, weight: graph.state("weight", [8, 1, 1, 8]) }, PLAIN);
  const biased = graph.apply(addBias, { x: y, bias: graph.state("bias", [8]) }, {});
  return { graph, biased, out: graph.apply(relu, { x: biased }, {}) };
}

test("bias and activation move into the convolution", () => {
  const { graph, out } = chain();
  fuse(graph, [out]);
  expect(graph.steps.map(({ op }) => op.name)).toEqual(["conv2d"]);
  expect(graph.steps[0]).toMatchObject({ outputs: [out], epilogue: { activation: "relu" } });
});

test("a tensor that the caller keeps is still made", () => {
  const { graph, biased, out } = chain();
  fuse(graph, [biased, out]);
  expect(graph.steps.map(({ op }) => op.name)).toEqual(["conv2d", "relu"]);
  expect(graph.steps.flatMap(({ outputs }) => outputs)).toEqual([biased, out]);
});

test("a tensor with a second reader is still made", () => {
  const { graph, biased, out } = chain();
  const other = graph.apply(relu, { x: biased }, {});
  fuse(graph, [out, other]);
  expect(graph.steps.map(({ op }) => op.name)).toEqual(["conv2d", "relu", "relu"]);
});
