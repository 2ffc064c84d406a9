import { expect } from "vitest";
import { type CheckOptions, checkOps } from "../../src/checks/check-ops.ts";
import type { Device } from "../../src/kernels/device/device.ts";

/** Runs cases of the table of ops and expects them all to pass. Returns how many there were. */
export async function expectChecks(device: Device, options: CheckOptions): Promise<number> {
  const failures: string[] = [];
  let cases = 0;
  for await (const { op, case: name, values, problems } of checkOps(device, options)) {
    cases++;
    expect(values, `${op} ${name} compares nothing`).toBeGreaterThan(0);
    for (const problem of problems) failures.push(`${op} (${name}): ${problem}`);
  }
  expect(failures).toEqual([]);
  return cases;
}
