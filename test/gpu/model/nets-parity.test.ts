import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import { ZOO } from "../../../src/model/zoo.ts";
import { netsChecker } from "../../../src/parity/nets.ts";
import { runParity } from "../../../src/parity/run.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { spoilt } from "../../support/spoil.ts";
import { scratchFolder } from "../../support/training.ts";

const folder = fileURLToPath(new URL("../../fixtures/nets/", import.meta.url));
const scratch = scratchFolder();
let device: Device;

beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => {
  device.close();
  scratch.remove();
});

describe("golden files of the comparison networks", () => {
  test("are met: outputs, loss, statistics, every gradient", async () => {
    const { failures, files } = await runParity([folder], { nets: netsChecker(device) });
    expect(failures).toEqual([]);
    expect(files.length).toBeGreaterThan(2);
  });

  test("are there for every network of the zoo but SvANet, which has files of its own", () => {
    const golden = readdirSync(folder).map((file) => file.split(/[-.]/, 1)[0]);
    const kinds = ZOO.map(({ config }) => config.kind).filter((kind) => kind !== "svanet");
    expect(new Set(golden)).toEqual(new Set(kinds));
  });

  test.each(["eval.out", "train.seg.1", "loss", "grad.head.2.weight", "after.node.0_0.0.norm.running_var"])(
    "are not met when %s is moved",
    async (tensor) => {
      const spoiltFolder = await spoilt("nets", join(scratch.path, tensor), ["unetpp.safetensors"], tensor);
      const { failures } = await runParity([spoiltFolder], { nets: netsChecker(device) });
      expect(failures.map((failure) => failure.tensor)).toEqual([tensor]);
    },
  );
});
