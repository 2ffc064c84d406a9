import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { saveCheckpoint } from "../../../src/experiment/checkpoint/checkpoint.ts";
import { loadNetwork } from "../../../src/experiment/checkpoint/load-run.ts";
import { networkTensors } from "../../../src/inference/checkpoint/checkpoint.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { arenaOf, GROUPS, keyOf } from "../../../src/model/keys.ts";
import { initialValues } from "../../../src/model/parameters.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { Network } from "../../../src/training/network.ts";
import { untrained } from "../../support/checkpoint.ts";
import { livelyNetwork, logitsIn, trainIn, updateBy, worstDifference } from "../../support/forms.ts";
import { NETWORKS, tinyFlags, tinyNetwork, UNREACHED } from "../../support/nets.ts";
import { noiseBatch } from "../../support/noise-batch.ts";
import { bits, noise } from "../../support/numbers.ts";
import { scratchFolder, tinyTrainer } from "../../support/training.ts";

const scratch = scratchFolder();
let device: Device;

beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => {
  device.close();
  scratch.remove();
});

const [HEIGHT, WIDTH, IMAGES] = [32, 64, 3];
const PIXELS = HEIGHT * WIDTH;

/** Logits of images, `batch` of them a run. */
async function logitsOf(network: Network, images: Float32Array, batch: number): Promise<Float32Array[]> {
  const { program, logits, feed } = await network.inference({ batch });
  const found: Float32Array[] = [];
  try {
    const each = PIXELS * 3 * batch;
    for (let at = 0; at < images.length; at += each) {
      program.poison();
      feed(program, images.subarray(at, at + each));
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

/** CFANet's gates have a ReLU of one channel here, which a positive weight keeps open for the maxima it is given. */
function openGates(network: Network): void {
  for (const entry of network.table.list("weight")) {
    if (/^attend\.\d\.down\.weight$/.test(entry.name)) network.write(entry.name, initialValues(entry, 1).map(Math.abs));
  }
}

/** What a softmax over all patches is blind to, a shift of them all: their gradient is zero but for rounding. */
const BLIND = /^param:.*\.former\.blocks\.\d\.project\.conv\.bias\/0$/;

/** Keys of the trained tensors whose gradient is zero throughout, or is no number somewhere. */
async function withoutGradient(network: Network): Promise<string[]> {
  const stored = new Map<string, Float32Array>();
  for (const group of GROUPS) {
    for (const [key, gradient] of await network.store.readArena(arenaOf("gradient", group))) stored.set(key, gradient);
  }
  const keys = network.table.storage("weight").map(({ key }) => key);
  return keys.filter((key) => {
    const gradient = stored.get(keyOf("gradient", key));
    const moves = gradient?.every(Number.isFinite) && gradient.some((value) => value !== 0);
    return !moves && !BLIND.test(key);
  });
}

/** Measured: 2e-6 for logits, outputs and gradients, 8e-4 for three steps, 2e-7 for the update; most networks are bit-equal. */
const FORM_TOLERANCE = { logits: 1e-5, step: 1e-5, gradients: 2e-5, moves: 5e-3, update: 1e-6 };

describe.each(NETWORKS)("%s", (name) => {
  test("learns nine classes with all its parameters, is saved and loaded whole, and sees each image alone", async () => {
    const flags = { ...tinyFlags(name), classes: 9, size: `${WIDTH}x${HEIGHT}`, batchSize: IMAGES, lr: 1e-3 };
    const { network, submit, destroy } = await tinyTrainer(device, flags);
    openGates(network);
    const path = join(scratch.path, `${name}.safetensors`);
    try {
      const batch = noiseBatch(0, { size: HEIGHT, width: WIDTH, count: IMAGES });
      const losses: number[] = [];
      for (let step = 0; step < 5; step++) {
        const report = await submit({ ...batch, index: step });
        expect(report?.skipped).toBe(false);
        losses.push(report?.loss ?? Number.NaN);
      }
      // Norms over so few pixels make single steps jump.
      expect(Math.min(...losses.slice(1))).toBeLessThan(losses[0] ?? 0);
      const keys = network.table.storage("weight").map(({ key }) => key);
      expect(await withoutGradient(network)).toEqual(keys.filter((key) => UNREACHED[name]?.test(key)));

      const images = noise(IMAGES * PIXELS * 3, 5);
      const together = await logitsOf(network, images, IMAGES);
      await saveCheckpoint(path, await networkTensors(network), untrained(name, network.config));
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

  test("computes in production what it wrote: logits, outputs, gradients, statistics, updates", async () => {
    const config = tinyNetwork(name, { classes: 9, height: HEIGHT, width: WIDTH });
    const batch = noiseBatch(0, { size: HEIGHT, width: WIDTH, count: IMAGES });
    const [literal, production] = [await livelyNetwork(device, config), await livelyNetwork(device, config)];
    try {
      const plain = await logitsIn(literal, "literal", batch.images, IMAGES);
      const fused = await logitsIn(production, "production", batch.images, IMAGES);
      const exact = await trainIn(literal, "literal", batch);
      const got = await trainIn(production, "production", batch, exact.rate);
      const update = await updateBy(production, got.gradients);
      const named = (logits: Float32Array) => new Map([["logits", logits]]);
      const found = {
        logits: worstDifference(named(fused.logits), named(plain.logits)),
        step: worstDifference(got.first, exact.first),
        gradients: worstDifference(got.gradients, exact.gradients),
        moves: worstDifference(got.moves, exact.moves),
        update: worstDifference(update.got, update.exact, 1),
      };
      const beyond = Object.entries(found).filter(
        ([of, { ratio }]) => !(ratio <= FORM_TOLERANCE[of as keyof typeof found]),
      );
      expect(Object.fromEntries(beyond)).toEqual({});
      expect(fused.dispatches).toBeLessThan(plain.dispatches);
      expect(got.dispatches).toBeLessThan(exact.dispatches);
    } finally {
      literal.destroy();
      production.destroy();
    }
  });

  test("evaluates one class", async () => {
    const config = tinyNetwork(name, { classes: 1, height: HEIGHT, width: WIDTH });
    const network = await Network.create(device, config, 1);
    const [logits = new Float32Array(0)] = await logitsOf(network, noise(PIXELS * 3, 5), 1);
    expect(logits.length).toBe(PIXELS);
    expect(logits.every(Number.isFinite)).toBe(true);
    network.destroy();
  });
});
