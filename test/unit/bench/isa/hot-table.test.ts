import { describe, expect, test } from "vitest";
import { type HotRow, readHotTable, worsened } from "../../../../bench/isa/hot-table.ts";

const ROW: HotRow = {
  ...{ kernel: "gather 64x64 tile", registers: 48, issue: 0.84, ldsPerFma: 2.13 },
  ...{ conflicts: 1.18, cover: 100, tailWaits: 2 },
};
const TABLE = { compiler: "radv", families: { navi31: [ROW] } };

const compare = (change: Partial<HotRow>, compiler = "radv") =>
  worsened(TABLE, { family: "navi31", compiler, hot: [{ ...ROW, ...change }] });

describe("the table of hot kernels", () => {
  test("is content with the same and with better figures", () => {
    expect(compare({})).toEqual([]);
    expect(compare({ registers: 40, issue: 0.95, ldsPerFma: 1, conflicts: 1, cover: 500, tailWaits: 0 })).toEqual([]);
  });

  test.each([
    [{ registers: 56 }, "registers was 48 and is 56"],
    [{ issue: 0.7 }, "issue was 0.84 and is 0.7"],
    [{ ldsPerFma: 2.5 }, "ldsPerFma was 2.13 and is 2.5"],
    [{ conflicts: 1.53 }, "conflicts was 1.18 and is 1.53"],
    [{ cover: 12 }, "cover was 100 and is 12"],
    [{ cover: null }, "cover was 100 and is 0"],
    [{ tailWaits: 16 }, "tailWaits was 2 and is 16"],
  ])("sees %o, and says how a person agrees", (change, sentence) => {
    const [line, ...more] = compare(change);
    expect(more).toEqual([]);
    expect(line).toContain(`navi31: gather 64x64 tile: ${sentence}; `);
    expect(line).toContain("npm run bench:isa -- --update-table");
  });

  test("asks more of the compiler that made it than of another version", () => {
    expect(compare({ registers: 56 }, "radv of tomorrow")).toEqual([]);
    expect(compare({ registers: 72 }, "radv of tomorrow")).toHaveLength(1);
  });

  test("names kernels that are new or gone", () => {
    const lines = worsened(TABLE, {
      family: "navi31",
      compiler: "radv",
      hot: [{ ...ROW, kernel: "gather 32x32 tile" }],
    });
    expect(lines[0]).toContain("gather 64x64 tile is in the table and no longer hot");
    expect(lines[1]).toContain("gather 32x32 tile is hot and not in the table");
  });

  test("that is committed has rows for every family", () => {
    const { compiler, families } = readHotTable();
    expect(compiler).toContain("Mesa");
    for (const rows of [families.navi31, families.navi21]) expect(rows?.length).toBeGreaterThan(4);
  });
});
