import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { statisticsOf } from "../../../src/checks/cases/norm.ts";
import { type Drawn, given, noise } from "../../../src/checks/draw.ts";
import { evaluate, floats } from "../../../src/checks/evaluate.ts";
import { lower } from "../../../src/kernels/compile/lower.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { conv2d, conv2dStatistics } from "../../../src/kernels/ops/contraction/conv.ts";
import { relu } from "../../../src/kernels/ops/pointwise.ts";
import { fuse } from "../../../src/kernels/passes/fuse.ts";
import { gatherStatistics } from "../../../src/kernels/passes/gather-statistics.ts";
import { DEFAULT_TARGET } from "../../../src/kernels/target.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import type { Value, Values } from "../../../src/kernels/trace/op.ts";
import { lastOf, type Shape } from "../../../src/kernels/trace/shape.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { deviation } from "../../support/numbers.ts";
import { bias, both, conv, map, normOfBatch, opsOf, POINT, slope, sum } from "../../support/passes.ts";

const fuseThenGather = (graph: Graph, keep: readonly Value[]) => {
  fuse(graph, keep);
  gatherStatistics(graph, DEFAULT_TARGET);
};

describe("a batch norm behind a convolution", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice();
  });
  afterAll(() => device.close());

  test("takes its statistics from it, its epilogue included, and keeps its own", async () => {
    const write = (g: Graph): readonly Value[] => {
      const x = map(g, "x");
      const y = g.apply(relu, { x: normOfBatch(g, sum(g, bias(g, conv(g, x)), x)) }, {});
      return [y, slope(g, y, x)];
    };
    const { ops, apart } = await both(device, write, fuseThenGather);
    expect(ops.slice(0, 2)).toEqual(["conv2dStatistics", "batchNormBy"]);
    expect(ops).not.toContain("batchNormTrain");
    expect(apart).toBeLessThan(2e-6);
  });

  test("makes its own where the convolution tells another norm, or something else made its input", () => {
    const graph = new Graph();
    const y = conv(graph, map(graph, "x"));
    normOfBatch(graph, y);
    normOfBatch(graph, y);
    normOfBatch(graph, map(graph, "z"));
    gatherStatistics(graph, DEFAULT_TARGET);
    expect(opsOf(graph)).toEqual(["conv2dStatistics", "batchNormBy", "batchNormTrain", "batchNormTrain"]);
  });

  test("makes its own where the convolution's residual may become a dispatch behind it", () => {
    const graph = new Graph();
    const y = normOfBatch(graph, sum(graph, conv(graph, map(graph, "x")), map(graph, "y")));
    fuse(graph, [y]);
    // x, weight, residual and result.
    gatherStatistics(graph, { ...DEFAULT_TARGET, storageBuffers: 3 });
    expect(opsOf(graph)).toEqual(["conv2d", "batchNormTrain"]);
  });
});

interface Sizes {
  readonly x: Shape;
  readonly weight: Shape;
}

/** With one compute unit a small output gets the tiles of a large one. */
const LARGE = { form: "128x128", computeUnits: 1, first: { x: [1, 8, 15, 68], weight: [100, 1, 1, 68] }, more: [] };

/** One row more than tiles, fewer than a lane has, a last tile whose later lanes have none; columns by fours and not. */
const SMALL = {
  ...{ form: "64x64", computeUnits: 128, first: { x: [1, 1, 129, 8], weight: [68, 1, 1, 8] } },
  more: [
    { x: [1, 1, 5, 8], weight: [4, 1, 1, 8] },
    { x: [2, 13, 15, 5], weight: [67, 1, 1, 5] },
  ],
};

interface Tiles {
  readonly form: string;
  readonly computeUnits: number;
  readonly first: Sizes;
  readonly more: readonly Sizes[];
}

describe.each<Tiles>([SMALL, LARGE])("tiles of $form", ({ form, computeUnits, first, more }) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ target: { software: false, subgroupSize: null, computeUnits } });
  });
  afterAll(() => device.close());

  /** A convolution's result, and the statistics that its tiles tell beside those of the result by definition. */
  async function told(x: Drawn, weight: Drawn) {
    const labels: string[] = [];
    const inputs = {
      x: { shape: x.shape, data: x.numbers(1) },
      weight: { shape: weight.shape, data: weight.numbers(2) },
    };
    const { outputs } = await evaluate(device, inputs, (graph, values) => {
      const made = graph.applyAll(conv2dStatistics, values as Values<"x" | "weight">, POINT);
      labels.push(...lower(graph, device.target).map(({ label }) => label));
      return made;
    });
    expect(labels[0]).toBe(`gather ${form} tile, statistics`);
    const [y = new Float32Array(), statistics = y] = outputs.map(floats);
    const defined = statisticsOf({ shape: outputs[0]?.shape ?? [], at: (i) => y[i] ?? Number.NaN });
    const [columns = 0] = weight.shape;
    const exact = Float64Array.from({ length: 3 * columns }, (_, i) => defined.at(i));
    const rows = (of: Float32Array | Float64Array) => [0, 1, 2].map((n) => of.subarray(n * columns, (n + 1) * columns));
    return { got: rows(statistics), exact: rows(exact) };
  }

  test.each([first, ...more])(
    "tell mean and variance of what they store: x $x, weight $weight",
    async ({ x, weight }) => {
      const { got, exact } = await told(noise(x, { centre: 0.5 }), noise(weight));
      for (const row of [0, 1]) expect(deviation(got[row], exact[row] ?? [])).toBeLessThan(1e-6);
    },
  );

  test("keep the digits of a mean that is large beside the deviation", async () => {
    const far = 1e5;
    const { x, weight } = first;
    const channels = lastOf(x);
    const one = given(weight, (i) => Number(i % channels === Math.floor(i / channels) % channels));
    const { got, exact } = await told(noise(x, { centre: far }), one);
    for (const [c, mean] of (exact[0] ?? []).entries()) {
      const [high = Number.NaN, variance = Number.NaN, low = Number.NaN] = got.map((row) => row[c]);
      expect(Math.abs(low)).toBeLessThanOrEqual(2 ** -23 * far);
      expect(Math.abs(high + low - mean)).toBeLessThan(1e-6);
      expect(Math.abs(variance / (exact[1]?.[c] ?? Number.NaN) - 1)).toBeLessThan(1e-5);
    }
  });
});

test("the result has the bits of the convolution by itself, which repeats it", async () => {
  const device = await openDevice({ target: { software: false, subgroupSize: null } });
  try {
    const inputs = Object.fromEntries(
      Object.entries<Shape>(SMALL.first).map(([name, shape], i) => [name, { shape, data: noise(shape).numbers(i) }]),
    );
    const { outputs } = await evaluate(device, inputs, (graph, values) => {
      const both = values as Values<"x" | "weight">;
      return [graph.apply(conv2dStatistics, both, POINT), graph.apply(conv2d, both, POINT)];
    });
    const [first, repeated] = outputs.map(floats);
    expect(repeated).toEqual(first);
    expect(new Set(first).size).toBeGreaterThan(100);
  } finally {
    device.close();
  }
});
