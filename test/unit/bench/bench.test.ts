import { expect, test } from "vitest";
import { adviceFor } from "../../../src/bench/doctor.ts";
import { interleaved, quantile, repeated, spreadOf } from "../../../src/bench/measure.ts";
import { paperSide } from "../../../src/bench/paper-networks.ts";
import { summarise } from "../../../src/bench/profile.ts";
import { differenceOf, stepDifference } from "../../../src/bench/reference.ts";
import { TABLE_VII } from "../../../src/experiment/study/paper.ts";
import { ZOO } from "../../../src/model/zoo.ts";

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

test("something is timed as often as asked, or for its budget: three times at least, `most` at most", async () => {
  const counted = async (count: number | undefined, budget: number) => {
    const indices: number[] = [];
    const samples = await repeated(async (index) => indices.push(index), { count, most: 200, budget });
    expect(indices).toEqual(samples.map((_, i) => i));
    return samples.length;
  };
  expect(await counted(undefined, -1)).toBe(3);
  expect(await counted(undefined, 60_000)).toBe(200);
  expect(await counted(1, 0)).toBe(1);
  expect(await counted(300, 0)).toBe(300);
});

test("the networks of Table VII stand in the paper's order, with what it printed", () => {
  const rows = TABLE_VII.map(paperSide);
  const order = ["UNet", "UNet++", "PraNet", "HRNet", "nnUNet", "CFANet", "TransNetR", "SvANet"];
  expect(rows.map(({ name }) => name)).toEqual(order);
  expect(rows.at(-1)).toMatchObject({ paper: { parametersM: 177.64, macsG: 312.76, fps: 46.91 }, difference: null });
  // The form of a network that the paper counted, where one fits.
  for (const { name, preset } of rows) {
    const fitting = ZOO.filter(({ paper, difference }) => paper === name && difference === undefined);
    if (fitting.length > 0) expect(fitting.map(({ name: one }) => one)).toContain(preset);
  }
});

test("a training step is refused by its loss, or by a gradient of any weight", () => {
  const step = (loss: number, ...gradients: number[][]) => ({
    loss,
    gradients: new Map(gradients.map((values, i) => [`weight${i}`, Float32Array.from(values)])),
  });
  const exact = step(2, [1, -4], [1e-6, 0]);
  expect(stepDifference(exact, step(2.0001, [1.05, -4], [3e-5, 0]))).toBeNull();
  expect(stepDifference(exact, step(2.1, [1, -4], [0, 0]))).toBe("its loss is 2.1, by the plain kernels 2");
  expect(stepDifference(exact, step(Number.NaN, [1, -4], [0, 0]))).toMatch(/^its loss is NaN/);
  expect(stepDifference(exact, step(2, [1.5, -4], [0, 0]))).toMatch(/^the gradient of weight0 differs by 0\.5 /);
  expect(stepDifference(exact, step(2, [1, -4], [0, 1e-3]))).toMatch(/^the gradient of weight1 differs/);
  expect(stepDifference(exact, step(2, [1, Number.NaN], [0, 0]))).toMatch(/^the gradient of weight0 differs by NaN/);
  expect(stepDifference(exact, step(2, [1, -4]))).toMatch(/^the gradient of weight1/);
});
