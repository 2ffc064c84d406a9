import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { networkTensors, saveCheckpoint } from "../../src/experiment/checkpoint.ts";
import { loadNetwork } from "../../src/experiment/load-run.ts";
import type { Network } from "../../src/experiment/network.ts";
import { Device } from "../../src/kernels/device.ts";
import { netsChecker } from "../../src/parity/nets.ts";
import { runParity } from "../../src/parity/run.ts";
import { bits, noise } from "../support/numbers.ts";
import { spoilt } from "../support/spoil.ts";
import { noiseBatch, scratchFolder, tinyTrainer } from "../support/training.ts";

const folder = fileURLToPath(new URL("../fixtures/nets/", import.meta.url));
const scratch = scratchFolder();
let device: Device;

beforeAll(async () => {
  device = await Device.open();
});
afterAll(() => {
  device.close();
  scratch.remove();
});

describe("golden files of the comparison networks", () => {
  it("are met: outputs, loss, statistics, every gradient", async () => {
    const { failures, files } = await runParity([folder], { nets: netsChecker(device) });
    expect(failures).toEqual([]);
    expect(files.length).toBeGreaterThan(2);
  });

  it.each(["eval.out", "train.seg.1", "loss", "grad.head.2.weight", "after.node.0_0.0.norm.running_var"])(
    "are not met when %s is moved",
    async (tensor) => {
      const spoiltFolder = await spoilt("nets", join(scratch.path, tensor), ["unetpp.safetensors"], tensor);
      const { failures } = await runParity([spoiltFolder], { nets: netsChecker(device) });
      expect(failures.map((failure) => failure.tensor)).toEqual([tensor]);
    },
  );
});

/** One network a family, both encoders; with the narrowest width each takes. */
const FAMILIES = {
  unet: 4,
  unetpp: 4,
  nnunet: 4,
  hrnet: 4,
  pranet: 8,
  "pranet-resnet50": 8,
  cfanet: 8,
  transnetr: 8,
  pspnet: 4,
  deeplabv3: 4,
  caranet: 8,
} as const;

const SIZE = 32;
const PIXELS = SIZE * SIZE;

/** Logits of images, `batch` of them a run. */
async function logitsOf(network: Network, images: Float32Array, batch: number): Promise<Float32Array[]> {
  const { program, logits } = await network.inference({ batch });
  const found: Float32Array[] = [];
  try {
    const each = PIXELS * 3 * batch;
    for (let at = 0; at < images.length; at += each) {
      program.poison();
      program.write("image", images.subarray(at, at + each));
      program.run();
      const values = await program.read(logits);
      for (let i = 0; i < batch; i++)
        found.push(values.slice((i * values.length) / batch, ((i + 1) * values.length) / batch));
    }
  } finally {
    program.destroy();
  }
  return found;
}

describe.each(Object.entries(FAMILIES))("%s", (model, width) => {
  it("learns, is saved and loaded whole, and sees each image alone", async () => {
    const flags = { model, width, encoder: null, size: String(SIZE), batchSize: 2, lr: 1e-3 };
    const { network, submit, destroy } = await tinyTrainer(device, flags);
    const path = join(scratch.path, `${model}.safetensors`);
    try {
      const batch = noiseBatch(0, { size: SIZE, count: 2 });
      const losses: number[] = [];
      for (let step = 0; step < 6; step++) {
        const report = await submit({ ...batch, step });
        expect(report?.skipped).toBe(false);
        losses.push(report?.loss ?? Number.NaN);
      }
      // Norms over so few pixels make single steps jump.
      expect(Math.min(...losses.slice(1))).toBeLessThan(losses[0] ?? 0);
      const images = noise(3 * PIXELS * 3, 5);
      const together = await logitsOf(network, images, 3);
      const progress = { step: 0, epoch: 0, stepInEpoch: 0, best: null, bestEpoch: null, recipe: "" };
      const look = { classes: ["a", "b"], colours: [], mean: [0, 0, 0], std: [1, 1, 1] } as const;
      await saveCheckpoint(path, await networkTensors(network), {
        preset: model,
        config: network.config,
        ...look,
        progress,
      });
      const loaded = await loadNetwork(device, path);
      try {
        expect(loaded.network.config).toEqual(network.config);
        const alone = await logitsOf(loaded.network, images, 1);
        expect(alone.map(bits)).toEqual(together.map(bits));
      } finally {
        loaded.network.destroy();
      }
    } finally {
      destroy();
    }
  });
});
