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

/**
 * Of these the first case only: a tile, and lanes that wait for each other, take a software driver a second and more to
 * compile, and every epilogue is another text. The tests of the system run all cases of the first six with these kernels on another driver.
 */
const TILED: ReadonlySet<string> = new Set([
  ...["conv2d", "conv2dGradWeight", "conv2dGradWeightOfNorm", "convTranspose2d", "linear"],
  ...["conv2dStatistics", "attention", "softmaxSum"],
  ...["batchNormTrain", "batchNormTrainSums", "layerNorm"],
]);

const FAMILIES = ["conv2d", "conv_transpose2d", "linear", "comparison", "losses"];

const golden = (file: string) => fileURLToPath(new URL(`../../fixtures/${file}.safetensors`, import.meta.url));

describe.each(Object.entries(TARGETS))("%s", (_, target) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ target });
  });
  afterAll(() => device.close());

  test.each(Object.keys(OP_CHECKS))("values and gradients of %s equal the definition", async (name) => {
    const options = { filter: (op: string) => op === name, short: TILED.has(name) };
    expect(await expectChecks(device, options)).toBeGreaterThan(0);
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
test("whole networks equal the golden numbers with every choice made as for a GPU", { timeout: 600_000 }, async () => {
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
