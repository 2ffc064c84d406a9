import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import { modelChecker } from "../../../src/parity/model.ts";
import { runParity } from "../../../src/parity/run.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";

const folder = fileURLToPath(new URL("../../fixtures/model/", import.meta.url));
let device: Device;

beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

test("whole networks give the golden outputs, gradients, statistics and updated parameters", async () => {
  const { failures, files } = await runParity([folder], { model: modelChecker(device) });
  expect(failures).toEqual([]);
  expect(files.length).toBeGreaterThan(0);
});
