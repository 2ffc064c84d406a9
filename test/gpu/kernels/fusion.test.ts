import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import { multiply, scale } from "../../../src/kernels/ops/arithmetic.ts";
import { conv2d, convTranspose2d } from "../../../src/kernels/ops/contraction/conv.ts";
import { concat } from "../../../src/kernels/ops/layout.ts";
import { batchNormTrain } from "../../../src/kernels/ops/norm/batch-norm.ts";
import { gelu, hardswish, relu, sigmoid, silu } from "../../../src/kernels/ops/pointwise.ts";
import { resizeBilinear, resizeNearest } from "../../../src/kernels/ops/resize.ts";
import { accumulate } from "../../../src/kernels/ops/update/update.ts";
import { fuse } from "../../../src/kernels/passes/fuse.ts";
import { dropUnread, splitPointwiseOverConcat } from "../../../src/kernels/passes/rewrite.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import type { Value } from "../../../src/kernels/trace/op.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import {
  bias,
  both,
  conv,
  dense,
  map,
  norm,
  normInputs,
  normOfBatch,
  opsOf,
  POINT,
  slope,
  sum,
  TURNED,
  turned,
} from "../../support/passes.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

interface Rule {
  readonly name: string;
  /** Writes the literal steps and returns what is read. */
  readonly write: (graph: Graph) => readonly Value[];
  /** The ops of the steps that are left. */
  readonly left: readonly string[];
}

const ACTIVATIONS = { relu, silu, gelu, sigmoid, hardswish };

const RULES: readonly Rule[] = [
  ...Object.entries({ conv2d: conv, convTranspose2d: turned }).flatMap(([op, contraction]): Rule[] => [
    { name: `a norm into ${op}`, write: (g) => [norm(g, contraction(g, map(g, "x")))], left: ["foldNorm", op] },
    { name: `a bias into ${op}`, write: (g) => [bias(g, contraction(g, map(g, "x")))], left: [op] },
    {
      name: `norm, residual and activation into ${op}, in this order`,
      write: (g) => {
        const y = norm(g, contraction(g, map(g, "x")));
        return [g.apply(silu, { x: sum(g, y, g.input("residual", y.shape)) }, {})];
      },
      left: ["foldNorm", op],
    },
  ]),
  ...Object.entries(ACTIVATIONS).map(
    ([name, op]): Rule => ({
      name: `${name} into conv2d behind its bias`,
      write: (g) => [g.apply(op, { x: bias(g, conv(g, map(g, "x"))) }, {})],
      left: ["conv2d"],
    }),
  ),
  {
    name: "bias and activation into linear",
    write: (g) => [g.apply(gelu, { x: bias(g, dense(g, g.input("x", [7, 8]))) }, {})],
    left: ["linear"],
  },
  {
    name: "a residual on the left into conv2d",
    write: (g) => [sum(g, map(g, "residual"), conv(g, map(g, "x")))],
    left: ["conv2d"],
  },
  {
    name: "residual and activation into a norm by running statistics",
    write: (g) => [g.apply(relu, { x: sum(g, norm(g, map(g, "x")), map(g, "residual")) }, {})],
    left: ["batchNormEval"],
  },
  {
    name: "residual and activation into a norm by the batch's statistics",
    write: (g) => [g.apply(relu, { x: sum(g, normOfBatch(g, map(g, "x")), map(g, "residual")) }, {})],
    left: ["batchNormTrain"],
  },
  {
    name: "what is added to a gated map into the gate",
    write: (g) => [
      sum(g, map(g, "residual"), g.apply(multiply, { x: map(g, "x"), y: g.input("gate", [2, 1, 1, 8]) }, {})),
    ],
    left: ["multiply"],
  },
  {
    name: "the later of two convolutions takes the sum",
    write: (g) => [sum(g, conv(g, map(g, "x")), conv(g, map(g, "y"), "other"))],
    left: ["conv2d", "conv2d"],
  },
  {
    name: "a second gradient of a tensor into conv2dGradX",
    write: (g) => {
      const x = map(g, "x");
      return [slope(g, sum(g, conv(g, x), conv(g, x, "other")), x)];
    },
    left: ["conv2d", "conv2d", "conv2dGradX", "conv2dGradX"],
  },
  {
    name: "a second gradient of a tensor into convTranspose2dGradX",
    write: (g) => {
      const x = map(g, "x");
      const other = g.apply(convTranspose2d, { x, weight: g.input("other", [8, 3, 3, 8]) }, TURNED);
      return [slope(g, sum(g, turned(g, x), other), x)];
    },
    left: ["convTranspose2d", "convTranspose2d", "convTranspose2dGradX", "convTranspose2dGradX"],
  },
  {
    name: "a second gradient of a tensor into linearGradX",
    write: (g) => {
      const x = g.input("x", [7, 8]);
      return [slope(g, sum(g, dense(g, x), dense(g, x, "other")), x)];
    },
    left: ["linear", "linear", "linearGradX", "linearGradX"],
  },
];

