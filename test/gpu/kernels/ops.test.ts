import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AnyCase, Check } from "../../../src/checks/check.ts";
import { checkCase } from "../../../src/checks/check-case.ts";
import { COMPOSITIONS } from "../../../src/checks/compositions.ts";
import { OP_CHECKS } from "../../../src/checks/op-checks.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { sizeOf } from "../../../src/kernels/trace/shape.ts";
import { opCheckers } from "../../../src/parity/ops.ts";
import { runParity } from "../../../src/parity/run.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { expectChecks } from "../../support/checks.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe("golden files", () => {
  const families = Object.keys(opCheckers({} as Device)).map((name) => name.slice("ops/".length));
  test.each(families)("%s", async (family) => {
    const path = fileURLToPath(new URL(`../../fixtures/ops/${family}.safetensors`, import.meta.url));
    const { text, exitCode } = await runParity([path], opCheckers(device));
    expect(exitCode, text).toBe(0);
  });
});

describe("values and gradients equal the definition", () => {
  test.each(Object.keys(OP_CHECKS))("%s", async (name) => {
    expect(await expectChecks(device, { filter: (op) => op === name })).toBeGreaterThan(0);
  });
});

describe("compositions that are timed", () => {
  test.each(COMPOSITIONS)("$name", async (check) => {
    for (const one of check.cases) expect((await checkCase(device, check, one)).problems).toEqual([]);
    expect(check.cases.length).toBeGreaterThan(0);
  });
});

describe("repeatability", () => {
  /** Of each op the first case with a tensor of more than one part of 4096 bytes and of three at most. */
  const picked = Object.values(OP_CHECKS).flatMap((check): (readonly [string, Check, AnyCase])[] => {
    const bytes = ({ inputs }: AnyCase) => Math.max(...Object.values(inputs).map(({ shape }) => 4 * sizeOf(shape)));
    const one = check.cases.find((given) => bytes(given) > 4096 && bytes(given) <= 3 * 4096);
    return one ? [[check.name, check, one]] : [];
  });

  test("is tried with most ops", () => {
    expect(picked.length).toBeGreaterThan(30);
  });

  test.each(picked)("%s: two runs give the same bits", async (_, check, one) => {
    const { results } = await checkCase(device, check, one);
    expect(results.size).toBeGreaterThan(0);
    expect((await checkCase(device, check, one)).results).toEqual(results);
  });

  describe("tensors bound in parts of 4096 bytes give the same bits", () => {
    let parts: Device;
    beforeAll(async () => {
      parts = await openDevice({ target: { bindingLimit: 4096 } });
    });
    afterAll(() => parts.close());

    /** One of every way to walk through tensors: each has kernels of its own for the parts. */
    const walks = new Set<string>([
      "conv2d",
      "multiply",
      "softmax",
      "weightedSum",
      "maxPool2d",
      "resizeBilinear",
      "concat2",
    ]);
    const some = picked.filter(([name]) => walks.has(name));

    test("is tried with every walk", () => {
      expect(some.length).toBe(walks.size);
    });

    test.each(some)("%s", async (_, check, one) => {
      expect((await checkCase(parts, check, one)).results).toEqual((await checkCase(device, check, one)).results);
    });
  });
});
