import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { differentiate } from "../../../src/autograd/differentiate.ts";
import { Program } from "../../../src/kernels/compile/program.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { type Conv2dAttrs, conv2d } from "../../../src/kernels/ops/contraction/conv.ts";
import { fuse } from "../../../src/kernels/passes/fuse.ts";
import { splitPointwiseOverConcat } from "../../../src/kernels/passes/rewrite.ts";
import type { Graph } from "../../../src/kernels/trace/graph.ts";
import type { Value } from "../../../src/kernels/trace/op.ts";
import { trainingLoss } from "../../../src/model/losses.ts";
import { DEFAULT_LOSS } from "../../../src/model/supervision.ts";
import { checked, SVANET_PRESETS, type SvanetPreset, scaled } from "../../../src/model/svanet/config.ts";
import { traceNetwork } from "../../../src/model/zoo.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { Network } from "../../../src/training/network.ts";
import { noise } from "../../support/numbers.ts";
import { noiseBatch } from "../../support/training.ts";

/** The forms one network is computed in. `literal` is what the network wrote, every tap of every convolution computed. */
const FORMS = ["literal", "rewritten", "fused"] as const;
type Form = (typeof FORMS)[number];

const TOLERANCE = 1e-5;
const batch = noiseBatch(0, { count: 2 });
let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

function rewrite(graph: Graph, form: Form): void {
  if (form !== "literal") {
    splitPointwiseOverConcat(graph);
    return;
  }
  const everyTap = graph.steps.map((step) => {
    const all: Conv2dAttrs = { ...(step.attrs as Conv2dAttrs), taps: "all" };
    return step.op.name === conv2d.name ? { ...step, attrs: all } : step;
  });
  graph.replaceSteps(everyTap);
}

/** A small network of a preset whose statistics and norms are not the trivial ones of the start. */
async function networkOf(preset: SvanetPreset): Promise<Network> {
  const base = { ...SVANET_PRESETS[preset], encoder: "mini", classes: 3, height: 64, width: 64 } as const;
  const network = await Network.create(device, checked(scaled(base, preset === "svanet-text" ? 8 : 4)), 1);
  for (const [i, { name, kind, shape }] of network.table.list().entries()) {
    const [length = 0] = shape;
    const values = noise(length, i + 1);
    if (kind === "statistic") network.write(name, /var/.test(name) ? values.map((v) => 1 + 0.5 * v) : values);
    else if (kind === "weight" && shape.length === 1)
      network.write(
        name,
        values.map((v) => 1 + 0.3 * v),
      );
  }
  return network;
}

async function inference(network: Network, form: Form) {
  const { build, logits } = traceNetwork(network.config, { mode: "eval", batch: 2, parameters: network.table });
  rewrite(build.graph, form);
  if (form === "fused") fuse(build.graph, [logits]);
  const program = await Program.compile(device, build.graph, { store: network.store, keep: [logits] });
  program.write("image", batch.images);
  program.run();
  const found = { dispatches: program.dispatches.length, tensors: new Map([["logits", await program.read(logits)]]) };
  program.destroy();
  return found;
}

/** Loss and the gradients of all weights. */
async function training(network: Network, form: Form) {
  const { config, table, store, regions } = network;
  const { build, logits } = traceNetwork(config, { mode: "train", batch: 2, parameters: table });
  const { graph, draws } = build;
  const label = graph.input("label", [2, config.height, config.width], "i32");
  const loss = trainingLoss(graph, logits, label, graph.input("class weight", [config.classes]), DEFAULT_LOSS);
  rewrite(graph, form);
  const parts = table.list("weight").flatMap((entry) => entry.parts);
  const sources = parts.map(({ key, shape }) => graph.state(key, shape));
  const grads = differentiate(graph, loss, graph.input("one", [1]), sources);
  const wanted: (readonly [string, Value])[] = parts.flatMap(({ key }, i) => {
    const grad = grads.get(sources[i]?.id ?? -1);
    return grad ? [[key, grad] as const] : [];
  });
  const keep = [loss, ...wanted.map(([, value]) => value)];
  if (form === "fused") fuse(graph, keep);
  const program = await Program.compile(device, graph, { store, keep });
  program.write("image", batch.images);
  program.write("label", batch.labels);
  program.write("class weight", new Float32Array(config.classes).fill(1));
  program.write("one", Float32Array.of(1));
  for (const [name, data] of draws.sample(1, 0, regions)) program.write(name, data);
  program.run();
  const read = await program.readAll(keep);
  const tensors = new Map(["loss", ...wanted.map(([key]) => key)].map((key, i) => [key, floats(read[i])] as const));
  const dispatches = program.dispatches.length;
  program.destroy();
  return { dispatches, tensors };
}

const floats = (bytes: ArrayBuffer | undefined) => new Float32Array(bytes ?? new ArrayBuffer(0));

/** Largest difference of each tensor over its largest number, or over a hundredth of the largest of all tensors. */
function differences(got: ReadonlyMap<string, Float32Array>, expected: ReadonlyMap<string, Float32Array>) {
  const largest = (data: Float32Array) => data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const floor = Math.max(...[...expected.values()].map(largest)) / 100;
  return [...expected].map(([key, data]) => {
    const other = got.get(key);
    const difference = largest(data.map((value, i) => value - (other?.[i] ?? Number.NaN)));
    return {
      key,
      ratio: data.some(Number.isNaN) || other === undefined ? Number.NaN : difference / Math.max(floor, largest(data)),
    };
  });
}

const worstOf = (found: ReturnType<typeof differences>) => found.reduce((a, b) => (b.ratio <= a.ratio ? a : b));

describe.each(["svanet", "svanet-text", "svanet-release"] as const)("%s", (preset) => {
  let network: Network;
  beforeAll(async () => {
    network = await networkOf(preset);
  });
  afterAll(() => network.destroy());

  test("inference: rewrites and fusion change no logit beyond rounding", async () => {
    const [literal, rewritten, fused] = await Promise.all(FORMS.map((form) => inference(network, form)));
    if (!(literal && rewritten && fused)) throw new Error("a form is missing");
    for (const other of [rewritten, fused]) {
      expect(worstOf(differences(other.tensors, literal.tensors)).ratio).toBeLessThan(TOLERANCE);
    }
    expect(fused.dispatches).toBeLessThan(0.7 * rewritten.dispatches);
  });

  test("training: loss and every gradient are the literal form's", async () => {
    const literal = await training(network, "literal");
    const shown: Record<string, number> = {};
    for (const form of ["rewritten", "fused"] as const) {
      const other = await training(network, form);
      const worst = worstOf(differences(other.tensors, literal.tensors));
      shown[`${form} ${worst.key}`] = worst.ratio;
      expect(other.tensors.size).toBe(literal.tensors.size);
    }
    expect(Math.max(...Object.values(shown)), JSON.stringify(shown)).toBeLessThan(TOLERANCE);
  });
});
