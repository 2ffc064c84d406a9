import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import { conv2d } from "../../../src/kernels/ops/contraction/conv.ts";
import { concat } from "../../../src/kernels/ops/layout.ts";
import { pack2x2, unpack2x2 } from "../../../src/kernels/ops/packing.ts";
import { silu } from "../../../src/kernels/ops/pointwise.ts";
import { foldNormsForward } from "../../../src/kernels/passes/fold-norms.ts";
import { fuse } from "../../../src/kernels/passes/fuse.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import type { Value } from "../../../src/kernels/trace/op.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { bias, both, conv, map, norm, opsOf, POINT, sum } from "../../support/passes.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const passes = (graph: Graph, keep: readonly Value[]) => {
  fuse(graph, keep);
  foldNormsForward(graph, keep);
};

const point = (graph: Graph, x: Value, outer: number, name: string): Value =>
  graph.apply(conv2d, { x, weight: graph.input(name, [outer, 1, 1, x.shape[3] ?? 0]) }, POINT);

const FOLDS = {
  "into every 1x1 convolution that reads it, strided or not, behind what else reads its input": (g: Graph) => {
    const x = map(g, "x");
    const y = norm(g, x);
    const strided = g.apply(conv2d, { x: y, weight: g.input("b", [5, 1, 1, 8]) }, { ...POINT, stride: 2 });
    return [sum(g, x, bias(g, point(g, y, 8, "a"))), g.apply(silu, { x: strided }, {})];
  },
  "into one whose own norm scales the result": (g: Graph) => [norm(g, point(g, norm(g, map(g, "x")), 8, "a"))],
  "through moved pixels and joined channels": (g: Graph) => {
    const tokens = norm(g, g.apply(pack2x2, { x: map(g, "x") }, {}));
    const far = g.apply(unpack2x2, { x: tokens }, { height: 6, width: 6 });
    const joined = g.apply(concat(3), { x0: map(g, "before", 3), x1: far, x2: map(g, "behind", 2) }, {});
    return [point(g, joined, 7, "a")];
  },
};

const STAYS = {
  "where padding would have to be shifted": (g: Graph) => [conv(g, norm(g, map(g, "x")))],
  "where it is read after the run": (g: Graph) => {
    const y = norm(g, map(g, "x"));
    return [y, point(g, y, 8, "a")];
  },
  "where it is a residual as well": (g: Graph) => {
    const y = norm(g, map(g, "x"));
    return [sum(g, point(g, y, 8, "a"), y)];
  },
  "where one of its readers cannot take it": (g: Graph) => {
    const y = norm(g, map(g, "x"));
    return [point(g, y, 8, "a"), g.apply(silu, { x: g.apply(concat(2), { x0: y, x1: y }, {}) }, {})];
  },
  "where it is joined with itself": (g: Graph) => {
    const y = norm(g, map(g, "x"));
    return [point(g, g.apply(concat(2), { x0: y, x1: y }, {}), 8, "a")];
  },
};

describe("a norm is folded", () => {
  test.each(Object.entries(FOLDS))("%s", async (_name, write) => {
    const { ops, apart } = await both(device, write, passes);
    expect(ops).not.toContain("batchNormEval");
    expect(apart).toBeLessThan(2e-6);
  });
});

describe("a norm stays", () => {
  test.each(Object.entries(STAYS))("%s", async (_name, write) => {
    const { ops, apart } = await both(device, write, passes);
    expect(ops).toContain("batchNormEval");
    expect(ops).not.toContain("foldForward");
    expect(apart).toBeLessThan(2e-6);
  });

  test("where the folded weight would be too large to be kept from run to run", () => {
    const graph = new Graph();
    const y = point(graph, norm(graph, map(graph, "x")), 2 ** 13 + 1, "a");
    passes(graph, [y]);
    expect(opsOf(graph)).toEqual(["batchNormEval", "conv2d"]);
  });
});
