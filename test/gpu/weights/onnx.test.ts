import { afterAll, beforeAll, expect, test } from "vitest";
import { checkpointToOnnx } from "../../../src/experiment/checkpoint/export.ts";
import { Program } from "../../../src/kernels/compile/program.ts";
import { StateStore } from "../../../src/kernels/compile/state.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { add, multiply, scale } from "../../../src/kernels/ops/arithmetic.ts";
import { concat } from "../../../src/kernels/ops/layout.ts";
import { relu, sigmoid } from "../../../src/kernels/ops/pointwise.ts";
import { reduceSum } from "../../../src/kernels/ops/reduce/reduce.ts";
import { softmax } from "../../../src/kernels/ops/reduce/softmax.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import type { Value } from "../../../src/kernels/trace/op.ts";
import { sizeOf } from "../../../src/kernels/trace/shape.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { Network } from "../../../src/training/network.ts";
import { exportOnnx } from "../../../src/weights/onnx/export-onnx.ts";
import { untrained } from "../../support/checkpoint.ts";
import { isSvanet, NETWORKS, tinyNetwork } from "../../support/nets.ts";
import { initialisers, largestDifference, noise, runOnnx, unsettleNorms } from "../../support/onnx.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** The kinds of attention that no preset has. */
const GATES = { neckAttention: "coord", formerGateBefore: "cbam", formerGateAfter: "coord" } as const;

test.each(NETWORKS)("%s: ONNX Runtime agrees with our engine", async (name) => {
  // Sides that need padding where the network pads.
  const [height, width] = isSvanet(name) ? [64, 96] : [50, 70];
  const whole = tinyNetwork(name, { classes: 3, height, width });
  const gates = name === "svanet-release" ? GATES : {};
  const config = whole.kind === "svanet" ? { ...whole, encoder: "mini" as const, ...gates } : whole;
  const network = await Network.create(device, config, 1);
  const tensors = await unsettleNorms(network);
  const model = checkpointToOnnx({ path: "net", facts: untrained(name, config), tensors }).encode();
  const stored = initialisers(model);
  for (const [tensor, shape] of stored)
    expect([tensor, ...shape]).toEqual([tensor, ...network.table.get(tensor).shape]);
  // Further outputs and region maps are not in an evaluation.
  const read = network.table.list().filter((entry) => entry.kind !== "region" && stored.has(entry.name));
  expect(read.length / network.table.list().length).toBeGreaterThan(0.8);
  // One size of batch that was traced for the export, one that was not.
  for (const batch of name === "svanet" ? [1, 3] : [1]) {
    const shape = [batch, height, width, 3] as const;
    const image = noise(sizeOf(shape), "image");
    const { program, logits, feed } = await network.inference({ batch });
    feed(program, image);
    program.run();
    const ours = await program.read(logits);
    const theirs = (await runOnnx(model, image, shape)).get("logits") ?? new Float32Array(0);
    const largest = Math.max(...ours.map(Math.abs));
    expect(largest).toBeGreaterThan(0.01);
    expect(largestDifference(ours, theirs) / largest).toBeLessThan(1e-4);
    program.destroy();
  }
  network.destroy();
});

/** What takes several values that grow with the batch; every op by itself is in test/unit/weights/onnx-ops.test.ts. */
function cases(graph: Graph, x: Value): Map<string, Value> {
  const mean = graph.apply(reduceSum, { x }, { axes: [1, 2], factor: 1 / 70 });
  const large = graph.apply(scale, { x }, { factor: 3 });
  return new Map<string, Value>([
    ["gate", graph.apply(multiply, { x, y: graph.apply(sigmoid, { x: mean }, {}) }, {})],
    ["sum", graph.apply(add, { x, y: large }, {})],
    ["softmax of a view", graph.apply(softmax, { x: graph.view(x, [(x.shape[0] ?? 1) * 7, 60]) }, {})],
    ["concat", graph.apply(concat(3), { x0: x, x1: large, x2: x }, {})],
  ]);
}

test("ops of several inputs, in odd sizes", async () => {
  const trace = (batch: number) => {
    const graph = new Graph();
    const image = graph.input("image", [batch, 7, 10, 6]);
    const outputs = cases(graph, image);
    return { graph, image, outputs };
  };
  const shape = [2, 7, 10, 6] as const;
  const image = noise(sizeOf(shape), "image");
  const { graph, outputs } = trace(2);
  const keep = [...outputs.values()];
  const program = await Program.compile(device, graph, { store: new StateStore(device), keep });
  program.write("image", image);
  program.run();
  const ours = await program.readAll(keep);
  const model = exportOnnx({ trace, state: () => new Float32Array(0), version: "0", metadata: new Map() }).encode();
  const theirs = await runOnnx(model, image, shape);
  for (const [i, [name, value]] of [...outputs].entries()) {
    const numbers = new Float32Array(ours[i] ?? new ArrayBuffer(0)).subarray(0, sizeOf(value.shape));
    expect(largestDifference(numbers, theirs.get(name) ?? new Float32Array(0)), name).toBeLessThan(1e-5);
  }
  program.destroy();
});

test("an op without a counterpart is named", () => {
  const trace = (batch: number) => {
    const graph = new Graph();
    const image = graph.input("image", [batch, 4, 4, 2]);
    return {
      graph,
      image,
      outputs: new Map([["y", graph.scope("head", () => graph.apply(unknown, { x: image }, {}))]]),
    };
  };
  const unknown = { ...relu, name: "sparkle" };
  const options = { trace, state: () => new Float32Array(0), version: "0", metadata: new Map<string, string>() };
  expect(() => exportOnnx(options)).toThrow("the op sparkle (in head) cannot be written as ONNX");
});
