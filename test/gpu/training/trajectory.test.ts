import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { networkTensors } from "../../../src/experiment/checkpoint/checkpoint.ts";
import type { TrainFlags } from "../../../src/experiment/settings/config.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { toChannelsLast } from "../../../src/kernels/trace/shape.ts";
import { fromZoo } from "../../../src/model/zoo.ts";
import { FixtureFile } from "../../../src/parity/fixture.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { Network } from "../../../src/training/network.ts";
import { float32 } from "../../../src/weights/safetensors.ts";
import { largestDifference } from "../../support/onnx.ts";
import { PLAIN_STEP, tinyConfig, trainerOf } from "../../support/training.ts";

const open = (path: string) => FixtureFile.open(fileURLToPath(new URL(`../../${path}`, import.meta.url)));

let device: Device;
let start: FixtureFile;
let golden: FixtureFile;

beforeAll(async () => {
  device = await openDevice();
  start = await open("fixtures/nets/unet.safetensors");
  golden = await open("trajectories/unet.safetensors");
});
afterAll(() => device.close());

/** The golden U-Net as it starts, and its one image as a batch. */
async function scene() {
  const image = start.takeFloat("input");
  const [count = 1, , height = 0, width = 0] = image.shape;
  const [base, depth, classes] = [4, 4, Number(start.text("classes"))];
  const config = { ...fromZoo("unet").config, base, depth, classes, height, width };
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

test.each(["adamw", "groups", "sgd"])("%s: thirty steps end where PyTorch's do", async (run) => {
  const { network, batch } = await scene();
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
});
