import { afterAll, beforeAll, expect, test } from "vitest";
import { prepareOurs } from "../../../bench/peers/ours.ts";
import { compileUnet } from "../../../bench/peers/unet.ts";
import { WORKS } from "../../../bench/peers/works.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

test.each(WORKS)("our side of $name computes what it should, and is timed", async ({ name }) => {
  const ours = await prepareOurs(device, name, false);
  expect(ours.refusal).toBeNull();
  expect(await ours.time()).toBeGreaterThan(0);
  ours.destroy();
});

test("the operations of the network are those that its program counts", async () => {
  const { program } = await compileUnet(device, { backward: false, frozen: false });
  const macs = program.dispatches.reduce((sum, dispatch) => sum + dispatch.macs, 0);
  expect(WORKS.find(({ name }) => name === "U-Net forward")?.flops).toBe(2 * macs);
  program.destroy();
});

test("the network by running statistics, beside peers that cannot train", async () => {
  const ours = await prepareOurs(device, "U-Net forward", true);
  expect(ours.refusal).toBeNull();
  ours.destroy();
});
