import { expect, test } from "vitest";
import { axesOf, axisOf } from "../../../../src/cli/grid-flags.ts";
import { resolveConfig } from "../../../../src/experiment/settings/config.ts";
import { gridArms, gridPoints, randomPoints } from "../../../../src/experiment/study/grid.ts";

test("an axis is a setting by its flag's name with values; lists are separated by semicolons", () => {
  expect(axisOf("lr=1e-4,5e-5")).toMatchObject({ field: "lr", over: [1e-4, 5e-5] });
  expect(axisOf("mc-sizes=1,2;1,2,3")).toMatchObject({
    field: "mcSizes",
    over: [
      [1, 2],
      [1, 2, 3],
    ],
  });
  expect(axisOf("mc-sizes=1,2")).toMatchObject({ over: [[1, 2]] });
  expect(axisOf("--former-before=on, off")).toMatchObject({ field: "formerBefore", over: [true, false] });
  expect(axisOf("size=64,128x64")).toMatchObject({ over: [64, "128x64"] });
  expect(axisOf("lr=1e-5..1e-3")).toMatchObject({ over: { low: 1e-5, high: 1e-3 } });
  expect(axisOf("amp=on,off")).toMatchObject({ over: [true, false] });
  expect(() => axisOf("lrr=1")).toThrow("--grid lrr=1: lrr is no setting to vary. Did you mean lr?");
  expect(() => axisOf("seed=1,2")).toThrow("seed is no setting to vary");
  expect(() => axisOf("lr=1e-4,")).toThrow("values are missing; give such as lr=a,b");
  expect(() => axisOf("mc-sizes")).toThrow("give such as mc-sizes=1,2;1,2,3");
  expect(() => axisOf("lr=1e-3..1e-5")).toThrow("a range goes from the lower number to the higher");
  expect(() => axesOf(["lr=1,2", "lr=3"], {})).toThrow("--grid lr=3: given twice");
  expect(() => axesOf(["lr=1,2"], { lr: 3 })).toThrow("--lr: --grid lr=1,2 varies it; leave one of them out");
});

test("a grid is every combination, the last axis fastest; its rows say what they vary", () => {
  const points = gridPoints(axesOf(["mc-sizes=1,2;1,2,3", "lr=1e-4,5e-5"], {}));
  expect(points).toEqual([
    { mcSizes: [1, 2], lr: 1e-4 },
    { mcSizes: [1, 2], lr: 5e-5 },
    { mcSizes: [1, 2, 3], lr: 1e-4 },
    { mcSizes: [1, 2, 3], lr: 5e-5 },
  ]);
  const arms = gridArms(points, (point) => resolveConfig({ data: "d", out: "o", ...point }));
  expect(arms[1]?.label).toBe("mc-sizes 1,2, lr 0.00005");
  expect(arms[1]?.config).toMatchObject({ mcSizes: [1, 2], lr: 5e-5 });
  expect(() => gridPoints([axisOf("lr=1e-5..1e-3")])).toThrow("a range is drawn from: add --random N, or list values");
  const many = Array.from({ length: 40 }, (_, i) => i + 1).join(",");
  expect(() => gridPoints([axisOf(`width=${many}`), axisOf(`epochs=${many}`)])).toThrow("more than 1000 combinations");
});

test("random points lie in their ranges, differ, follow from the seed, and stay when more are asked for", () => {
  const axes = axesOf(["lr=1e-5..1e-2", "momentum=0.1..0.9", "width=4..64", "link=add,concat"], {});
  const points = randomPoints(axes, 200, 1);
  expect(new Set(points.map((point) => JSON.stringify(point))).size).toBe(200);
  const rates = points.map(({ lr }) => Number(lr));
  expect(Math.min(...rates)).toBeGreaterThanOrEqual(1e-5);
  expect(Math.max(...rates)).toBeLessThanOrEqual(1e-2);
  // Evenly in the logarithm: a third a decade, within four deviations.
  const low = rates.filter((rate) => rate < 1e-4).length;
  expect(Math.abs(low - 200 / 3)).toBeLessThan(27);
  const half = points.filter(({ momentum }) => Number(momentum) < 0.5).length;
  expect(Math.abs(half - 100)).toBeLessThan(29);
  for (const { width } of points)
    expect(Number.isInteger(width) && Number(width) >= 4 && Number(width) <= 64).toBe(true);
  expect(randomPoints(axes, 5, 1)).toEqual(points.slice(0, 5));
  expect(randomPoints(axes, 5, 2)).not.toEqual(points.slice(0, 5));
  expect(() => randomPoints([axisOf("link=add,concat")], 3, 0)).toThrow("found only 2 different ones; ask for fewer");
});