/** What must be left alone. */
const EXCEPTIONS: readonly Rule[] = [
  {
    name: "a tensor that is read after the run",
    write: (g) => {
      const y = bias(g, conv(g, map(g, "x")));
      return [y, g.apply(relu, { x: y }, {})];
    },
    left: ["conv2d", "relu"],
  },
  {
    name: "a tensor with a second reader",
    write: (g) => {
      const y = conv(g, map(g, "x"));
      return [sum(g, g.apply(relu, { x: y }, {}), g.apply(silu, { x: y }, {}))];
    },
    left: ["conv2d", "relu", "silu", "add"],
  },
  {
    name: "an activation behind an activation",
    write: (g) => [g.apply(silu, { x: g.apply(relu, { x: conv(g, map(g, "x")) }, {}) }, {})],
    left: ["conv2d", "silu"],
  },
  {
    name: "a norm behind a residual, which it would have to scale",
    write: (g) => [norm(g, sum(g, conv(g, map(g, "x")), map(g, "residual")))],
    left: ["conv2d", "batchNormEval"],
  },
  {
    name: "a norm whose statistics are read before what would be moved into it",
    write: (g) => {
      const [y, statistics] = g.applyAll(batchNormTrain, { x: map(g, "x"), ...normInputs(g) }, { eps: 1e-3 });
      if (!statistics) throw new Error("there are no statistics");
      const doubled = g.apply(scale, { x: statistics }, { factor: 2 });
      return [doubled, g.apply(relu, { x: y }, {})];
    },
    left: ["batchNormTrain", "scale", "relu"],
  },
  {
    name: "a sum that spreads a smaller tensor",
    write: (g) => [sum(g, conv(g, map(g, "x")), g.input("row", [2, 1, 1, 8]))],
    left: ["conv2d", "add"],
  },
  {
    name: "what backward keeps: the input of silu",
    write: (g) => {
      const x = map(g, "x");
      const y = g.apply(silu, { x: conv(g, x) }, {});
      return [y, slope(g, y, x)];
    },
    left: ["conv2d", "silu", "siluGrad", "conv2dGradX"],
  },
];

describe("fusion moves", () => {
  test.each(RULES)("$name", async ({ write, left }) => {
    const { ops, apart } = await both(device, write, fuse);
    expect(ops).toEqual(left);
    expect(apart).toBeLessThan(2e-6);
  });
});

describe("fusion leaves alone", () => {
  test.each(EXCEPTIONS)("$name", async ({ write, left }) => {
    const { ops, apart } = await both(device, write, fuse);
    expect(ops).toEqual(left);
    expect(apart).toBeLessThan(2e-6);
  });
});

/** A classifier of three maps, two of them enlarged. */
function classifierOf(graph: Graph, readers = 1): readonly Value[] {
  const enlarged = graph.apply(
    resizeBilinear,
    { x: map(graph, "low", 8, 3) },
    { height: 6, width: 6, alignCorners: true },
  );
  const pooled = graph.apply(resizeNearest, { x: map(graph, "pooled", 4, 1) }, { height: 6, width: 6 });
  const all = graph.apply(concat(3), { x0: map(graph, "high"), x1: enlarged, x2: pooled }, {});
  const weights = ["one", "two"].slice(0, readers);
  return weights.map((name) => graph.apply(conv2d, { x: all, weight: graph.input(name, [5, 1, 1, 20]) }, POINT));
}

describe("rewrites", () => {
  test("a 1x1 convolution of joined maps is taken at each map's own size: no joined map, no large resize", async () => {
    const { ops, apart } = await both(device, classifierOf, splitPointwiseOverConcat);
    expect(ops).toEqual([
      ...["sliceLast", "conv2d", "sliceLast", "conv2d", "resizeBilinear"],
      ...["sliceLast", "conv2d", "resizeNearest", "add", "add"],
    ]);
    expect(apart).toBeLessThan(2e-6);
  });

  test("a joined map with a second reader stays", async () => {
    const { ops } = await both(device, (graph) => classifierOf(graph, 2), splitPointwiseOverConcat);
    expect(ops).toEqual(["resizeBilinear", "resizeNearest", "concat3", "conv2d", "conv2d"]);
  });

  test("what nobody reads is dropped, with all that only it reads", async () => {
    const { ops, apart } = await both(
      device,
      (graph) => {
        const y = conv(graph, map(graph, "x"));
        sum(graph, graph.apply(sigmoid, { x: conv(graph, y, "other") }, {}), y);
        return [y];
      },
      dropUnread,
    );
    expect(ops).toEqual(["conv2d"]);
    expect(apart).toBe(0);
  });

  test("what changes a tensor in place is not dropped, nor what it reads", () => {
    const graph = new Graph();
    const part = graph.apply(relu, { x: graph.input("x", [4]) }, {});
    graph.update(accumulate, { total: graph.input("total", [4]), part }, {});
    dropUnread(graph, []);
    expect(opsOf(graph)).toEqual(["relu", "accumulate"]);
  });
});
