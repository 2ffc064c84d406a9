import { describe, expect, test } from "vitest";
import { chooseTile } from "../../../src/kernels/ops/contraction/choose-tile.ts";
import { LARGE, SMALL, tileOf } from "../../../src/kernels/ops/contraction/tile.ts";
import { DEFAULT_TARGET } from "../../../src/kernels/target.ts";

const PRODUCT = { rows: 256, columns: 256, phases: 1, turns: 1152, wide: true };
const choose = (change: Partial<typeof PRODUCT> = {}, target = {}) =>
  chooseTile({ ...PRODUCT, ...change }, { ...DEFAULT_TARGET, ...target });

describe("the tile of a product", () => {
  test("is cut into stretches where there are fewer tiles than units, the more the fewer", () => {
    const few = choose();
    const fewer = choose({ rows: 64 });
    expect(few.splits).toBeGreaterThan(1);
    expect(fewer.splits).toBeGreaterThan(few.splits);
    expect(choose({ rows: 262144 })).toEqual({ form: LARGE, splits: 1 });
  });

  test("is never cut into stretches of less than twelve turns", () => {
    expect(choose({ turns: 23 }).splits).toBe(1);
    for (const turns of [24, 50, 288]) expect(turns / choose({ turns }).splits).toBeGreaterThanOrEqual(12);
  });

  test("leaves partial sums within one binding and 64 MiB", () => {
    const bytes = 4 * PRODUCT.rows * PRODUCT.columns;
    expect(choose({}, { bindingLimit: 2 * bytes }).splits).toBeLessThanOrEqual(2);
    expect(choose({ rows: 8192, columns: 1024, turns: 4000 }).splits * 8192 * 1024 * 4).toBeLessThanOrEqual(2 ** 26);
  });

  test("is small where large ones leave units idle, and follows the number of units", () => {
    expect(choose({ rows: 128, columns: 128, turns: 8 }).form).toBe(SMALL);
    expect(choose({ rows: 128, columns: 128, turns: 8 }, { computeUnits: 1 }).form).toBe(LARGE);
  });

  test("reads ahead only where four numbers are read at a time", () => {
    expect(choose({ wide: false }).form.schedule).toBe("plain");
    expect(choose().form.schedule).not.toBe("plain");
  });
});

test("the panels of every form fit the memory that each adapter has", () => {
  for (const form of [LARGE, SMALL]) {
    const panels = form.schedule === "double" ? 4 : 2;
    expect(4 * panels * form.depth * tileOf(form).stride).toBeLessThanOrEqual(DEFAULT_TARGET.workgroupStorage);
  }
});
