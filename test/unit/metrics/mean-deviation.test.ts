import { expect, test } from "vitest";
import { meanDeviation } from "../../../src/metrics/mean-deviation.ts";

test("the deviation is that of a sample; one value has none, no value has neither", () => {
  expect(meanDeviation([2, 4, 4, 4, 5, 5, 7, 9])).toEqual({ mean: 5, sd: Math.sqrt(32 / 7) });
  expect(meanDeviation([3])).toEqual({ mean: 3, sd: null });
  expect(meanDeviation([])).toEqual({ mean: null, sd: null });
  expect(meanDeviation([1, Number.NaN])).toEqual({ mean: null, sd: null });
});
