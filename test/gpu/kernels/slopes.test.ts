import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lower } from "../../../src/kernels/compile/lower.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { multiply, scale } from "../../../src/kernels/ops/arithmetic.ts";
import type { Conv2dAttrs } from "../../../src/kernels/ops/contraction/contract.ts";
import { conv2d, convTranspose2d } from "../../../src/kernels/ops/contraction/conv.ts";
import { dropout } from "../../../src/kernels/ops/dropout.ts";
import { concat } from "../../../src/kernels/ops/layout.ts";
import { layerNorm } from "../../../src/kernels/ops/norm/layer-norm.ts";
import { gelu, geluTanh, hardswish, relu, sigmoid, silu } from "../../../src/kernels/ops/pointwise.ts";
import { averagePool2d } from "../../../src/kernels/ops/pool/average-pool.ts";
import { adaptiveAveragePool2d, maxPool2d } from "../../../src/kernels/ops/pool/pool.ts";
import { reduceSum } from "../../../src/kernels/ops/reduce/reduce.ts";
import { resizeBilinear, resizeNearest } from "../../../src/kernels/ops/resize.ts";
import { fuse } from "../../../src/kernels/passes/fuse.ts";
import type { Target } from "../../../src/kernels/target.ts";
import { Graph, type Step } from "../../../src/kernels/trace/graph.ts";
import type { Value } from "../../../src/kernels/trace/op.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import {
  both,
  conv,
  dense,
  map,
  normInputs,
  normOfBatch,
  POINT,
  SAME,
  slope,
  sum,
  TURNED,
} from "../../support/passes.ts";

type Layer = (graph: Graph, x: Value) => Value;

const EVERY_AXIS = { axes: [0, 1, 2, 3], factor: 1 } as const;

/** `[1, 1, 1, 1]`: a sum of all elements, each with a weight of its own, so that each has another gradient. */
const total = (g: Graph, y: Value, name: string): Value =>
  g.apply(reduceSum, { x: g.apply(multiply, { x: y, y: g.input(name, y.shape) }, {}) }, EVERY_AXIS);

/** The gradient by what an activation is given, whose result only a layer reads. */
const behind =
  (layer: Layer, activation: typeof silu = silu) =>
  (g: Graph): readonly Value[] => {
    const x = map(g, "x");
    return [slope(g, total(g, layer(g, g.apply(activation, { x }, {})), "upstream of y"), x)];
  };

/** The same where a convolution reads the result as well: its gradient is there before the layer's. */
const besides =
  (layer: Layer) =>
  (g: Graph): readonly Value[] => {
    const x = map(g, "x");
    const a = g.apply(silu, { x }, {});
    const y = total(g, layer(g, a), "upstream of y");
    return [slope(g, sum(g, y, total(g, conv(g, a, "other"), "upstream of z")), x)];
  };

const weighted =
  (shape: readonly number[], attrs: Partial<Conv2dAttrs> = {}): Layer =>
  (g, x) =>
    g.apply(conv2d, { x, weight: g.input("weight", shape) }, { ...SAME, ...attrs });

type Maker = readonly [maker: string, about: string, layer: Layer];

/** By the op that makes the gradient, layers whose gradient it is: one of each kernel, and of each way it stores. */
const CONTRACTIONS: readonly Maker[] = [
  ["conv2dGradX", "3x3", weighted([8, 3, 3, 8])],
  ["conv2dGradX", "stride 2", weighted([8, 3, 3, 8], { stride: 2 })],
  ["conv2dGradX", "depthwise", weighted([8, 3, 3, 1], { groups: 8 })],
  ["conv2dGradX", "in two groups", weighted([8, 3, 3, 4], { groups: 2 })],
  [
    "convTranspose2dGradX",
    "",
    (g, x) => g.apply(convTranspose2d, { x, weight: g.input("turned", [8, 3, 3, 8]) }, TURNED),
  ],
];

const OTHERS: readonly Maker[] = [
  ["multiply", "by a gate", (g, x) => g.apply(multiply, { x, y: g.input("gate", [2, 1, 1, 8]) }, {})],
  ["batchNormTrainGrad", "", normOfBatch],
  ["layerNormGrad", "", (g, x) => g.apply(layerNorm, { x, ...normInputs(g) }, { eps: 1e-3 })],
  ["sliceLast", "", (g, x) => g.apply(concat(2), { x0: map(g, "before", 4), x1: x }, {})],
  ["scale", "", (g, x) => g.apply(scale, { x }, { factor: 0.3 })],
  ["dropout", "", (g, x) => g.apply(dropout, { x, seed: g.input("seed", [1]) }, { drop: 0.4 })],
  ["expand", "", (g, x) => g.apply(reduceSum, { x }, { axes: [1, 2], factor: 0.2 })],
  ["maxPool2dGrad", "", (g, x) => g.apply(maxPool2d, { x }, { kernel: 3, stride: 2, padding: 1 })],
  ["averagePool2dGrad", "", (g, x) => g.apply(averagePool2d, { x }, HALVES)],
  ["adaptiveAveragePool2dGrad", "", (g, x) => g.apply(adaptiveAveragePool2d, { x }, { height: 4, width: 3 })],
  ["resizeBilinearGrad", "", (g, x) => g.apply(resizeBilinear, { x }, { height: 9, width: 11, alignCorners: true })],
  ["resizeNearestGrad", "of rows", (g, x) => g.apply(resizeNearest, { x }, { height: 6, width: 13 })],
];

