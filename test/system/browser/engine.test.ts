import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { saveCheckpoint } from "../../../src/experiment/checkpoint/checkpoint.ts";
import { trainerTensors } from "../../../src/inference/checkpoint/checkpoint.ts";
import { fitted, fromZoo } from "../../../src/model/zoo.ts";
import { findFixtures } from "../../../src/parity/run.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { Network } from "../../../src/training/network.ts";
import { untrained } from "../../support/checkpoint.ts";
import { openBrowser } from "./browser.ts";
import { type EnginePage, openEngine } from "./engine.ts";
import { resumedLosses, smallTrainer, trainSteps } from "./steps.ts";

let browser: Browser;
let engine: EnginePage;
beforeAll(async () => {
  browser = await openBrowser();
  engine = await openEngine(browser);
});
afterAll(async () => {
  await engine?.close();
  await browser?.close();
});

const fixtures = fileURLToPath(new URL("../../fixtures/", import.meta.url));

test("the browser's adapter is asked for all it has, and the kernels are chosen by what it says", async () => {
  const { target, software } = await engine.call("adapter");
  expect(software).toBe(true);
  expect(target.bindingLimit).toBeGreaterThan(2 ** 27);
  expect(target.storageBuffers).toBeGreaterThan(8);
});

describe("in a browser", () => {
  /** One op of each kind of kernel: the whole table takes minutes on SwiftShader. */
  const OPS = [
    "conv2d",
    "linear",
    "attention",
    "batchNormTrain",
    "softmax",
    "resizeBilinear",
    "maxPool2d",
    "crossEntropy",
  ];

  test("ops are what their definitions say", async () => {
    const { cases, values, problems } = await engine.call("definitions", OPS);
    expect(problems).toEqual([]);
    expect(cases).toBe(OPS.length);
    expect(values).toBeGreaterThan(1000);
  });

  test.each(["ops/pointwise", "ops/conv2d", "model/mini-svanet", "nets/unet"])(
    "the golden file %s passes",
    async (name) => {
      const path = join(fixtures, `${name}.safetensors`);
      const { sources } = await findFixtures([path]);
      expect(sources).toHaveLength(1);
      for (const { folder, stem } of sources) {
        const result = await engine.call("parity", { path, folder, stem }, engine.serve(readFileSync(path)));
        expect(result.failures).toEqual([]);
        expect(result.values).toBeGreaterThan(100);
      }
    },
  );

  test("thirty steps from a checkpoint have Node's losses; with one bit changed it is refused", async () => {
    const device = await openDevice();
    const folder = mkdtempSync(join(tmpdir(), "svanet-"));
    try {
      const config = fitted(fromZoo("unet").config, { classes: 2, height: 32, width: 32, base: 4 });
      const network = await Network.create(device, config, 1);
      const file = join(folder, "start.safetensors");
      const trainer = await smallTrainer(network);
      await trainSteps(trainer, 0, 10, 1e-3);
      await saveCheckpoint(file, await trainerTensors(trainer), untrained("unet", config));
      trainer.destroy();
      network.destroy();
      const bytes = readFileSync(file);
      const expected = await resumedLosses(device, bytes, 10, 30, 1e-4);
      const found = await engine.call("losses", engine.serve(bytes), 10, 30, 1e-4);
      expect(found).toHaveLength(30);
      expect(new Set(expected).size).toBe(30);
      for (const [step, loss] of expected.entries()) {
        expect(Math.abs((found[step] ?? Number.NaN) - loss), `step ${step}`).toBeLessThan(1e-4 * loss);
      }
      const tampered = Buffer.from(bytes);
      tampered[tampered.length - 9] = (tampered[tampered.length - 9] ?? 0) ^ 1;
      await expect(engine.call("losses", engine.serve(tampered), 10, 1, 1e-4)).rejects.toThrow(
        "the checkpoint is damaged: its checksum does not match its contents; use another checkpoint",
      );
    } finally {
      device.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("nothing is asked of another place, and the console stays empty of errors", () => {
    expect(engine.errors.filter((text) => !text.includes("favicon") && !text.includes("404"))).toEqual([]);
    const origins = new Set(engine.requests.map((address) => new URL(address).origin));
    expect(origins.size).toBe(1);
  });
});
