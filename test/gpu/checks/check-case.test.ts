import { afterAll, beforeAll, expect, test } from "vitest";
import { type AnyCase, type Check, checkOf } from "../../../src/checks/check.ts";
import { checkCase } from "../../../src/checks/check-case.ts";
import { OP_CHECKS } from "../../../src/checks/op-checks.ts";
import { at } from "../../../src/checks/tensor.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { scale } from "../../../src/kernels/ops/arithmetic.ts";
import { addBias } from "../../../src/kernels/ops/contraction/linear.ts";
import type { Derivative, Op } from "../../../src/kernels/trace/op.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** The first case of a check. */
function first({ cases: [one] }: Check): AnyCase {
  if (!one) throw new Error("the check has no case");
  return one;
}

/** What is found wrong when a kernel's text is changed. */
async function problemsOf(check: Check, from: string, to: string): Promise<readonly string[]> {
  let changes = 0;
  const shader = (wgsl: string) => {
    if (wgsl.includes(from)) changes++;
    return wgsl.replaceAll(from, to);
  };
  const { problems } = await checkCase(device, check, first(check), { shader });
  expect(changes, `no shader has ${from}`).toBeGreaterThan(0);
  return problems;
}

test("a wrong output, a wrong gradient and an element nobody wrote are seen", async () => {
  expect(await problemsOf(OP_CHECKS.relu, "return max(x, T(0.0));", "return max(x, T(-0.01));")).toHaveLength(1);
  const slope = await problemsOf(OP_CHECKS.sigmoid, "y * (T(1.0) - y)", "y * (T(1.001) - y)");
  expect(slope).toEqual([expect.stringMatching(/^gradient of x\[\d+\] is /)]);
  const unwritten = await problemsOf(OP_CHECKS.scale, "if (i >= args.count)", "if (i + 1u >= args.count)");
  expect(unwritten[0]).toMatch(/^output\[\d+\] is NaN/);
});

test("an epilogue that is left out, and one of two added twice, are seen", async () => {
  const { cases } = OP_CHECKS.batchNormEval;
  const residual = cases.find(({ epilogue }) => epilogue.join() === "residual");
  if (!residual) throw new Error("there is no case with a residual");
  const shader = (wgsl: string) => wgsl.replace(" + residual_at(at)", " + 0.0 * residual_at(at)");
  expect((await checkCase(device, OP_CHECKS.batchNormEval, residual, { shader })).problems).toHaveLength(1);
  const twice = (wgsl: string) => wgsl.replace(" + residual_at(at)", " + 2.0 * residual_at(at)");
  expect((await checkCase(device, OP_CHECKS.batchNormEval, residual, { shader: twice })).problems).toHaveLength(1);
});

test("a derivative that is silent about an input which needs one is seen", async () => {
  const derivative = addBias.derivative as Derivative<"x" | "bias", unknown, string>;
  const silent: Op<"x" | "bias", unknown> = {
    ...addBias,
    derivative: { ...derivative, backward: (...given) => ({ ...derivative.backward(...given), bias: null }) },
  };
  const check = checkOf(silent, {
    expected: ({ x, bias }) => [{ shape: x.shape, at: (i) => at(x.data, i) + at(bias.data, i % 5) }],
    cases: [{ inputs: { x: [3, 5], bias: [5] } }],
  });
  expect((await checkCase(device, check, first(check))).problems).toEqual(["there is no gradient of bias"]);
});

test("a definition that gives more than comes back is seen", async () => {
  const one = (i: number) => i;
  const check = checkOf(scale, {
    expected: ({ x }) => [
      { shape: x.shape, at: (i) => at(x.data, i) },
      { shape: [1], at: one },
    ],
    cases: [{ inputs: { x: [3, 5] }, attrs: { factor: 1 } }],
  });
  expect((await checkCase(device, check, first(check))).problems).toEqual(["1 tensors came back, not 2"]);
});
