import { describe, expect, test } from "vitest";
import { networkFor } from "../../../../src/experiment/settings/recipe.ts";
import { ablationArms, cellsOf, requireFreeParts } from "../../../../src/experiment/study/ablation.ts";
import {
  ABLATION_TABLES,
  ablationTable,
  ablationTables,
  withRows,
} from "../../../../src/experiment/study/ablation-tables.ts";
import { judgedByTest, planStudy, type StudyData } from "../../../../src/experiment/study/plan.ts";
import { ABLATIONS } from "../../../../src/model/svanet/ablations.ts";
import { paperData, tinyStudy } from "../../../support/study.ts";

const all = ablationTables(["all"]);
const planned = (tables = all, data: StudyData = paperData(), repeats = 3) =>
  planStudy({ blocks: [{ data, arms: ablationArms(tables, tinyStudy()) }], repeats, out: "study" });

test("tables go by name, number and numeral; each has the rows of the paper", () => {
  const rows = { table4: 6, table5: 5, table6: 4, table8: 4, table9: 4, table10: 3, svattn: 5 };
  for (const name of ABLATION_TABLES) expect(ablationTable(name).variants).toHaveLength(rows[name]);
  const named = (text: string) => ablationTable(text).name;
  expect(["IV", "4", "t4", "table IV", "Table-4"].map(named)).toEqual(Array(5).fill("table4"));
  expect(["x", "T10", "viii", "SvAttn"].map(named)).toEqual(["table10", "table10", "table8", "svattn"]);
  expect(ablationTable("table9").variants[0]?.paper).toEqual({ mDice: 72.42, sensitivity: 71.84 });
  expect(ablationTable("table9").note).toContain("that order is an assumption");
  expect(ablationTable("table10").variants.map(({ paper }) => paper.parametersM)).toEqual([null, 12.17, 38.41]);
  expect(ablationTable("table5").note).toContain("MCAttn beats SE");
  expect(ablationTable("table5").variants.every(({ paper }) => paper.mDice === undefined)).toBe(true);
  for (const text of ["table7", "VII"]) expect(() => ablationTable(text)).toThrow("svanet bench fps measures it");
  expect(() => ablationTable("table3")).toThrow(/there is no ablation table table3\. Did you mean table\d+\?/);
  expect(
    ablationTables(["6", "all", "VI"])
      .map(({ name }) => name)
      .sort(),
  ).toEqual([...ABLATION_TABLES].sort());
});

test("some rows of a table keep their figures, and share the runs of the whole table", () => {
  const whole = ablationTable("table4");
  const some = withRows(whole, [1, 4, 6]);
  expect(some.variants).toEqual([0, 3, 5].map((row) => whole.variants[row]));
  expect(some.title).toBe("Table IV: parts of the network (rows 1, 4, 6)");
  const names = planned([whole]).runs.map(({ name }) => name);
  expect(planned([some]).runs).toHaveLength(9);
  for (const { name } of planned([some]).runs) expect(names).toContain(name);
  expect(() => withRows(whole, [1, 7])).toThrow(
    /--rows 1,7: table4 has no row 7; its rows are 1 baseline; .*6 \+ Assem/,
  );
  expect(() => withRows(whole, [2])).toThrow("--rows 2: a table compares two rows or more");
});

test("all tables are 31 rows of 23 networks, and nothing is trained twice", () => {
  const { cells, runs } = planned();
  expect(cells).toHaveLength(31);
  expect(runs).toHaveLength(23 * 3);
  expect(new Set(runs.map(({ config }) => config.out)).size).toBe(69);
  const runsOf = (key: string) => cells.find(({ arm }) => arm.key === key)?.runs;
  for (const key of ["t5-mc", "t6-123", "t8-mc-none", "t9-both", "t10-concat", "sv-scale"]) {
    expect(runsOf(key)).toEqual(runsOf("t4-full"));
  }
  expect(cellsOf(ablationTable("6"), cells).map(({ arm }) => arm.key)).toEqual(["t6-12", "t6-123", "t6-23", "t6-1234"]);
  // The run of a table alone is that of all tables.
  expect(planned([ablationTable("10")]).runs.every((one) => runs.some(({ name }) => name === one.name))).toBe(true);
});

