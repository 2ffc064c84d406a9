import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lower } from "../../../src/kernels/compile/lower.ts";
import { type AdapterReport, targetOf } from "../../../src/kernels/device/adapter.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { conv2d } from "../../../src/kernels/ops/contraction/conv.ts";
import { DEFAULT_TARGET, type Target } from "../../../src/kernels/target.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import type { DType, Value } from "../../../src/kernels/trace/op.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { inferenceTrace } from "../../../src/training/inference-trace.ts";
import { tinyNetwork } from "../../support/nets.ts";
import { tracedStep } from "../../support/training-trace.ts";

const MATRICES: Target = { ...DEFAULT_TARGET, workgroupStorage: 32768, half: true, matrices: true };

/** The kernel of a 3x3 convolution of an image of `side` pixels. */
function kernelOf(side: number, inner: number, columns: number, target: Target, dtype: DType = "f16"): string {
  const graph = new Graph();
  const stored = (name: string, shape: readonly number[]): Value => ({ ...graph.input(name, shape), dtype });
  const inputs = { x: stored("x", [1, side, side, inner]), weight: stored("weight", [columns, 3, 3, inner]) };
  graph.apply(conv2d, inputs, { stride: 1, padding: 1, dilation: 1, groups: 1 });
  return lower(graph, target)
    .map(({ label }) => label)
    .join();
}

describe("a product of halves on an adapter with matrix units", () => {
  test("takes the tile that fills the machine", () => {
    expect(kernelOf(128, 64, 256, MATRICES)).toBe("gather 128x128 matrices");
    expect(kernelOf(32, 64, 256, MATRICES)).toBe("gather 64x64 matrices");
    expect(kernelOf(128, 64, 64, MATRICES)).toBe("gather 64x64 matrices");
    expect(kernelOf(128, 64, 256, { ...MATRICES, workgroupStorage: 16384 })).toBe("gather 64x64 matrices");
  });

  test("goes another way where it is small, or of whole numbers, or there are no such units", () => {
    for (const label of [
      kernelOf(4, 64, 256, MATRICES),
      kernelOf(128, 16, 256, MATRICES),
      kernelOf(128, 64, 16, MATRICES),
      kernelOf(128, 64, 256, MATRICES, "f32"),
      kernelOf(128, 64, 256, { ...MATRICES, matrices: false }),
    ]) {
      expect(label).not.toContain("matrices");
    }
  });
});

describe("an adapter's report", () => {
  const [of, into, m, n, k] = ["f16", "f32", 16, 16, 16] as const;
  const report: AdapterReport = {
    ...{ name: "a GPU", vendor: "", architecture: "", driver: "", backend: "vulkan", software: false, limits: {} },
    features: ["chromium-experimental-subgroup-matrix", "shader-f16", "subgroups"],
    ...{ subgroupMinSize: 32, subgroupMaxSize: 32, matrixProducts: [{ of, into, m, n, k }] },
  };
  test.each([
    ["has them", {}, true],
    ["lacks the feature", { features: ["shader-f16", "subgroups"] }, false],
    ["sums in f16", { matrixProducts: [{ of, into: "f16", m, n, k }] }, false],
    ["has other sides", { matrixProducts: [{ of, into, m: 8, n: 8, k: 8 }] }, false],
    ["has wider subgroups too, which cannot be chosen", { subgroupMaxSize: 64 }, false],
    [
      "has wider subgroups too, which can",
      { subgroupMaxSize: 64, features: [...report.features, "subgroup-size-control"] },
      true,
    ],
  ] as const)("%s", (_, change, expected) => {
    expect(targetOf({ ...report, ...change }).matrices).toBe(expected);
  });
});

describe("the null adapter, which reads shaders and runs none", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ backend: "null" });
  });
  afterAll(() => device.close());

  test("takes every kernel of a network of half precision, with matrices and without", async () => {
    const config = tinyNetwork("svanet", { base: 64 });
    const half = { precision: "f16" } as const;
    const graphs = [inferenceTrace(config, { batch: 2, ...half }).graph, tracedStep(config, 2, half).trace.graph];
    for (const target of [MATRICES, { ...MATRICES, subgroupSize: 32 }, { ...MATRICES, matrices: false }]) {
      const texts = new Map(graphs.flatMap((graph) => lower(graph, target)).map(({ wgsl, label }) => [wgsl, label]));
      const labels = new Set(texts.values());
      expect(labels.has("gather 64x64 matrices")).toBe(target.matrices);
      expect(labels.has("scatter 64x64 matrices")).toBe(target.matrices);
      for (const [wgsl, label] of texts) {
        const module = device.gpu.createShaderModule({ label, code: wgsl });
        const { messages } = await module.getCompilationInfo();
        expect(messages.map(({ message }) => `${label}: ${message}`)).toEqual([]);
      }
    }
  });
});
