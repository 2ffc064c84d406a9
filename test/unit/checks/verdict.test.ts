import { expect, test } from "vitest";
import { sampled } from "../../../src/checks/check-case.ts";
import { noise } from "../../../src/checks/draw.ts";
import { Verdict } from "../../../src/checks/verdict.ts";

const COUNT = 100;
const exact = { shape: [COUNT], at: (index: number) => index };
const right = () => Float32Array.from({ length: COUNT }, (_, i) => i);

function judged(data: Float32Array, tolerance = 1e-3, exactly = false): Verdict {
  const verdict = new Verdict(tolerance);
  verdict.tensor("y", { shape: [COUNT], data }, exact, exactly);
  return verdict;
}

test("numbers within a share of the largest pass, and the worst is told", () => {
  expect(judged(right())).toMatchObject({ values: COUNT, worst: 0, problems: [] });
  const near = judged(right().fill(7.0495, 7, 8));
  expect(near.worst).toBeCloseTo(0.5, 4);
  expect(near.problems).toEqual([]);
});

test("one wrong number, one that is missing and one that is none are seen and named", () => {
  expect(judged(right().fill(44, 43, 44)).problems).toEqual(["y[43] is 44, not 43 (allowed 0.099)"]);
  expect(judged(right().fill(Number.NaN, 43, 44)).problems[0]).toMatch(/^y\[43\] is NaN, not 43/);
  expect(judged(right().subarray(0, 99)).problems[0]).toMatch(/^y\[99\] is NaN, not 99/);
});

test("integers are compared without a tolerance", () => {
  expect(judged(right().fill(7.5, 7, 8), 1e-3, true).problems).toEqual(["y[7] is 7.5, not 7 (allowed 0)"]);
});

test("another shape is a difference", () => {
  const verdict = new Verdict(1);
  verdict.tensor("y", { shape: [10, 10], data: right() }, exact, false);
  expect(verdict.problems).toEqual(["y is [10,10], not [100]"]);
});

test("infinities are equal to themselves alone", () => {
  const verdict = new Verdict(1);
  verdict.samples("y", [1 / 0, -1 / 0], [0, 1], [1 / 0, -1 / 0]);
  expect(verdict.problems).toEqual([]);
  verdict.samples("y", [1 / 0], [0], [-1 / 0]);
  expect(verdict.problems).toHaveLength(1);
});

test("samples are spread evenly, each place once", () => {
  expect(sampled(5, 24)).toEqual([0, 1, 2, 3, 4]);
  expect(sampled(100, 4)).toEqual([9, 34, 59, 84]);
});

test("drawn numbers keep away from kinks and repeat", () => {
  const drawn = noise([4001], { scale: 0.01, kinks: [0] });
  const numbers = drawn.numbers(1);
  expect(Math.min(...numbers.map(Math.abs))).toBeCloseTo(1e-3, 9);
  expect(numbers.some((v) => v < 0)).toBe(true);
  expect(drawn.numbers(1)).toEqual(numbers);
  expect(drawn.numbers(2)).not.toEqual(numbers);
});