test.each(Object.keys(ABLATIONS))("%s spelt out is the same network and names no ablation", (key) => {
  const config = { ...tinyStudy(), ablation: key };
  const { runs } = planStudy({
    blocks: [{ data: paperData(), arms: [{ key, label: key, config }] }],
    repeats: 1,
    out: "o",
  });
  const [run] = runs;
  if (run === undefined) throw new Error("no run");
  expect(run.config.ablation).toBeNull();
  expect(networkFor(run.config, paperData().dataset)).toEqual(run.network);
  expect(run.network).toEqual(networkFor(config, paperData().dataset));
});

test("a run's name tells recipe, data and seed apart, and nothing else", () => {
  const nameOf = (flags: Parameters<typeof tinyStudy>[0], data = paperData(), out = "study") => {
    const arms = [{ key: "a", label: "a", config: tinyStudy(flags) }];
    return planStudy({ blocks: [{ data, arms }], repeats: 1, out }).runs[0]?.name;
  };
  expect(nameOf({})).toMatch(/^cells-svanet-[0-9a-f]{8}-seed0$/);
  expect(nameOf({ workers: 3, adapter: "x" }, paperData(), "elsewhere")).toBe(nameOf({}));
  expect(nameOf({ seed: 4 })).toBe(nameOf({})?.replace("seed0", "seed4"));
  expect(nameOf({ lr: 1e-3 })).not.toBe(nameOf({}));
  expect(nameOf({ width: 8 })).not.toBe(nameOf({}));
  expect(nameOf({}, { ...paperData(), fold: "2of5" })).toBe(nameOf({})?.replace("cells", "cells-fold2of5"));
});

test("two data sets of one name are refused; a run judged by test has another name and its test as val", () => {
  const arms = [{ key: "a", label: "a", config: tinyStudy() }];
  const blocks = [
    { data: paperData(), arms },
    { data: paperData(), arms },
  ];
  expect(() => planStudy({ blocks, repeats: 1, out: "o" })).toThrow("are both called cells: give them different names");
  const judged = judgedByTest(paperData({ train: 8, val: 4, test: 2 }));
  expect(judged.dataset.splits.val?.map(({ stem }) => stem)).toEqual(["test0", "test1"]);
  expect(planStudy({ blocks: [{ data: judged, arms }], repeats: 1, out: "o" }).runs[0]?.name).toMatch(/judged-by-test/);
});

describe("parts given beside a table", () => {
  const refused = (table: string, flags: Parameters<typeof tinyStudy>[0]) => () =>
    requireFreeParts(ablationTables([table]), tinyStudy(flags));

  test("are refused where the rows differ in them, naming flag and table", () => {
    expect(refused("6", { mcSizes: [1, 2] })).toThrow(
      "--mc-sizes 1,2: the rows of table6 differ in it (Table VI: pool sizes of MCAttn); leave it out",
    );
    expect(refused("10", { link: "add" })).toThrow("--link add: the rows of table10 differ in it");
    expect(refused("all", { neckAttention: "se" })).toThrow("--neck-attention se: the rows of table4 differ in it");
    expect(refused("4", { formerBefore: false })).toThrow("--former-before off: the rows of table4");
  });

  test("are refused where the rows do not differ any more", () => {
    expect(refused("6", { neckAttention: "se" })).toThrow(
      '--encoder mini, --neck-attention se: the rows "pool sizes 1, 2" and "pool sizes 1, 2, 3" of table6 would be one network',
    );
    expect(refused("svattn", { guidance: false })).toThrow("of svattn would be one network");
  });

  test("are taken otherwise", () => {
    for (const table of ABLATION_TABLES) expect(refused(table, {})).not.toThrow();
    expect(refused("6", { link: "add", formerLocal: "dense" })).not.toThrow();
    expect(refused("5", { mcShuffle: false })).not.toThrow();
  });

  test("another network is answered by the flag that was given", () => {
    expect(refused("6", { model: "unet", encoder: null })).toThrow(
      "--model unet: an ablation table compares parts of SvANet, which unet does not have; svanet compare compares networks",
    );
    const named = (field: string) => `run.yaml line 3 (${field})`;
    expect(() => requireFreeParts(all, { ...tinyStudy(), ablation: "t4-neck" }, named)).toThrow(
      "run.yaml line 3 (ablation) t4-neck: the table decides the variants; leave it out",
    );
  });
});