const HALVES = { kernel: 2, stride: 2, padding: 0, ceil: false, countPadding: true } as const;

/** Workgroup tiles, as a GPU has them. */
const TILES: Partial<Target> = { software: false, subgroupSize: null };
const KERNELS: Readonly<Record<string, Partial<Target>>> = { "this adapter's kernels": {}, "tiles of a GPU": TILES };

const devices = new Map<Partial<Target>, Device>();
beforeAll(async () => {
  for (const target of Object.values(KERNELS)) devices.set(target, await openDevice({ target }));
});
afterAll(() => {
  for (const device of devices.values()) device.close();
});

async function fused(target: Partial<Target>, write: (graph: Graph) => readonly Value[]) {
  const device = devices.get(target);
  if (!device) throw new Error("there is no such device");
  const { ops, last, apart } = await both(device, write, fuse);
  return { slopes: ops.filter((op) => /^(relu|silu|gelu|sigmoid|hardswish)Grad$/.test(op)), last, apart };
}

const partsOf = (step: Step | undefined): string[] => Object.keys(step?.epilogue ?? {});

describe.each(Object.entries(KERNELS))("by %s", (_, target) => {
  test.each([...CONTRACTIONS, ...OTHERS.slice(0, 2)])(
    "%s %s multiplies by the slope, to the same bits",
    async (maker, _about, layer) => {
      const { slopes, last, apart } = await fused(target, behind(layer));
      expect(slopes).toEqual([]);
      expect(last?.op.name).toBe(maker);
      expect(partsOf(last)).toEqual(["slope", "saved"]);
      expect(apart).toBe(0);
    },
  );
});

test.each([...CONTRACTIONS.slice(0, 1), ...OTHERS])(
  "%s %s adds another reader's gradient before the slope",
  async (maker, _about, layer) => {
    const { slopes, last, apart } = await fused(KERNELS["this adapter's kernels"] ?? {}, besides(layer));
    expect(slopes).toEqual([]);
    expect(last?.op.name).toBe(maker);
    expect(partsOf(last)).toEqual(["residual", "slope", "saved"]);
    expect(apart).toBeLessThan(2e-6);
  },
);

describe("the slope of", () => {
  test.each(Object.entries({ relu, silu, gelu, sigmoid, hardswish }))(
    "%s goes where the gradient is made",
    async (_, op) => {
      for (const layer of [weighted([8, 3, 3, 8]), OTHERS[0]?.[2] ?? normOfBatch]) {
        const { slopes, apart } = await fused(KERNELS["this adapter's kernels"] ?? {}, behind(layer, op));
        expect(slopes).toEqual([]);
        expect(apart).toBe(0);
      }
    },
  );

  test("sigmoid goes into the sum that is the gradient of a gate", async () => {
    const write = (g: Graph) => {
      const gate = g.input("gate", [2, 1, 1, 8]);
      const y = g.apply(multiply, { x: map(g, "x"), y: g.apply(sigmoid, { x: gate }, {}) }, {});
      return [slope(g, y, gate)];
    };
    for (const target of Object.values(KERNELS)) {
      const { last, apart } = await fused(target, write);
      expect(last?.op.name).toBe("reduceProduct");
      expect(partsOf(last)).toEqual(["slope", "saved"]);
      expect(apart).toBe(0);
    }
  });

  test("GELU by tanh, which no kernel's tail has, stays a step", async () => {
    const { last } = await fused(KERNELS["this adapter's kernels"] ?? {}, behind(weighted([8, 3, 3, 8]), geluTanh));
    expect(last?.op.name).toBe("geluTanhGrad");
  });

  test("an activation stays a step behind a gradient that something else reads too", async () => {
    const write = (g: Graph) => {
      const x = g.input("x", [7, 8]);
      return [slope(g, dense(g, sum(g, g.apply(silu, { x }, {}), x)), x)];
    };
    const { slopes } = await fused(KERNELS["this adapter's kernels"] ?? {}, write);
    expect(slopes).toEqual(["siluGrad"]);
  });
});

describe("where a kernel has no bindings left", () => {
  /** So little that every map is bound in two parts. */
  const target = { ...TILES, bindingLimit: 2048, storageBuffers: 8 };
  const write = besides(weighted([8, 1, 1, 8], { padding: POINT.padding }));

  test("what a gradient is added to and multiplied by gets a dispatch of its own, to the same numbers", async () => {
    const device = await openDevice({ target });
    try {
      const { last, apart } = await both(device, write, fuse);
      expect(partsOf(last)).toEqual(["residual", "slope", "saved"]);
      expect(apart).toBeLessThan(2e-6);
      const graph = new Graph();
      fuse(graph, write(graph));
      const labels = lower(graph, device.target).map(({ label }) => label);
      expect(labels.slice(-2)).toEqual(["scatter 64x64 tile", "behind conv2dGradX"]);
    } finally {
      device.close();
    }
  });
});
