import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import type { Lowering } from "../../../src/kernels/ops/contraction/contraction.ts";
import { plainContraction } from "../../../src/kernels/ops/contraction/plain.ts";
import { correlationOf, winograd } from "../../../src/kernels/ops/contraction/winograd.ts";
import { F2, F4, type WinogradForm } from "../../../src/kernels/ops/contraction/winograd-forms.ts";
import type { Target } from "../../../src/kernels/target.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { type Extents, runContraction } from "../../support/contractions.ts";
import { deviation } from "../../support/numbers.ts";

/** Tiles of both forms are cut at both edges, and the last band of three is shorter than the others. */
const ODD: Extents = {
  ...{ x: [2, 7, 9, 20], weight: [36, 3, 3, 20], y: [2, 7, 9, 36] },
  ...{ stride: 1, padding: 1, dilation: 1 },
};
const UNPADDED: Extents = { ...ODD, y: [2, 5, 7, 36], padding: 0 };
const PADDED: Extents = { ...ODD, y: [2, 9, 11, 36], padding: 2 };

const by =
  (form: WinogradForm, bands: number): Lowering =>
  (contraction) => {
    const correlation = correlationOf(contraction);
    if (!correlation) throw new Error("no form of Winograd fits");
    return winograd(contraction, correlation, { form, bands });
  };

const TARGETS: Readonly<Record<string, Partial<Target>>> = {
  "products by shuffles": {},
  "products by workgroup tiles": { software: false, subgroupSize: null },
};

describe.each(Object.entries(TARGETS))("%s", (_, target) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ target });
  });
  afterAll(() => device.close());

  describe.each(["gather", "scatter"] as const)("a %s by Winograd's forms", (kind) => {
    test.each([
      ["padding 1", ODD],
      ["no padding", UNPADDED],
      ["padding 2", PADDED],
    ])("equals its definition with %s", async (_name, extents) => {
      const expected = await runContraction(device, kind, extents, plainContraction);
      for (const form of [F2, F4]) {
        for (const bands of [1, 3]) {
          const got = await runContraction(device, kind, extents, by(form, bands));
          expect(deviation(got, expected), `${form.name} in ${bands} bands`).toBeLessThan(1e-5);
        }
      }
    });
  });
});
