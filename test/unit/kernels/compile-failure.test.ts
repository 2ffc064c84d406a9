import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DeviceError, DeviceLostError } from "../../../src/errors.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";

let device: Device;
beforeEach(async () => {
  device = await openDevice({ backend: "null" });
});
afterEach(() => device.close());

const GOOD = "@compute @workgroup_size(1) fn main() {}";
const WRONG = "@compute @workgroup_size(1) fn main() { let x: f32 = 1u; }";

/** Makes the driver give up on the next pipeline, with the GPU lost before or behind that. */
function loseWhileCompiling(order: "before" | "behind"): void {
  const { gpu } = device;
  const error = new GPUPipelineError("the driver gave up", { reason: "internal" });
  gpu.createComputePipelineAsync = async () => {
    gpu.destroy();
    if (order === "before") await gpu.lost;
    throw error;
  };
}

describe("a shader that does not compile", () => {
  test("is told by its name and line, and leaves the device as it was", async () => {
    const failure = device.pipeline(WRONG, "scale");
    await expect(failure).rejects.toBeInstanceOf(DeviceError);
    await expect(failure).rejects.toThrow(/^the shader of scale does not compile on this adapter: line 1:/);
    await device.finish();
    await device.pipeline(GOOD, "copy");
  });

  test("does not hide what went wrong elsewhere", async () => {
    device.watch("copy of nothing", () => device.gpu.createBuffer({ size: 16, usage: 0 }));
    await expect(device.pipeline(WRONG, "scale")).rejects.toThrow("the shader of scale does not compile");
    await expect(device.finish()).rejects.toThrow("copy of nothing: the GPU refused the work");
  });
});

test.each(["before", "behind"] as const)(
  "a GPU lost %s the driver's refusal is a lost GPU, worth retrying",
  async (order) => {
    loseWhileCompiling(order);
    const failure = device.pipeline(GOOD, "scale");
    await expect(failure).rejects.toBeInstanceOf(DeviceLostError);
    await expect(failure).rejects.toThrow("run again with --resume");
    expect(await failure.catch((error: DeviceLostError) => error.exitCode)).toBe(75);
    expect(() => device.check()).toThrow(DeviceLostError);
  },
);
