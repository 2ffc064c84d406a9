import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import type { Target } from "../../../src/kernels/target.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { casesFor, runChanged, runInOrder } from "../../support/cooperative.ts";
import { ORDERS } from "../../support/mirror.ts";

const TARGETS: Readonly<Record<string, Partial<Target>>> = {
  "the kernels of this adapter": {},
  "the kernels of a GPU": { software: false, subgroupSize: null },
};

/**
 * Nothing says in which order the lanes of a workgroup run. A kernel that needs one gives other bits when its lanes
 * change places; what the test would see of a missing barrier is tried in test/system/swiftshader/schedules.test.ts.
 */
describe.each(Object.entries(TARGETS))("%s", (_, target) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ target });
  });
  afterAll(() => device.close());

  // Compiling a tile takes a software driver a second, on a busy machine several.
  test("give the same bits whatever the order of their lanes", { timeout: 300_000 }, async () => {
    const tried: string[] = [];
    const differing: string[] = [];
    for (const { one, kernels } of casesFor(device.target)) {
      const labels = [...kernels.values()].map(({ label }) => label);
      const expected = await runInOrder(device, one, ORDERS["as written"]);
      for (const name of ["reversed", "mixed"] as const) {
        const got = await runInOrder(device, one, ORDERS[name]);
        if (!sameBits(got, expected)) differing.push(`${name}: one of ${labels.join(", ")}`);
      }
      tried.push(...labels);
    }
    expect(tried.length).toBeGreaterThan(0);
    expect(differing).toEqual([]);
  });

  test("are the same with and without lanes that can change places", async () => {
    const attention = casesFor(device.target).find(({ one }) => one.op.name === "attention");
    if (!attention) throw new Error("no case has attention");
    const given = await runChanged(device, attention.one, (dispatch) => dispatch);
    expect(sameBits(await runInOrder(device, attention.one, ORDERS["as written"]), given)).toBe(true);
  });
});

function sameBits(a: readonly Uint32Array[], b: readonly Uint32Array[]): boolean {
  return a.length === b.length && a.every((bits, i) => bits.join() === b[i]?.join());
}
