import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OP_CHECKS } from "../../../src/checks/op-checks.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import type { Target } from "../../../src/kernels/target.ts";
import { everyChecker } from "../../../src/parity/checkers.ts";
import { runParity } from "../../../src/parity/run.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { expectChecks } from "../../support/checks.ts";

/** Kernels that the adapter at hand would not choose must be right as well: each choice is forced in turn. */
const TARGETS: Readonly<Record<string, Partial<Target>>> = {
  "workgroup tiles of a GPU": { software: false, subgroupSize: null },
  "plain kernels": { software: true, subgroupSize: null },
};

const FAMILIES = ["conv2d", "conv_transpose2d", "linear", "comparison", "losses"];

const golden = (file: string) => fileURLToPath(new URL(`../../fixtures/${file}.safetensors`, import.meta.url));

describe.each(Object.entries(TARGETS))("%s", (_, target) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ target });
  });
  afterAll(() => device.close());

  // The first case of each: one tile takes a software driver a second to compile, and every epilogue is another text.
  test.each(Object.keys(OP_CHECKS))("values and gradients of %s equal the definition", async (name) => {
    expect(await expectChecks(device, { filter: (op) => op === name, short: true })).toBe(1);
  });

  test.each(FAMILIES)("%s equal the golden numbers", async (family) => {
    const { text, exitCode } = await runParity(
      [golden(`ops/${family}`)],
      everyChecker(async () => device),
    );
    expect(exitCode, text).toBe(0);
  });
});

// Each tile with each epilogue is compiled, which takes a busy machine minutes.
test("whole networks equal the golden numbers with every choice made as for a GPU", { timeout: 300_000 }, async () => {
  const device = await openDevice({ target: TARGETS["workgroup tiles of a GPU"] ?? {} });
  try {
    const paths = [golden("model/mini-svanet"), golden("nets/unet-odd")];
    const { text, exitCode } = await runParity(
      paths,
      everyChecker(async () => device),
    );
    expect(exitCode, text).toBe(0);
  } finally {
    device.close();
  }
});
