import { afterAll, beforeAll, expect, test } from "vitest";
import { Device, type DeviceHost } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";

// A device needs a GPUDevice and plain facts, whatever platform opened it; the null back end lends its own.
let opened: Device;

function hosted(facts: Partial<DeviceHost>): Device {
  const { gpu, report, target } = opened;
  return new Device(gpu, { report: { ...report, software: true }, target, memory: null, ...facts });
}

beforeAll(async () => {
  opened = await openDevice({ backend: "null" });
});
afterAll(() => opened.close());

test("a software driver is held to 85 % of the machine's memory, with both figures", async () => {
  const device = hosted({ memory: 2 ** 20 });
  const kept = await device.allocate([2 ** 19], "half");
  await expect(device.allocate([2 ** 19], "the other half")).rejects.toThrow(
    /^the other half: 0\.5 MiB more do not fit on .*, which holds 0\.5 MiB for this process already \(the machine has 1\.0 MiB\)/,
  );
  device.free(kept);
  device.free(await device.allocate([2 ** 19], "the other half"));
  expect(device.allocated).toBe(0);
});

test("without a figure for the machine's memory, or on a GPU, the adapter decides alone", async () => {
  const browser = hosted({});
  browser.free(await browser.allocate([2 ** 20], "a megabyte"));
  const hardware = hosted({ memory: 2 ** 10, report: { ...opened.report, software: false } });
  hardware.free(await hardware.allocate([2 ** 20], "a megabyte"));
});

test("reads go through a few staging buffers, several places at once", async () => {
  const device = hosted({});
  const [buffer] = await device.allocate([64], "some");
  if (!buffer) throw new Error("nothing was allocated");
  const places = [
    { buffer, offset: 0, size: 4 },
    { buffer, offset: 16, size: 20 },
  ];
  const [several, single] = await Promise.all([device.readAll(places), device.read(buffer, 8, 12)]);
  expect(several.map(({ byteLength }) => byteLength)).toEqual([4, 20]);
  expect(single.byteLength).toBe(12);
  device.free([buffer]);
});

test("closing tells the platform, once the GPU was given back", async () => {
  const own = await openDevice({ backend: "null" });
  const seen: string[] = [];
  const { gpu, report, target } = own;
  const device = new Device(gpu, { report, target, memory: null, onClose: () => seen.push("closed") });
  device.close();
  expect(seen).toEqual(["closed"]);
  expect((await gpu.lost).reason).toBe("destroyed");
});
