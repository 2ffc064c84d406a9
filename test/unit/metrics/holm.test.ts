import { expect, test } from "vitest";
import { holm } from "../../../src/metrics/holm.ts";

// statsmodels' multipletests by test/oracle/holm.py.
test.each([
  [
    [0.01, 0.04, 0.03, 0.005],
    [0.03, 0.06, 0.06, 0.02],
  ],
  [
    [0.2, 0.2, 0.9],
    [0.6, 0.6, 0.9],
  ],
  [
    [0.02, 0.02, 0.021],
    [0.06, 0.06, 0.06],
  ],
  [[0.5], [0.5]],
  [
    [0, 1, 0.0249, 0.05, 0.0125],
    [0, 1, 0.0747, 0.1, 0.05],
  ],
])("%j is corrected as statsmodels corrects it", (values: number[], expected: number[]) => {
  for (const [i, p] of holm(values).entries()) expect(p).toBeCloseTo(expected[i] ?? Number.NaN, 11);
});

test("what is no test stays none and does not count", () => {
  expect(holm([null, 0.01, Number.NaN, 0.04])).toEqual([null, 0.02, null, 0.04]);
  expect(holm([])).toEqual([]);
});
