import { afterAll, beforeAll, expect, test } from "vitest";
import { networkConfig, trainerOptions } from "../../../src/experiment/settings/recipe.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { type Allowance, CHEAP, CHECKPOINTS } from "../../../src/kernels/passes/recompute.ts";
import { arenaOf, GROUPS } from "../../../src/model/keys.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { Network } from "../../../src/training/network.ts";
import { allocateTraining, compileStep } from "../../../src/training/trainer.ts";
import { noiseBatch } from "../../support/noise-batch.ts";
import { STATE, snapshot, tinyConfig } from "../../support/training.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const SIZE = 64;
const BATCH = 2;
/** Tensors of a small network are small. */
const SMALLEST = 2 ** 12;

/** Weights, moments, statistics and gradients after three steps, with what a step holds and computes. */
async function threeSteps(flags: object, repeat: Allowance) {
  const config = tinyConfig({ size: String(SIZE), batchSize: BATCH, ...flags });
  const network = await Network.create(device, networkConfig(config, 2), 1);
  const options = trainerOptions(config, network.config, network.table);
  await allocateTraining(network, options);
  const { trace, program } = await compileStep(network, {
    ...options,
    batch: BATCH,
    repeat,
    rates: options.rates(false),
  });
  program.poison();
  const losses: number[] = [];
  for (let index = 0; index < 3; index++) {
    const draws = trace.draws.sample(5, index, network.regions);
    const batch = noiseBatch(index, { size: SIZE, count: BATCH });
    trace.feed(program, batch, { rate: 1e-3, classWeights: Float32Array.of(1, 1), draws });
    program.run();
    losses.push(...(await program.read(trace.loss)));
  }
  const arenas = [...STATE, ...GROUPS.map((group) => arenaOf("gradient", group))];
  const state = await snapshot(network, arenas);
  const { bytes, dispatches } = program;
  const macs = dispatches.reduce((sum, dispatch) => sum + dispatch.macs, 0);
  const again = dispatches.filter(({ path }) => path.endsWith(" again")).length;
  program.destroy();
  network.destroy();
  return { losses, state, bytes, macs, again };
}

test.each([
  ["svanet", {}],
  ["unet", { model: "unet", width: 4, encoder: null }],
] as const)("three steps of %s leave the same bits with and without recomputation", async (_, flags) => {
  const held = await threeSteps(flags, { ...CHEAP, time: 0 });
  expect(held.again).toBe(0);
  for (const allowance of [CHEAP, CHECKPOINTS]) {
    const repeated = await threeSteps(flags, { ...allowance, smallest: SMALLEST });
    expect(repeated.again).toBeGreaterThan(0);
    expect(repeated.bytes).toBeLessThan(held.bytes);
    expect(repeated.macs).toBeLessThanOrEqual(1.35 * held.macs);
    expect(repeated.losses).toEqual(held.losses);
    expect(repeated.state).toEqual(held.state);
  }
});
