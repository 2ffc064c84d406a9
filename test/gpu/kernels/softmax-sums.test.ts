import { afterAll, beforeAll, expect, test } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import { weightedSum } from "../../../src/kernels/ops/reduce/reduce.ts";
import { softmax } from "../../../src/kernels/ops/reduce/softmax.ts";
import { joinSoftmaxSums } from "../../../src/kernels/passes/softmax-sums.ts";
import type { Graph } from "../../../src/kernels/trace/graph.ts";
import type { Value } from "../../../src/kernels/trace/op.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { both } from "../../support/passes.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const weightsOf = (g: Graph, groups = 3): Value => g.apply(softmax, { x: g.input("logits", [groups, 77]) }, {});
const sumOf = (g: Graph, weights: Value): Value => g.apply(weightedSum, { weights, x: g.input("x", [3, 77, 5]) }, {});

test("a sum weighted by a softmax is one step", async () => {
  const { ops, apart } = await both(device, (g) => [sumOf(g, weightsOf(g))], joinSoftmaxSums);
  expect(ops).toEqual(["softmaxSum"]);
  expect(apart).toBeLessThan(2e-6);
});

test.each<[string, (g: Graph) => readonly Value[]]>([
  [
    "weights that are read after the run",
    (g) => {
      const weights = weightsOf(g);
      return [weights, sumOf(g, weights)];
    },
  ],
  ["one row of weights for all groups", (g) => [sumOf(g, weightsOf(g, 1))]],
])("%s stay", async (_name, write) => {
  const { ops, apart } = await both(device, write, joinSoftmaxSums);
  expect(ops).toEqual(["softmax", "weightedSum"]);
  expect(apart).toBe(0);
});
