import { describe, expect, test } from "vitest";
import { DrawTable } from "../../../src/model/draws.ts";

const REGIONS = new Map([["r", Int32Array.of(0, 1, 2, 0, 1, 2)]]);

function table(): DrawTable {
  const draws = new DrawTable();
  draws.declare({ kind: "subset", name: "g", height: 5, width: 4, sizes: [1, 2, 3], shuffle: true });
  draws.declare({ kind: "owners", name: "o", cells: 6, maps: 3, regions: "r" });
  draws.declare({ kind: "keep", name: "k", shape: [4, 1, 1, 500], drop: 0.25 });
  return draws;
}

const sum = (values: Iterable<number> | undefined) => [...(values ?? [])].reduce((total, value) => total + value, 0);

describe("draws", () => {
  test("repeat for the same seed and step and differ between steps", () => {
    const draws = table();
    expect(draws.sample(7, 3, REGIONS)).toEqual(table().sample(7, 3, REGIONS));
    expect(draws.sample(7, 3, REGIONS)).not.toEqual(draws.sample(7, 4, REGIONS));
    expect(draws.sample(7, 3, REGIONS)).not.toEqual(draws.sample(8, 3, REGIONS));
  });

  test("weight the pixels of a subset to one, with the size of a pooled cell", () => {
    const counts = new Set<number>();
    for (let step = 0; step < 60; step++) {
      const weights = table().sample(1, step, REGIONS).get("draw:g");
      expect(sum(weights)).toBeCloseTo(1, 5);
      counts.add([...(weights ?? [])].filter((weight) => weight > 0).length);
    }
    // 5x4 whole; its quarters are 3x2; its ninths 2 or 3 rows by 2 columns.
    expect([...counts].sort((a, b) => a - b)).toEqual([4, 6, 20]);
  });

  test("give each cell to one map", () => {
    const inputs = table().sample(2, 0, REGIONS);
    const maps = [0, 1, 2].map((i) => inputs.get(`draw:o.map.${i}`) ?? new Float32Array());
    for (let cell = 0; cell < 6; cell++) expect(sum(maps.map((map) => map[cell] ?? 0))).toBeCloseTo(1 / 6, 6);
  });

  test("keep the mean of what a dropout passes", () => {
    const kept = table().sample(3, 0, REGIONS).get("draw:k");
    expect([...new Set(kept)].sort()).toEqual([0, Math.fround(1 / 0.75)]);
    expect(sum(kept) / 2000).toBeCloseTo(1, 1);
  });

  test("repeat recorded choices and say which", () => {
    const draws = new DrawTable();
    draws.declare({ kind: "subset", name: "g", height: 2, width: 2, sizes: [2], shuffle: true });
    draws.declare({ kind: "owners", name: "o", cells: 6, maps: 3, regions: "r" });
    const int = (...values: number[]) => ({ data: Int32Array.from(values), shape: [values.length] });
    const recorded = new Map([
      ["g.size", int(2)],
      ["g.perm", int(3, 1, 0, 2)],
      ["g.cell", int(2)],
      ["o.perm", int(5, 4, 3, 2, 1, 0)],
      ["o.order", int(1, 2, 0)],
    ]);
    const { inputs, consumed } = draws.fromRecorded(recorded, REGIONS);
    expect([...(inputs.get("draw:g") ?? [])]).toEqual([1, 0, 0, 0]);
    expect([...(inputs.get("draw:o.map.0") ?? [])].map((weight) => weight > 0)).toEqual([
      false,
      true,
      false,
      false,
      true,
      false,
    ]);
    expect(consumed).toEqual([...recorded.keys()]);
  });

  test("read literal regions when nothing is shuffled", () => {
    const draws = new DrawTable();
    draws.declare({ kind: "subset", name: "g", height: 2, width: 2, sizes: [2], shuffle: false });
    const weights = [...(draws.sample(1, 0, new Map()).get("draw:g") ?? [])];
    expect(weights.filter((weight) => weight === 1)).toHaveLength(1);
    expect(() => draws.fromRecorded(new Map(), REGIONS)).toThrow("there is no recorded draw named g.size");
  });
});
