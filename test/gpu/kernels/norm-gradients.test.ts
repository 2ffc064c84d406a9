import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import { multiply } from "../../../src/kernels/ops/arithmetic.ts";
import { gelu, hardswish, relu, sigmoid, silu } from "../../../src/kernels/ops/pointwise.ts";
import { fuse } from "../../../src/kernels/passes/fuse.ts";
import { takeActivationSlopes } from "../../../src/kernels/passes/norm-gradients.ts";
import type { Graph } from "../../../src/kernels/trace/graph.ts";
import type { Value } from "../../../src/kernels/trace/op.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { both, conv, map, normOfBatch, slope, sum } from "../../support/passes.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const ACTIVATIONS = { relu, silu, gelu, sigmoid, hardswish };

/** What `then` makes of a batch norm's result, and the gradient by the norm's input. */
function behindNorm(then: (graph: Graph, normal: Value) => Value) {
  return (graph: Graph): readonly Value[] => {
    const x = map(graph, "x");
    const y = then(graph, normOfBatch(graph, x));
    return [y, slope(graph, y, x)];
  };
}

const slopesThenFuse = (graph: Graph, keep: readonly Value[]) => {
  takeActivationSlopes(graph, keep);
  fuse(graph, keep);
};

describe("the gradient of a batch norm", () => {
  test.each(Object.entries(ACTIVATIONS))("takes the slope of %s, and the norm the activation", async (_, op) => {
    const { ops, apart } = await both(
      device,
      behindNorm((g, x) => g.apply(op, { x }, {})),
      slopesThenFuse,
    );
    expect(ops).toEqual(["batchNormTrain", "batchNormTrainSums", "batchNormTrainGrad"]);
    expect(apart).toBeLessThan(2e-6);
  });

  test("takes what another reader of the norm's input gives", async () => {
    const write = (g: Graph): readonly Value[] => {
      const x = map(g, "x");
      const y = sum(g, g.apply(relu, { x: normOfBatch(g, x) }, {}), conv(g, x));
      return [y, slope(g, y, x)];
    };
    const { ops, apart } = await both(device, write, slopesThenFuse);
    expect(ops.filter((op) => op !== "conv2d")).toEqual([
      "batchNormTrain",
      "conv2dGradX",
      "batchNormTrainSums",
      "batchNormTrainGrad",
    ]);
    expect(apart).toBeLessThan(2e-6);
  });

  test("leaves a slope alone that a residual reads too", async () => {
    const write = (g: Graph): readonly Value[] => {
      const [x, other] = [map(g, "x"), map(g, "y")];
      const y = g.apply(relu, { x: sum(g, normOfBatch(g, x), conv(g, other)) }, {});
      return [y, slope(g, y, x), slope(g, y, other)];
    };
    const { ops, apart } = await both(device, write, slopesThenFuse);
    expect(ops).toContain("reluGrad");
    expect(apart).toBeLessThan(2e-6);
  });

  test("leaves the slope of another tensor alone", async () => {
    const write = (g: Graph): readonly Value[] => {
      const x = map(g, "x");
      const y = g.apply(multiply, { x: normOfBatch(g, x), y: g.apply(relu, { x: map(g, "gate") }, {}) }, {});
      return [y, slope(g, y, x), slope(g, y, map(g, "gate"))];
    };
    const { ops, apart } = await both(device, write, takeActivationSlopes);
    expect(ops).toContain("reluGrad");
    expect(apart).toBeLessThan(2e-6);
  });
});
