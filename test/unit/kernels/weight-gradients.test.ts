import { describe, expect, test } from "vitest";
import { differentiate } from "../../../src/autograd/differentiate.ts";
import { conv2d } from "../../../src/kernels/ops/contraction/conv.ts";
import { addBias } from "../../../src/kernels/ops/contraction/linear.ts";
import { batchNormTrain } from "../../../src/kernels/ops/norm/batch-norm.ts";
import { relu, silu } from "../../../src/kernels/ops/pointwise.ts";
import { fuse } from "../../../src/kernels/passes/fuse.ts";
import { takeActivationSlopes } from "../../../src/kernels/passes/norm-gradients.ts";
import { giveToWeightGradients } from "../../../src/kernels/passes/weight-gradients.ts";
import { DEFAULT_TARGET, SOFTWARE_TARGET, type Target } from "../../../src/kernels/target.ts";
import { Graph, readsOf, type Step } from "../../../src/kernels/trace/graph.ts";
import type { Value } from "../../../src/kernels/trace/op.ts";

const ROOMY: Target = { ...DEFAULT_TARGET, storageBuffers: 16 };
const ATTRS = { stride: 1, padding: 1, dilation: 1, groups: 1 };

interface Network {
  readonly channels?: number;
  readonly out?: number;
  readonly groups?: number;
  readonly bias?: boolean;
  /** What stands before the last convolution. */
  readonly behind: "norm" | "norm+relu" | "silu" | "relu";
  readonly keep?: boolean;
}

/** A convolution, what stands behind it, and a convolution that reads that: its trace with all gradients of weights. */
function traced({ channels = 8, out = 8, groups = 1, bias = false, behind, keep = false }: Network, target: Target) {
  const graph = new Graph();
  const image = graph.input("image", [2, 5, 6, 4]);
  const weights = [graph.state("first", [channels, 3, 3, 4]), graph.state("last", [out, 3, 3, channels / groups])];
  const z = graph.apply(conv2d, { x: image, weight: weights[0] as Value }, ATTRS);
  const [scale, shift] = [graph.state("scale", [channels]), graph.state("shift", [channels])];
  const normed = behind.startsWith("norm")
    ? graph.apply(batchNormTrain, { x: z, weight: scale, bias: shift }, { eps: 1e-5 })
    : z;
  const x = behind === "norm" ? normed : graph.apply(behind === "silu" ? silu : relu, { x: normed }, {});
  const y = graph.apply(conv2d, { x, weight: weights[1] as Value }, { ...ATTRS, groups });
  const biases = bias ? [graph.state("bias", [out])] : [];
  const result = bias ? graph.apply(addBias, { x: y, bias: biases[0] as Value }, {}) : y;
  const seed = graph.input("seed", result.shape);
  const wanted = [...weights, ...biases];
  const gradients = differentiate(graph, result, seed, wanted);
  const ends = [...wanted.flatMap(({ id }) => gradients.get(id) ?? []), ...(keep ? [x] : [])];
  takeActivationSlopes(graph, ends);
  fuse(graph, ends);
  const before = graph.steps.length;
  giveToWeightGradients(graph, ends, target);
  const last = graph.steps.find(({ outputs }) => outputs[0]?.id === gradients.get(weights[1]?.id ?? -1)?.id);
  if (!last) throw new Error("the last weight has no gradient");
  return { graph, before, last, x, z, gradients, biases };
}

/** Throws where a step reads what is not there yet. */
function expectOrder({ steps, inputs, stored }: Graph) {
  const there = new Set([...inputs.values(), ...stored].map(({ id }) => id));
  for (const step of steps) {
    for (const { id } of readsOf(step)) expect(there.has(id), step.op.name).toBe(true);
    for (const { id } of step.outputs) there.add(id);
  }
}

const attrsOf = ({ attrs }: Step) => attrs as { readonly activation?: string; readonly sums?: true };

describe("a gradient of a weight that a norm or an activation stands before", () => {
  test("reads what the norm read, with the norm's activation", () => {
    const { last, z, x, graph } = traced({ behind: "norm+relu" }, ROOMY);
    expect(last.op.name).toBe("conv2dGradWeightOfNorm");
    expect(attrsOf(last).activation).toBe("relu");
    expect(readsOf(last)).toContainEqual(z);
    expect(readsOf(last)).not.toContainEqual(x);
    expectOrder(graph);
  });

  test("reads what the norm alone read", () => {
    const { last } = traced({ behind: "norm" }, ROOMY);
    expect([last.op.name, attrsOf(last).activation]).toEqual(["conv2dGradWeightOfNorm", undefined]);
  });

  test("reads what an activation was given where that is kept anyway", () => {
    const { last, z } = traced({ behind: "silu" }, ROOMY);
    expect([last.op.name, attrsOf(last).activation]).toEqual(["conv2dGradWeight", "silu"]);
    expect(last.inputs["x"]).toEqual(z);
  });

  // relu's own gradient reads its result, so that this is there and what it was given is not.
  test("reads relu's result, which is there", () => {
    expect(attrsOf(traced({ behind: "relu" }, ROOMY).last).activation).toBeUndefined();
  });

  test("reads the norm's result where that is read after the run", () => {
    const { last, x } = traced({ behind: "norm", keep: true }, ROOMY);
    expect(last.op.name).toBe("conv2dGradWeight");
    expect(last.inputs["x"]).toEqual(x);
  });

  test.each([
    ["a driver for a CPU", {}, { ...SOFTWARE_TARGET }],
    ["channels that are no multiple of four", { channels: 6 }, ROOMY],
    ["filters that are no multiple of four", { out: 6 }, ROOMY],
    ["groups", { groups: 2 }, ROOMY],
    ["a GPU whose kernels take too few tensors", {}, { ...ROOMY, storageBuffers: 3 }],
  ])("is left alone by %s", (_, network, target) => {
    const { last, before, graph } = traced({ behind: "norm+relu", bias: true, ...network }, target);
    expect([last.op.name, attrsOf(last).sums]).toEqual(["conv2dGradWeight", undefined]);
    expect(graph.steps.length).toBe(before);
  });
});

describe("the gradient of a bias", () => {
  test("is summed by the gradient of the weight", () => {
    const { graph, before, last, gradients, biases } = traced({ behind: "norm+relu", bias: true }, ROOMY);
    expect(attrsOf(last).sums).toBe(true);
    expect(graph.steps.length).toBe(before - 1);
    expect(graph.steps.map(({ op }) => op.name)).not.toContain("reduceSum");
    const [, sums] = last.outputs;
    expect(graph.root(gradients.get(biases[0]?.id ?? -1)?.id ?? -1)).toBe(sums?.id);
    expectOrder(graph);
  });

  test("has a step of its own where the kernel takes no more tensors", () => {
    const { graph, last } = traced({ behind: "norm+relu", bias: true }, { ...ROOMY, storageBuffers: 6 });
    expect([last.op.name, attrsOf(last).sums]).toEqual(["conv2dGradWeightOfNorm", undefined]);
    expect(graph.steps.map(({ op }) => op.name)).toContain("reduceSum");
  });
});
