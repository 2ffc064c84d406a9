import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import { scale } from "../../../src/kernels/ops/arithmetic.ts";
import { conv2d } from "../../../src/kernels/ops/contraction/conv.ts";
import { sigmoid } from "../../../src/kernels/ops/pointwise.ts";
import { adaptiveAveragePool2d } from "../../../src/kernels/ops/pool/pool.ts";
import { reduceSum } from "../../../src/kernels/ops/reduce/reduce.ts";
import { fuse } from "../../../src/kernels/passes/fuse.ts";
import { takeMeansFirst } from "../../../src/kernels/passes/linear-means.ts";
import type { Graph } from "../../../src/kernels/trace/graph.ts";
import type { Value } from "../../../src/kernels/trace/op.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { bias, both, map, POINT, sum } from "../../support/passes.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const passes = (graph: Graph, keep: readonly Value[]) => {
  takeMeansFirst(graph, keep);
  fuse(graph, keep);
};

const mean = (g: Graph, x: Value): Value => {
  const [, h = 1, w = 1] = x.shape;
  return g.apply(reduceSum, { x }, { axes: [1, 2], factor: 1 / (h * w) });
};

/** Of a map `name`, pooled to `cells` x `cells`: the 1x1 convolution of each cell. */
const probed = (g: Graph, name: string, { side = 6, cells = 3, c = 5 } = {}): Value => {
  const pooled = g.apply(adaptiveAveragePool2d, { x: map(g, name, c, side) }, { height: cells, width: cells });
  return bias(g, g.apply(conv2d, { x: pooled, weight: g.input(`${name}.weight`, [8, 1, 1, c]) }, POINT));
};

const third = (g: Graph, x: Value): Value => g.apply(scale, { x }, { factor: 1 / 3 });

describe("means come first", () => {
  test("of pooled maps of any size, their sum, factor and activation in the convolutions of one pixel", async () => {
    const { ops, apart } = await both(
      device,
      (g) => {
        const logits = sum(
          g,
          sum(g, mean(g, probed(g, "x")), mean(g, probed(g, "y", { side: 15, c: 7 }))),
          mean(g, probed(g, "z")),
        );
        return [g.apply(sigmoid, { x: third(g, logits) }, {})];
      },
      passes,
    );
    expect(ops.filter((op) => op !== "scale").sort()).toEqual([
      ...Array(3).fill("conv2d"),
      ...Array(3).fill("reduceSum"),
    ]);
    expect(ops.filter((op) => op === "scale")).toHaveLength(3);
    expect(apart).toBeLessThan(2e-6);
  });
});

describe("means stay where they are", () => {
  const cases: Readonly<Record<string, (g: Graph) => readonly Value[]>> = {
    "of cells that share pixels": (g) => [mean(g, probed(g, "x", { side: 7 }))],
    "of cells that something else reads": (g) => {
      const cells = probed(g, "x");
      return [mean(g, cells), g.apply(sigmoid, { x: cells }, {})];
    },
    "of what is no mean": (g) => [g.apply(reduceSum, { x: probed(g, "x") }, { axes: [1, 2], factor: 1 })],
    "along one axis": (g) => [g.apply(reduceSum, { x: probed(g, "x") }, { axes: [1], factor: 1 / 9 })],
  };
  test.each(Object.entries(cases))("%s", async (_name, write) => {
    const { ops, apart } = await both(device, write, passes);
    expect(ops).toContain("adaptiveAveragePool2d");
    expect(apart).toBeLessThan(2e-6);
  });

  test("a factor of what is not linear stays behind it", async () => {
    const { ops, apart } = await both(
      device,
      (g) => [third(g, sum(g, mean(g, probed(g, "x")), g.apply(sigmoid, { x: mean(g, map(g, "y")) }, {})))],
      passes,
    );
    expect(ops.at(-1)).toBe("scale");
    expect(apart).toBeLessThan(2e-6);
  });

  test("a factor of a sum that something else reads stays behind it", async () => {
    const { ops, apart } = await both(
      device,
      (g) => {
        const logits = mean(g, probed(g, "x"));
        return [logits, third(g, logits)];
      },
      passes,
    );
    expect(ops.at(-1)).toBe("scale");
    expect(apart).toBeLessThan(2e-6);
  });
});
