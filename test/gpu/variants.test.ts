import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Device } from "../../src/kernels/device.ts";
import type { Target } from "../../src/kernels/target.ts";
import { opCheckers } from "../../src/parity/ops.ts";
import { runParity } from "../../src/parity/run.ts";

/** Kernels that the adapter at hand would not choose must be right as well: each choice is forced in turn. */
const TARGETS: Readonly<Record<string, Partial<Target>>> = {
  "workgroup tiles of a GPU": { software: false, subgroupSize: null },
  "plain kernels": { software: true, subgroupSize: null },
};

const FAMILIES = ["conv2d", "conv_transpose2d", "linear", "comparison", "losses"];

describe.each(Object.entries(TARGETS))("%s", (_, target) => {
  let device: Device;
  beforeAll(async () => {
    device = await Device.open({ target });
  });
  afterAll(() => device.close());

  test.each(FAMILIES)("%s equal the golden numbers", async (family) => {
    const path = fileURLToPath(new URL(`../fixtures/ops/${family}.safetensors`, import.meta.url));
    const { text, exitCode } = await runParity([path], opCheckers(device));
    expect(exitCode, text).toBe(0);
  });
});
