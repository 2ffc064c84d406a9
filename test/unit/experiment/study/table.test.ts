import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { markdownTable, metricColumn } from "../../../../src/cli/study-table.ts";
import { ablationArms } from "../../../../src/experiment/study/ablation.ts";
import { ablationTable } from "../../../../src/experiment/study/ablation-tables.ts";
import { planStudy } from "../../../../src/experiment/study/plan.ts";
import { type StudyRow, studyRows } from "../../../../src/experiment/study/table.ts";
import { type ScoredTable, tableCsv, writeTable } from "../../../../src/experiment/study/table-files.ts";
import { paperData, scoresOf, tinyStudy } from "../../../support/study.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-study-"));
afterAll(() => rmSync(folder, { recursive: true }));

const { cells } = planStudy({
  blocks: [{ data: paperData(), arms: ablationArms([ablationTable("10")], tinyStudy()) }],
  repeats: 2,
  out: "study",
});
// test/oracle/holm.py compares these two.
const ONE = [71.2, 68.4, 80.1, 55.5, 62.3, 77.7, 69.9];
const TWO = [70.1, 69.0, 78.6, 51.2, 60.0, 77.9, 66.6];
const SCIPY = { student: 0.04737110450126434, wilcoxon: 0.078125 };
const apart = (values: readonly number[], by: number) => values.map((value) => value + by);
const SCORES = new Map(
  cells.flatMap(({ runs: [first, second] }, row) => {
    if (first === undefined || second === undefined) return [];
    const mean = row === 0 ? TWO : row === 1 ? ONE : apart(TWO, 0.5);
    // The repeats differ; their means do not.
    return [
      [first.name, scoresOf(first, apart(mean, 1))],
      [second.name, scoresOf(second, apart(mean, -1))],
    ] as const;
  }),
);
const ROWS = studyRows(cells, SCORES, "t10-direct");

test("rows have mean and deviation over the repeats, and the tests of scipy over the images", () => {
  const mean = TWO.reduce((sum, value) => sum + value, 0) / TWO.length;
  const { mDice } = ROWS[0]?.strata["all"] ?? {};
  expect(mDice?.mean).toBeCloseTo(mean, 10);
  expect(mDice?.sd).toBeCloseTo(Math.SQRT2, 10);
  expect(ROWS[0]).toMatchObject({ pValue: null, pValueT: null, pValueHolm: null, difference: null });
  expect(ROWS[1]?.pValueT).toBeCloseTo(SCIPY.student, 9);
  expect(ROWS[1]?.pValue).toBeCloseTo(SCIPY.wilcoxon, 9);
  expect(ROWS[2]?.difference).toBeCloseTo(0.5, 10);
  expect(ROWS[1]?.pValueHolm).toBeCloseTo(Math.max(SCIPY.wilcoxon, 2 * (ROWS[2]?.pValue ?? 1)), 9);
  expect(ROWS.map(({ linkParameters }) => linkParameters === 0)).toEqual([true, false, false]);
});

const table = (over: Partial<ScoredTable["table"]> = {}): ScoredTable => ({
  table: {
    table: "table10",
    title: "Table X",
    data: "set",
    dataset: "cells",
    split: "val",
    select: "val",
    at: "trained",
    repeats: 2,
    baseline: "t10-direct",
    rows: ROWS,
    notes: [],
    unfinished: [],
    ...over,
  },
  scores: [...SCORES.values()],
});
const TEXTS = { csv: "a\n", markdown: "b\n" };

test("a table is written again to its own files, and no other table takes them", () => {
  expect(writeTable(folder, table(), TEXTS)).toBe("table10");
  const first = readFileSync(join(folder, "table10.json"), "utf8");
  expect(writeTable(folder, table({ at: "native" }), TEXTS)).toBe("table10-2");
  const fewer = ROWS.map((row): StudyRow => ({ ...row, runs: row.runs.slice(1) }));
  expect(writeTable(folder, table({ rows: fewer }), TEXTS)).toBe("table10-3");
  expect(writeTable(folder, table(), TEXTS)).toBe("table10");
  expect(writeTable(folder, table({ at: "native" }), TEXTS)).toBe("table10-2");
  expect(readFileSync(join(folder, "table10.json"), "utf8")).toBe(first);
  writeFileSync(join(folder, "table4.json"), "somebody's notes");
  expect(writeTable(folder, table({ table: "table4" }), TEXTS)).toBe("table4-2");
  expect(readFileSync(join(folder, "table4.json"), "utf8")).toBe("somebody's notes");
  expect(readdirSync(folder).filter((name) => name.startsWith("table10."))).toHaveLength(3);
  const images = readFileSync(join(folder, "table10-images.csv"), "utf8").trimEnd().split("\n");
  expect(images).toHaveLength(1 + 6 * ONE.length);
});

test("the CSV has every metric of every stratum, the tests, and the paper beside", () => {
  const [header = "", first = ""] = tableCsv(table().table, ({ key }) => ({ mDice: key.length })).split("\n");
  expect(header).toMatch(/^key,name,parameters,linkParameters,scoredAt,mDice all,mDice all sd,mIoU all,/);
  expect(header).toMatch(/difference,pValue,pValueHolm,pValueT,pValueTHolm,paper mDice$/);
  expect(first.split(",")).toHaveLength(header.split(",").length);
  expect(first).toMatch(/^t10-direct,direct prediction,\d+,0,64x64,/);
});

test("Markdown has the best in bold, and a row without numbers has dashes", () => {
  const [one, two] = ROWS;
  if (one === undefined || two === undefined) throw new Error("no rows");
  const open: StudyRow = { ...one, name: "a | b", complete: false, strata: {} };
  const columns = [
    { title: "name", cell: ({ name }: StudyRow) => name },
    metricColumn<StudyRow>("mDice", "all", "mDice"),
  ];
  const lines = markdownTable(columns, [one, two, open]).split("\n");
  expect(lines.slice(0, 2)).toEqual(["| name | mDice |", "| --- | ---: |"]);
  expect(lines[2]).toMatch(/\| \d+\.\d\d ± 1\.41 \|$/);
  expect(lines[3]).toMatch(/\| \*\*\d+\.\d\d ± 1\.41\*\* \|$/);
  expect(lines[4]).toBe("| a \\| b | - |");
});
