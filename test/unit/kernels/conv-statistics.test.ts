import { describe, expect, test } from "vitest";
import { lower } from "../../../src/kernels/compile/lower.ts";
import { conv2dStatistics } from "../../../src/kernels/ops/contraction/conv.ts";
import { DEFAULT_TARGET, SOFTWARE_TARGET, type Target } from "../../../src/kernels/target.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import type { Shape } from "../../../src/kernels/trace/shape.ts";

/** Labels of the dispatches of a 1x1 convolution with its statistics, and what the last of them reads. */
function lowered(x: Shape, weight: Shape, target: Partial<Target> = {}) {
  const graph = new Graph();
  const inputs = { x: graph.input("x", x), weight: graph.input("weight", weight) };
  const [y] = graph.applyAll(conv2dStatistics, inputs, { stride: 1, padding: 0, dilation: 1, groups: 1 });
  const dispatches = lower(graph, { ...DEFAULT_TARGET, ...target });
  const read = dispatches.flatMap(({ bindings }) => bindings).filter(({ access }) => access === "read");
  return { labels: dispatches.map(({ label }) => label), readsResult: read.some(({ value }) => value.id === y.id) };
}

const TELLING = { labels: ["gather 64x64 tile, statistics", "conv2d statistics"], readsResult: false };

describe("the statistics of a convolution's result", () => {
  test("are told by its tiles", () => {
    expect(lowered([2, 40, 40, 8], [12, 1, 1, 8])).toEqual(TELLING);
  });

  test("are read off it where its sums are split", () => {
    const { labels, readsResult } = lowered([1, 4, 4, 2048], [64, 1, 1, 2048]);
    expect(labels).toEqual(["gather 64x64 tile", "sum of splits", "conv2d statistics"]);
    expect(readsResult).toBe(true);
  });

  test("are read off it on a CPU driver, by the kernels that it has anyway", () => {
    const { labels, readsResult } = lowered([2, 5, 7, 8], [12, 1, 1, 8], SOFTWARE_TARGET);
    expect(labels[0]).toMatch(/^gather .* shuffle$/);
    expect(readsResult).toBe(true);
  });

  test("are read off it where one more tensor is more than a kernel may bind", () => {
    // x in five parts, y in two and the weight are eight; what tiles tell would be the ninth.
    const target = { bindingLimit: 4096, storageBuffers: 8 };
    const { labels, readsResult } = lowered([1, 64, 8, 9], [3, 1, 1, 9], target);
    expect(labels[0]).toBe("gather 64x64 tile");
    expect(readsResult).toBe(true);
    expect(lowered([1, 64, 8, 9], [3, 1, 1, 9], { ...target, storageBuffers: 9 }).labels[0]).toBe(TELLING.labels[0]);
  });

  test("are read off it where large tiles have single panels", () => {
    const { labels, readsResult } = lowered([1, 8, 15, 67], [100, 1, 1, 67], { computeUnits: 1 });
    expect(labels[0]).toBe("gather 128x128 tile");
    expect(readsResult).toBe(true);
  });
});
