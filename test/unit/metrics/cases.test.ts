import { describe, expect, test } from "vitest";
import { random } from "../../../src/kernels/random.ts";
import { type CaseMaps, casesResult, caseTable, scoreCase } from "../../../src/metrics/cases.ts";
import { CrossEntropy } from "../../../src/metrics/cross-entropy.ts";
import { quantile, surfaceScore } from "../../../src/metrics/surface.ts";
import { Totals } from "../../../src/metrics/totals.ts";

type Shape = readonly [depth: number, height: number, width: number];

/** Two balls of noise that overlap, labels 0 to 2; a function of the seed. */
function volumes([depth, height, width]: Shape, seed: number) {
  const walk = random(3, "volumes", seed);
  const one = () => {
    const middle = [depth, height, width].map((extent) => extent * (0.35 + 0.3 * walk.uniform()));
    const out = new Uint8Array(depth * height * width);
    for (let at = 0; at < out.length; at++) {
      const line = Math.floor(at / width);
      const place = [Math.floor(line / height), line % height, at % width];
      const far = Math.hypot(...place.map((value, axis) => (value - (middle[axis] ?? 0)) / 2.5));
      out[at] = far + 0.3 * walk.uniform() < 1.2 ? (walk.uniform() < 0.9 ? 1 : 2) : 0;
    }
    return out;
  };
  return { prediction: one(), target: one() };
}

/** Borders and distances by their definitions: every pair of border voxels. */
function byDefinition({ prediction, target, height, width, spacing }: CaseMaps, label: number, flat: boolean) {
  const depth = target.length / (height * width);
  const value = (map: Uint8Array, z: number, y: number, x: number) =>
    z < 0 || y < 0 || x < 0 || z >= depth || y >= height || x >= width ? -1 : map[(z * height + y) * width + x];
  const steps = [[0, 0, 1], [0, 1, 0], ...(flat ? [] : [[1, 0, 0]])];
  const isBorder = (map: Uint8Array, z: number, y: number, x: number) =>
    steps.some(([a = 0, b = 0, c = 0]) =>
      [1, -1].some((sign) => value(map, z + sign * a, y + sign * b, x + sign * c) !== label),
    );
  const border = (map: Uint8Array) =>
    Array.from(map, (_, at) => {
      const line = Math.floor(at / width);
      return [Math.floor(line / height), line % height, at % width] as const;
    })
      .filter((place) => value(map, ...place) === label && isBorder(map, ...place))
      .map((place) => place.map((coordinate, axis) => coordinate * (spacing[axis] ?? 1)));
  const [predicted, labelled] = [border(prediction), border(target)];
  const way = (from: number[][], to: number[][]) =>
    from.map((a) => Math.min(...to.map((b) => Math.hypot(...a.map((v, axis) => v - (b[axis] ?? 0))))));
  const [there, back] = [way(predicted, labelled), way(labelled, predicted)];
  return { there, back, hausdorff95: Math.max(quantile(there, 0.95), quantile(back, 0.95)) };
}

const SPACING = [2.5, 0.7, 1.1] as const;

