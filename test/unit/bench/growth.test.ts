import { expect, test } from "vitest";
import { growthOf, type MeasuredRun, runsOf } from "../../../src/bench/growth.ts";
import { growthChart } from "../../../src/bench/growth-chart.ts";
import { fitOf, judged } from "../../../src/bench/growth-fit.ts";

/** Two microseconds a dispatch and a thousand GMAC a second. */
const timeOf = (dispatches: number, macs: number) => 0.002 * dispatches + macs / 1e9;
const point = (macs: number, change = {}) => {
  const milliseconds = timeOf(100, macs);
  return { dispatches: 100, macs, milliseconds, gpuMs: milliseconds - 0.1, productMs: macs / 1e9, ...change };
};

test("the fit finds overhead and rate, and takes neither below zero", () => {
  const { msPerDispatch, msPerMac } = fitOf([1e6, 1e8, 3e9].map((macs) => point(macs)));
  expect(msPerDispatch).toBeCloseTo(0.002, 8);
  expect(msPerMac).toBeCloseTo(1e-9, 14);
  const faster = [1e8, 1e9, 1e10].map((macs) => ({ ...point(macs), milliseconds: macs ** 1.2 / 1e10 }));
  expect(fitOf(faster).msPerDispatch).toBe(0);
});

test("a point further than 15 % from proportional is explained by its products and its other kernels", () => {
  const points = [1e7, 1e8, 1e9, 1e10, 1e11].map((macs) => point(macs));
  expect(judged(points).points.map(({ explanation }) => explanation)).toEqual([null, null, null, null, null]);
  const slow = { ...point(1e9), milliseconds: 2.4, gpuMs: 2.3, productMs: 2.2 };
  const { points: found } = judged([...points, slow]);
  expect(found.at(-1)?.deviation).toBeGreaterThan(0.15);
  expect(found.at(-1)?.explanation).toBe(
    "slower: products at 909 GFLOP/s (middle 2.00e+3), other kernels 4 % of the GPU's time (middle 9 %), 4 % of the run outside the GPU",
  );
  const untimed = judged([...points, { ...slow, gpuMs: null, productMs: null }]).points.at(-1);
  expect(untimed?.explanation).toBe("slower, and this adapter has no timestamps to say where");
});

const START = { size: 64, batch: 1, width: 8 };

test("every run is made once, and lies on the axes that it is a point of", () => {
  const runs = runsOf({ start: START, sizes: [32, 64], batches: [1, 4], widths: [8] });
  expect(runs).toEqual([
    { ...START, size: 32, axes: ["size"] },
    { ...START, axes: ["size", "batch", "width"] },
    { ...START, batch: 4, axes: ["batch"] },
  ]);
});

/** What a chart and a fit look at. */
const measured = (run: { size: number; batch: number; width: number | null }) => {
  const executedMacs = 1000 * run.size ** 2 * (run.width ?? 1);
  const medianMs = timeOf(10, executedMacs * run.batch);
  return { refusal: null, dispatches: 10, executedMacs, medianMs, peakBytes: 2 ** 20, productMs: null, gpuMs: null };
};

test("a run without figures stays a row, and the others are judged without it", () => {
  const runs = runsOf({ start: START, sizes: [32, 64, 128], batches: [2], widths: [] });
  const rows = runs.map((run) => ({ ...run, ...(run.size === 128 ? { refusal: "too large" } : measured(run)) }));
  const growth = growthOf("unet", rows as unknown as MeasuredRun[]);
  expect(growth.rows.map(({ refusal }) => refusal)).toEqual([null, null, "too large", null]);
  expect(growth.largestDeviation).toBeLessThan(1e-6);
  const svg = growthChart(growth, "made <up>");
  expect(svg).toContain("made &lt;up&gt;");
  expect(svg.match(/<circle/g)).toHaveLength(2 * (2 + 2 + 1));
  const none = growthOf("unet", [{ ...START, axes: ["size"], refusal: "too large" }]);
  expect(none).toMatchObject({ fit: null, largestDeviation: null, rows: [{ refusal: "too large" }] });
});
