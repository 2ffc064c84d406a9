import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TrainFlags } from "../../../src/experiment/settings/config.ts";
import { networkTensors } from "../../../src/inference/checkpoint/checkpoint.ts";
import { lower } from "../../../src/kernels/compile/lower.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import type { Target } from "../../../src/kernels/target.ts";
import { toChannelsLast } from "../../../src/kernels/trace/shape.ts";
import { fromZoo } from "../../../src/model/zoo.ts";
import type { FixtureFile } from "../../../src/parity/fixture.ts";
import { openFixture } from "../../../src/parity/run.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { Network } from "../../../src/training/network.ts";
import { float32 } from "../../../src/weights/safetensors.ts";
import { largestDifference } from "../../support/onnx.ts";
import { PLAIN_STEP, tinyConfig, trainerOf } from "../../support/training.ts";
import { tracedStep } from "../../support/training-trace.ts";

const open = (path: string) => openFixture(fileURLToPath(new URL(`../../${path}`, import.meta.url)));

let start: FixtureFile;
let golden: FixtureFile;

beforeAll(async () => {
  start = await open("fixtures/nets/unet.safetensors");
  golden = await open("trajectories/unet.safetensors");
});

function goldenNetwork() {
  const [, , height = 0, width = 0] = start.takeFloat("input").shape;
  return { ...fromZoo("unet").config, base: 4, depth: 4, classes: Number(start.text("classes")), height, width };
}

/** The golden U-Net as it starts, and its one image as a batch. */
async function scene(device: Device) {
  const image = start.takeFloat("input");
  const [count = 1] = image.shape;
  const config = goldenNetwork();
  const { height, width } = config;
  const network = await Network.create(device, config, 1);
  for (const { name, kind } of network.table.list()) {
    network.write(name, start.takeFloat(`${kind === "weight" ? "param" : "buffer"}.${name}`).data);
  }
  const images = toChannelsLast(Float32Array.from(image.data), image.shape);
  const labels = Int32Array.from(start.takeFloat("label").data);
  const names = Array.from({ length: count }, (_, i) => `image ${i}`);
  const native = names.map(() => ({ width, height }));
  const batch = { images, labels, names, native, width, height, epoch: 0, stepInEpoch: 0, step: 0 };
  return { network, batch };
}

/** Rate and flags of a golden run. */
function settingsOf(run: string): { readonly rate: number; readonly flags: TrainFlags } {
  const settings = golden.attributes(run);
  const number = (key: string) => (settings.has(key) ? settings.number(key) : undefined);
  const flags = {
    optimizer: settings.text("optimizer"),
    betas: settings.has("betas") ? settings.numbers("betas") : undefined,
    eps: number("eps"),
    momentum: number("momentum"),
    weightDecay: number("weight_decay"),
    clipNorm: number("clip_norm"),
    encoderRate: number("encoder_rate"),
  };
  return { rate: settings.number("lr"), flags };
}

/** Thirty steps of a golden run with the kernels of a target. */
async function follow(run: string, device: Device): Promise<void> {
  const { network, batch } = await scene(device);
  const { rate, flags } = settingsOf(run);
  const trainer = await trainerOf(network, tinyConfig({ model: "unet", encoder: null, ...flags }));
  try {
    const losses = golden.takeFloat(`${run}.loss`).data;
    for (const [step, expected] of losses.entries()) {
      const submitted = await trainer.submit(batch, { ...PLAIN_STEP, index: step, rate });
      const report = await submitted.report;
      expect(Math.abs((report?.loss ?? Number.NaN) - expected), `step ${step}`).toBeLessThan(1e-5 * expected);
    }
    const after = await networkTensors(network);
    const kept = golden.names(`${run}.`).filter((name) => name !== `${run}.loss`);
    for (const name of kept) {
      const { data } = golden.takeFloat(name);
      const ours = after.get(name.replace(/^\w+\.\w+\./, ""));
      const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(largestDifference(ours ? float32(ours) : new Float32Array(), data), name).toBeLessThan(1e-5 * largest);
    }
    expect(kept.length).toBeGreaterThan(5);
  } finally {
    trainer.destroy();
    network.destroy();
  }
}

const GPU = { software: false, subgroupSize: null } as const;

/**
 * The kernels that the adapter prefers, and those of a GPU: one so slow that products outweigh their transforms however small, and
 * one of many units. What each chooses, and for which runs.
 */
const PATHS: readonly (readonly [string, Partial<Target>, labels: readonly RegExp[], runs: readonly string[]])[] = [
  ["the adapter's kernels", {}, [], ["adamw", "groups", "sgd"]],
  [
    "tiles, and Winograd's forms",
    { ...GPU, computeUnits: 0.02 },
    [/ tile$/, / tile, statistics$/, /^winograd/],
    ["adamw"],
  ],
  [
    "tiles whose sums are split",
    { ...GPU, computeUnits: 128 },
    [/ tile$/, / tile, statistics$/, /^sum of splits$/],
    ["adamw"],
  ],
];

describe.each(PATHS)("%s", (_, target, labels, runs) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ target });
  });
  afterAll(() => device.close());

  test("are what this target takes", () => {
    const { graph } = tracedStep(goldenNetwork(), 1).trace;
    const found = lower(graph, device.target).map(({ label }) => label);
    for (const label of labels) expect(found).toContainEqual(expect.stringMatching(label));
    expect(found.length).toBeGreaterThan(0);
  });

  test.each(runs)("%s: thirty steps end where PyTorch's do", async (run) => {
    await follow(run, device);
  });
});
