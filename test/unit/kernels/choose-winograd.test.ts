import { describe, expect, test } from "vitest";
import { chooseWinograd } from "../../../src/kernels/ops/contraction/choose-winograd.ts";
import { allTaps, type Contraction } from "../../../src/kernels/ops/contraction/contraction.ts";
import { correlationOf } from "../../../src/kernels/ops/contraction/winograd.ts";
import { F2, F4, type WinogradForm } from "../../../src/kernels/ops/contraction/winograd-forms.ts";
import { range } from "../../../src/kernels/range.ts";
import { DEFAULT_TARGET, SOFTWARE_TARGET, type Target } from "../../../src/kernels/target.ts";
import { freshValue } from "../../../src/kernels/trace/graph.ts";

/** A 3x3 convolution that keeps the size of square images, or its gradient. */
function convolution(side: number, c: number, k: number, change: Partial<Contraction> = {}): Contraction {
  return {
    kind: "gather",
    x: freshValue([1, side, side, c]),
    weight: freshValue([k, 3, 3, c]),
    y: freshValue([1, side, side, k]),
    ...{ stride: 1, padding: 1, dilation: 1, groups: 1, taps: allTaps(3, 3) },
    ...{ epilogue: {}, target: DEFAULT_TARGET, scratch: freshValue },
    ...change,
  };
}

const EVALUATES: Target = { ...DEFAULT_TARGET, evaluates: true };

const choose = (contraction: Contraction, target: Target = DEFAULT_TARGET) => {
  const correlation = correlationOf(contraction);
  return correlation && chooseWinograd(correlation, target);
};

describe("Winograd's filtering", () => {
  test("is chosen where it saves more than its transforms cost: many channels in and out", () => {
    expect(choose(convolution(64, 512, 512), EVALUATES)?.form).toBe(F4);
    expect(choose(convolution(128, 32, 32), EVALUATES)).toBeNull();
    expect(choose(convolution(128, 32, 32))).toBeNull();
  });

  test("takes the smaller form where gradients are made", () => {
    expect(choose(convolution(64, 512, 512))).toBeNull();
    expect(choose(convolution(64, 1024, 1024))?.form).toBe(F2);
    expect(choose(convolution(64, 1024, 1024, { kind: "scatter" }))?.form).toBe(F2);
  });

  test("is not chosen where the weight is most of the work", () => {
    expect(choose(convolution(8, 1024, 1024))).toBeNull();
  });

  test("is not chosen on a driver that runs on the CPU", () => {
    expect(choose(convolution(64, 512, 512), SOFTWARE_TARGET)).toBeNull();
  });

  test("goes by bands whose patches and products take 64 MiB and one binding at most", () => {
    const bytes = (bands: number) => (4 * 36 * 16384 * 512) / bands;
    const bands = (target: Target) => choose(convolution(512, 512, 512), target)?.bands ?? 0;
    expect(bytes(bands(EVALUATES))).toBeLessThanOrEqual(2 ** 26);
    const small = { ...EVALUATES, bindingLimit: 2 ** 25 };
    expect(bytes(bands(small))).toBeLessThanOrEqual(2 ** 25);
  });

  test.each<[string, Partial<Contraction>]>([
    ["a stride", { stride: 2 }],
    ["dilation", { dilation: 2 }],
    ["groups", { groups: 2 }],
    ["padding wider than the taps", { padding: 3 }],
    ["taps that only meet padding", { taps: { r0: 1, r1: 2, s0: 0, s1: 3 } }],
    [
      "channels that are no multiple of four",
      { weight: freshValue([512, 3, 3, 510]), x: freshValue([1, 64, 64, 510]) },
    ],
    ["another kernel than 3x3", { weight: freshValue([512, 1, 3, 512]) }],
    ["a gradient by the weight", { kind: "pair" }],
  ])("does not apply with %s", (_, change) => {
    expect(correlationOf(convolution(64, 512, 512, change))).toBeNull();
  });
});

/** One axis of a form, by its matrices: A' [(G w) * (B' d)]. */
function filtered({ input, weight, output }: WinogradForm, d: readonly number[], w: readonly number[]): number[] {
  const times = (matrix: readonly (readonly number[])[], v: readonly number[]) =>
    matrix.map((row) => row.reduce((sum, factor, i) => sum + factor * (v[i] ?? Number.NaN), 0));
  const [u, v] = [times(weight, w), times(input, d)];
  return times(
    output,
    u.map((factor, i) => factor * (v[i] ?? Number.NaN)),
  );
}

test.each([F2, F4])("$name equals correlation with three taps", (form) => {
  const w = [2, -3, 5];
  const d = range(form.patch).map((i) => i * i - 7 * i + 3);
  const expected = range(form.tile).map((i) => w.reduce((sum, tap, r) => sum + tap * (d[i + r] ?? Number.NaN), 0));
  const got = filtered(form, d, w);
  for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, 10);
});
