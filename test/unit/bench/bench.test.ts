import { expect, test } from "vitest";
import { adviceFor } from "../../../src/bench/doctor.ts";
import { differenceOf } from "../../../src/bench/fps.ts";
import { interleaved, quantile, repeated, spreadOf } from "../../../src/bench/measure.ts";
import { compareSamples } from "../../../src/bench/op-case.ts";
import { summarise } from "../../../src/bench/profile.ts";
import {
  attentionGradKV,
  attentionGradQ,
  bilinearSource,
  convForward,
  convGradWeight,
  convGradX,
} from "../../../src/bench/reference.ts";

test("quantiles lie between neighbours in proportion", () => {
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
  expect(quantile([7], 0.95)).toBe(7);
  expect(spreadOf([5, 1, 3])).toEqual({ median: 3, p05: 1.2, p95: 4.8, samples: 3 });
});

test("things are timed in turns, after one untimed run each", async () => {
  const calls: string[] = [];
  const timed = (name: string) => async () => calls.push(name);
  const samples = await interleaved([timed("a"), timed("b")], { least: 2, most: 2, budget: 0 });
  expect(calls.join("")).toBe("ababab");
  expect(samples).toEqual([
    [3, 5],
    [4, 6],
  ]);
});

test("a kernel is refused by one wrong or missing sample", () => {
  const exact = (index: number) => index;
  const right = Float32Array.from({ length: 100 }, (_, i) => i);
  expect(compareSamples("x", right, 10, exact)).toBeNull();
  const wrong = right.map((value, i) => (i === 43 ? value + 1 : value));
  expect(compareSamples("x", wrong, 10, exact)).toBe("x[43] is 44, float64 gives 43");
  expect(compareSamples("x", right.fill(Number.NaN), 10, exact)).toMatch(/^x\[3\] is NaN/);
});

test("a program is refused when its logits are not the literal form's, or not finite", () => {
  const exact = Float32Array.of(10, -20);
  expect(differenceOf(exact, Float32Array.of(10.01, -20))).toBeNull();
  expect(differenceOf(exact, Float32Array.of(10.25, -20))).toMatch(/^its logits differ by 0\.25 /);
  expect(differenceOf(exact, Float32Array.of(10, Number.NaN))).toBe("logit 1 is NaN, by the literal form -20");
  expect(differenceOf(exact, new Float32Array(1))).not.toBeNull();
});

test("a profile adds up the kernels of a kind, the slowest kind first", () => {
  const timing = (label: string, path: string, milliseconds: number, macs: number) => ({
    label,
    path,
    milliseconds,
    macs,
  });
  const rows = summarise([timing("add", "a", 1, 0), timing("conv", "b", 2, 4e6), timing("conv", "c", 4, 2e6)]);
  expect(rows).toMatchObject([
    { label: "conv", dispatches: 2, milliseconds: 6, gflops: 2, worst: { path: "c", milliseconds: 4 } },
    { label: "add", dispatches: 1, share: 1 / 7, gflops: null },
  ]);
});

test("advice names the failing files, and says what a software driver is for", () => {
  const report = { software: true, features: [], driver: "some driver 1.0" };
  const failure = { file: "ops/conv2d.safetensors", caseName: "plain", tensor: "plain.output", message: "wrong" };
  const text = adviceFor(report, [failure, failure]).join("\n");
  expect(text).toContain("1 of the op checks fail (ops/conv2d.safetensors)");
  expect(text).toContain("now: some driver 1.0");
  expect(text).toContain("software driver");
  expect(text).toContain("no timestamp queries");
});

/** Numbers with no pattern. */
const numbers = (count: number, seed: number) =>
  Float64Array.from({ length: count }, (_, i) => Math.sin(seed + 7.3 * i));
const total = (count: number, value: (i: number) => number) =>
  Array.from({ length: count }, (_, i) => value(i)).reduce((a, b) => a + b, 0);

/** The derivative of `f` by element `index` of `at`, by central differences. */
function slope(at: Float64Array, index: number, f: () => number): number {
  const [step, value] = [1e-5, at[index] ?? 0];
  at[index] = value + step;
  const above = f();
  at[index] = value - step;
  const below = f();
  at[index] = value;
  return (above - below) / (2 * step);
}

test("the reference convolution's gradients are its derivatives", () => {
  const sides = { n: 2, h: 5, w: 6, c: 4, oh: 3, ow: 3, k: 6, r: 3, s: 3 };
  const g = { ...sides, stride: 2, padding: 2, dilation: 2, groups: 2 };
  const [x, weight, grad] = [numbers(2 * 5 * 6 * 4, 1), numbers(6 * 3 * 3 * 2, 2), numbers(2 * 3 * 3 * 6, 3)];
  const loss = () => total(grad.length, (i) => (grad[i] ?? 0) * convForward(g, x, weight, i));
  for (const i of [0, 57, 131, 239]) expect(convGradX(g, grad, weight, i)).toBeCloseTo(slope(x, i, loss), 6);
  for (const i of [0, 40, 107]) expect(convGradWeight(g, grad, x, i)).toBeCloseTo(slope(weight, i, loss), 6);
});

test("the reference attention's gradients are its derivatives", async () => {
  const { attentionForward } = await import("../../../src/bench/reference.ts");
  const [tokens, dim] = [5, 3];
  const [q, k, v, grad] = [numbers(15, 1), numbers(15, 2), numbers(15, 3), numbers(15, 4)];
  const view = { q, k, v, tokens, dim, place: (t: number, d: number) => t * dim + d };
  const loss = () => total(15, (i) => (grad[i] ?? 0) * attentionForward(view, Math.floor(i / dim), i % dim));
  for (const i of [0, 7, 14]) {
    const [token, feature] = [Math.floor(i / dim), i % dim];
    expect(attentionGradQ(view, grad, token, feature)).toBeCloseTo(slope(q, i, loss), 6);
    const both = attentionGradKV(view, grad, token, feature);
    expect(both.k).toBeCloseTo(slope(k, i, loss), 6);
    expect(both.v).toBeCloseTo(slope(v, i, loss), 6);
  }
});

test("bilinear sources at the ends, with edges or corners in place", () => {
  expect(bilinearSource(0, 4, 8, false)).toEqual([0, 1, 0]);
  expect(bilinearSource(7, 4, 8, false)).toEqual([3, 3, 0.25]);
  expect(bilinearSource(7, 4, 8, true)).toEqual([3, 3, 0]);
  expect(bilinearSource(0, 4, 1, true)).toEqual([0, 1, 0]);
});

test("something is timed as often as asked, or for its budget: three times at least, two hundred at most", async () => {
  const counted = async (count: number | undefined, budget: number) => {
    const indices: number[] = [];
    const samples = await repeated(async (index) => indices.push(index), count, budget);
    expect(indices).toEqual(samples.map((_, i) => i));
    return samples.length;
  };
  expect(await counted(undefined, -1)).toBe(3);
  expect(await counted(undefined, 60_000)).toBe(200);
  expect(await counted(1, 0)).toBe(1);
  expect(await counted(300, 0)).toBe(300);
});