describe("borders of volumes", () => {
  test.each([1, 2, 3])("are as every pair of border voxels says, voxels being no cubes (%i)", (seed) => {
    const [depth, height, width] = [7, 11, 9];
    const maps = { ...volumes([depth, height, width], seed), height, width, spacing: SPACING };
    for (const label of [1, 2]) {
      const { there, back, hausdorff95 } = byDefinition(maps, label, false);
      const totals = Totals.ofImage(maps.prediction, maps.target, 3);
      const own = scoreCase({ name: "v", slices: depth, totals, maps }, 1.5).classes[label - 1];
      const near = [...there, ...back].filter((distance) => distance <= 1.5).length;
      expect(own?.hausdorff95).toBeCloseTo(hausdorff95, 10);
      expect(own?.surfaceDice).toBeCloseTo((100 * near) / (there.length + back.length), 10);
      // Whole, without the cut to what holds the class.
      const whole = surfaceScore(maps.prediction, maps.target, { ...maps, label, depth, tolerance: 1.5 });
      expect(whole.hausdorff95).toBeCloseTo(hausdorff95, 10);
    }
  });

  test("of an image are in the unit of its spacing", () => {
    const [height, width] = [13, 17];
    const maps = { ...volumes([1, height, width], 5), height, width, spacing: SPACING };
    const found = surfaceScore(maps.prediction, maps.target, { label: 1, height, width, spacing: SPACING.slice(1) });
    expect(found.hausdorff95).toBeCloseTo(byDefinition(maps, 1, true).hausdorff95, 10);
    expect(found.hausdorff95).toBeGreaterThan(0);
  });
});

describe("a case", () => {
  const labels = (...values: number[]) => Uint8Array.from(values);
  const totals = (prediction: Uint8Array, target: Uint8Array) => Totals.ofImage(prediction, target, 4);

  test("counts all slices together; what neither map holds is left out, what one holds is 0", () => {
    const sum = totals(labels(1, 1, 0, 0), labels(1, 0, 0, 2));
    sum.merge(totals(labels(1, 0, 0, 0), labels(1, 1, 255, 2)));
    const one = scoreCase({ name: "a", slices: 2, totals: sum });
    // Class 1: 2 in both, 3 predicted, 3 labelled.
    expect(one.classes.map(({ dice }) => dice)).toEqual([expect.closeTo((100 * 4) / 6, 5), 0, Number.NaN]);
    expect(one.classes.map(({ empty }) => empty)).toEqual(["none", "prediction", "both"]);
    expect(one.foregroundDice).toBeCloseTo(200 / 6, 5);
    expect(one.spacing).toBeNull();
    const other = scoreCase({ name: "b, c", slices: 1, totals: totals(labels(0, 1, 0, 0), labels(0, 1, 0, 0)) });
    const result = casesResult([one, other]);
    expect(result.foregroundDice).toBeCloseTo((200 / 6 + 100) / 2, 5);
    expect(result.classes.map(({ cases, labelled }) => [cases, labelled])).toEqual([
      [2, 2],
      [1, 1],
      [0, 0],
    ]);
    const [head, first, second] = caseTable(result).split("\n");
    expect(head).toBe(
      "name,slices,spacingColumn,spacingRow,spacingSlice,foregroundDice,dice1,surfaceDice1,hausdorff95_1,dice2," +
        "surfaceDice2,hausdorff95_2,dice3,surfaceDice3,hausdorff95_3",
    );
    expect(first).toMatch(/^a,2,,,,33\.33\d+,66\.66\d+,,,0,,,,,$/);
    expect(second).toMatch(/^"b, c",1,/);
  });

  test("lists its spacing as files do: columns, rows, slices", () => {
    const maps = { prediction: labels(1, 0), target: labels(1, 0), height: 1, width: 2, spacing: [5, 2, 1] as const };
    const one = scoreCase({ name: "a", slices: 1, totals: totals(labels(1, 0), labels(1, 0)), maps });
    expect(caseTable(casesResult([one])).split("\n")[1]).toMatch(/^a,1,1,2,5,99\.9999\d+,99\.9999\d+,100,0,/);
  });
});

test("cross-entropy is the mean of -log softmax at the label, ignored pixels left out", () => {
  const entropy = new CrossEntropy();
  expect(entropy.value).toBeNaN();
  entropy.add(Float32Array.of(1, 3, 0, 0, 500, -500), Uint8Array.of(0, 255, 0), 2);
  entropy.add(Float32Array.of(0, 0), Uint8Array.of(1), 2);
  expect(entropy.value).toBeCloseTo((Math.log(1 + Math.exp(2)) + 0 + Math.log(2)) / 3, 12);
});
