import { afterEach, beforeEach, expect, test } from "vitest";
import { OutOfMemoryError } from "../../../src/errors.ts";
import { resolveConfig } from "../../../src/experiment/settings/config.ts";
import { networkConfig } from "../../../src/experiment/settings/recipe.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { Network } from "../../../src/training/network.ts";
import { isSvanet, NETWORKS } from "../../support/nets.ts";
import { trainerOf } from "../../support/training.ts";

/** Dawn's back end that runs nothing has 512 MiB, and the limits of the smallest adapter. */
let device: Device;
beforeEach(async () => {
  device = await openDevice({ backend: "null" });
});
afterEach(() => device.close());

/** Everything that training makes before its first step. */
async function prepared(name: string, flags: object) {
  const model = isSvanet(name) ? { preset: name } : { model: name };
  const config = resolveConfig({ data: "-", out: "-", ...model, ...flags });
  const network = await Network.empty(device, networkConfig(config, 8));
  const trainer = await trainerOf(network, config);
  return trainer.prepare(config.batchSize, false);
}

test.each(NETWORKS)("%s at its full width is refused before it trains, with advice", async (name) => {
  const tooLarge = prepared(name, { size: "512" });
  await expect(tooLarge).rejects.toBeInstanceOf(OutOfMemoryError);
  await expect(tooLarge).rejects.toThrow(/^.* use a smaller --batch-size, --size or --width.*$/);
});

test("what fits is not refused", async () => {
  const { bytes, least } = await prepared("unet", { size: "64", width: 4 });
  expect(bytes).toBeLessThan(2 ** 29);
  expect(bytes / least).toBeLessThan(1.05);
});
