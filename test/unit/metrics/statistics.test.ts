import { describe, expect, test } from "vitest";
import { RocHistogram, rocCurve } from "../../../src/metrics/roc.ts";
import { pairedTTest, wilcoxonSignedRank } from "../../../src/metrics/significance.ts";
import { incompleteBeta, logGamma, normalTail, studentTail } from "../../../src/metrics/special.ts";

const relative = (got: number, expected: number) => Math.abs(got - expected) / Math.abs(expected);

describe("special functions (golden values: SciPy 1.17)", () => {
  test.each([
    [0.01, 1, 0.993634014470186],
    [1, 2, 0.4226497308103742],
    [-2.5, 11, 0.029506374087364163],
    [5, 30, 2.32966854670078e-5],
    [2, 1000, 0.04577034649325166],
    [12, 1000, 4.324057386774429e-31],
    [2, 100000, 0.04550296345750651],
  ])("Student tail of %f with %i degrees of freedom", (t, degrees, expected) => {
    expect(relative(studentTail(t, degrees), expected)).toBeLessThan(1e-10);
  });

  test.each([
    [0.3, 0.7641771556220948],
    [-1.7, 0.08913092551708608],
    [3, 0.0026997960632601866],
    [6, 1.973175290075389e-9],
  ])("normal tail of %f", (z, expected) => {
    expect(relative(normalTail(z), expected)).toBeLessThan(1e-10);
  });

  test("closed forms and ends", () => {
    expect(logGamma(5)).toBeCloseTo(Math.log(24), 12);
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 12);
    expect(incompleteBeta(1, 1, 0.3)).toBeCloseTo(0.3, 13);
    expect(incompleteBeta(2, 3, 0.6)).toBeCloseTo(0.8208, 13);
    expect(incompleteBeta(2, 3, 0)).toBe(0);
    expect(incompleteBeta(2, 3, 1)).toBe(1);
    expect(normalTail(0)).toBe(1);
    expect(normalTail(Number.POSITIVE_INFINITY)).toBe(0);
  });
});

describe("paired tests", () => {
  test("t: 2 degrees of freedom", () => {
    const { statistic, pValue } = pairedTTest([1, 2, 4], [0, 1, 1.5]);
    expect(statistic).toBeCloseTo(3, 12);
    expect(pValue).toBeCloseTo(0.09546596626670913, 12);
  });

  test("t without spread or pairs", () => {
    expect(pairedTTest([1, 2], [1, 2]).pValue).toBe(1);
    expect(pairedTTest([2, 3], [1, 2]).pValue).toBe(0);
    expect(pairedTTest([2], [1]).pValue).toBeNaN();
    expect(() => pairedTTest([1, 2], [1])).toThrow("2 values cannot be paired with 1");
    expect(() => wilcoxonSignedRank([Number.NaN], [1])).toThrow("must be finite");
  });

  test("Wilcoxon, exact: the smallest p of n pairs is 2 / 2^n", () => {
    expect(wilcoxonSignedRank([1, 2, 3], [0, 0, 0]).pValue).toBe(0.25);
    expect(wilcoxonSignedRank([1.5, 2.5, -3.5], [0, 0, 0])).toEqual({ statistic: 3, pValue: 1 });
    const one = Array.from({ length: 25 }, (_, i) => i + 1);
    expect(wilcoxonSignedRank(one, Array(25).fill(0)).pValue).toBe(2 / 2 ** 25);
  });

  test("Wilcoxon drops zeros, corrects ties and turns normal for many pairs", () => {
    expect(wilcoxonSignedRank([1, 2, 3, 7, 7], [0, 0, 0, 7, 7]).pValue).toBe(0.25);
    expect(wilcoxonSignedRank([4, 4], [4, 4]).pValue).toBe(1);
    const tied = wilcoxonSignedRank([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 1, 6, 3, 9, 3, 3]);
    expect(tied.pValue).toBeCloseTo(0.3946268662430952, 12);
    const many = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? -1 : 1) * (i + 1) * 0.37);
    const { statistic, pValue } = wilcoxonSignedRank(many, Array(30).fill(0));
    expect(statistic).toBe(145);
    expect(pValue).toBeCloseTo(0.07190333008390941, 12);
  });
});

describe("ROC", () => {
  const scores = [0.9, 0.8, 0.8, 0.3, 0.1];
  const truth = [1, 1, 0, 0, 1];

  test("worked example: ties make one point", () => {
    const { falsePositiveRate, truePositiveRate, area } = rocCurve(scores, truth);
    expect([...falsePositiveRate]).toEqual([0, 0, 1 / 2, 1, 1]);
    expect([...truePositiveRate]).toEqual([0, 1 / 3, 2 / 3, 2 / 3, 1]);
    expect(area).toBeCloseTo(7 / 12, 14);
  });

  test("4096 bins come within 1/4096 of the exact area, in any grouping", () => {
    const many = Array.from({ length: 5000 }, (_, i) => ((i * 7919) % 5003) / 5003);
    const positive = many.map((score, i) => (score + ((i * 31) % 17) / 17 > 1 ? 1 : 0));
    const halves = [new RocHistogram(), new RocHistogram()];
    for (const [i, score] of many.entries()) halves[i % 2]?.add(score, positive[i] === 1);
    const [first, second] = halves as [RocHistogram, RocHistogram];
    first.merge(second);
    expect(Math.abs(first.curve().area - rocCurve(many, positive).area)).toBeLessThan(1 / 4096);
    expect(() => first.merge(new RocHistogram(16))).toThrow("16 ROC bins cannot join 4096");
  });

  test("foreground and one-versus-rest scores skip ignored pixels", () => {
    const probabilities = Float32Array.of(0.75, 0.125, 0.125, 0.25, 0.5, 0.25, 0, 1, 0, 0.25, 0.25, 0.5);
    const target = Uint8Array.of(0, 1, 255, 2);
    const foreground = new RocHistogram(8);
    foreground.addForeground(probabilities, target, 3);
    expect(foreground.curve()).toEqual(rocCurve([0.25, 0.75, 0.75], [0, 1, 1]));
    const rest = new RocHistogram(8);
    rest.addOneVersusRest(probabilities, target, 3);
    expect(rest.curve()).toEqual(rocCurve([0.125, 0.125, 0.5, 0.25, 0.25, 0.5], [0, 0, 1, 0, 0, 1]));
  });

  test("one kind of pixels only has no curve; scores must be probabilities", () => {
    expect(rocCurve([0.5, 0.6], [1, 1]).area).toBeNaN();
    expect(rocCurve([], []).area).toBeNaN();
    expect(() => rocCurve([Number.NaN], [1])).toThrow("Score 0 is not a number");
    expect(() => new RocHistogram().add(1.5, true)).toThrow("must be in [0, 1], not 1.5");
    const broken = Float32Array.of(Number.NaN, 0.5);
    expect(() => new RocHistogram().addForeground(broken, Uint8Array.of(1), 2)).toThrow("not NaN");
  });
});
