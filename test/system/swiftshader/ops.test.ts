import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OP_CHECKS } from "../../../src/checks/op-checks.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { expectChecks } from "../../support/checks.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

test("the driver is SwiftShader, with subgroups of four", () => {
  expect(device.report.driver).toMatch(/^SwiftShader/);
  expect(device.report.software).toBe(true);
  expect(device.target.subgroupSize).toBe(4);
});

test.each(Object.keys(OP_CHECKS))("values and gradients of %s equal the definition", async (name) => {
  expect(await expectChecks(device, { filter: (op) => op === name })).toBeGreaterThan(0);
});

describe("with the kernels that a GPU gets", () => {
  let asGpu: Device;
  beforeAll(async () => {
    asGpu = await openDevice({ target: { software: false, subgroupSize: null } });
  });
  afterAll(() => asGpu.close());

  test.each(["conv2d", "conv2dStatistics", "conv2dGradWeight", "conv2dGradWeightOfNorm", "convTranspose2d", "linear"])(
    "values and gradients of %s equal the definition in every case",
    async (name) => {
      expect(await expectChecks(asGpu, { filter: (op) => op === name })).toBeGreaterThan(0);
    },
  );
});
