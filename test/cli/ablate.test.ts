import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ABLATION_TABLES, ablationTable } from "../../src/experiment/ablate/ablate-tables.ts";
import { svanet } from "../support/svanet.ts";
import { cells, scratchFolder } from "../support/training.ts";

const scratch = scratchFolder();
const data = join(scratch.path, "cells");
const out = join(scratch.path, "table6");
const TINY = [
  "--encoder",
  "mini",
  "--width",
  "4",
  "--size",
  "32",
  "--batch-size",
  "2",
  "--steps",
  "2",
  "--workers",
  "0",
];
const ablate = (...more: string[]) =>
  svanet("ablate", ...more, "--data", data, "--out", out, ...TINY, "--repeats", "2");

beforeAll(async () => {
  await cells(data, 4, 3);
});
afterAll(() => scratch.remove());

interface Row {
  readonly key: string;
  readonly name: string;
  readonly mDice: number;
  readonly mDiceSd: number;
  readonly sensitivity: number;
  readonly pValue: number | null;
  readonly parameters: number;
  readonly paper: { readonly mDice?: number };
}

test("table6 with two repeats, end to end; the second call trains nothing and prints the same", () => {
  const first = ablate("table6");
  expect(first.status, first.stderr).toBe(0);
  expect(first.stdout).toContain("Table VI: pool sizes of MCAttn (2 runs each, split val)");
  for (const label of ["pool sizes 1, 2 ", "pool sizes 1, 2, 3 ", "pool sizes 2, 3 ", "pool sizes 1, 2, 3, 4 "]) {
    expect(first.stdout).toContain(label);
  }
  expect(first.stdout).toContain("72.58");
  const keys = ["t6-12", "t6-123", "t6-23", "t6-1234"];
  const folders = keys.flatMap((key) => [`${key}-seed0`, `${key}-seed1`]);
  expect(readdirSync(out).sort()).toEqual([...folders, "ablate.csv", "ablate.json", "images.csv"].sort());
  const times = () => folders.map((name) => statSync(join(out, name, "checkpoints", "last.safetensors")).mtimeMs);
  const before = times();

  const second = ablate("VI");
  expect(second.status, second.stderr).toBe(0);
  expect(second.stderr).toContain("8 of 8 runs are finished and skipped");
  expect(second.stdout).toBe(first.stdout);
  expect(times()).toEqual(before);

  const stored = JSON.parse(readFileSync(join(out, "ablate.json"), "utf8")) as {
    table: string;
    rows: Row[];
    runs: object[];
  };
  expect([stored.table, stored.runs.length]).toEqual(["table6", 8]);
  expect(stored.rows.map(({ key }) => key)).toEqual(keys);
  expect(stored.rows.map(({ pValue }) => pValue === null)).toEqual([true, false, false, false]);
  expect(stored.rows.map(({ paper }) => paper.mDice)).toEqual([69.72, 72.58, 71.76, 71.39]);
  for (const row of stored.rows) {
    for (const value of [row.mDice, row.mDiceSd, row.sensitivity, row.parameters])
      expect(Number.isFinite(value)).toBe(true);
  }
  const images = readFileSync(join(out, "images.csv"), "utf8").trimEnd().split("\n");
  expect(images).toHaveLength(1 + 8 * 3);
  expect(images[0]).toMatch(/^key,seed,name,.*imageDice/);
});

test("another recipe in the folder is refused before anything is trained", () => {
  const { status, stderr } = ablate("t6", "--lr", "0.5");
  expect(status).toBe(2);
  expect(stderr).toContain("was started with another recipe (lr 0.00005, now 0.5)");
  expect(existsSync(join(out, "t6-12-seed0", "lock"))).toBe(false);
});

test("tables go by name, number and numeral; each has the rows of the paper", () => {
  const rows = { table4: 6, table5: 5, table6: 4, table8: 4, table9: 4, table10: 3, svattn: 4 };
  for (const name of ABLATION_TABLES) expect(ablationTable(name).variants).toHaveLength(rows[name]);
  const named = (text: string) => ablationTable(text).name;
  expect(["IV", "4", "t4", "table IV", "Table-4"].map(named)).toEqual(Array(5).fill("table4"));
  expect(["x", "T10", "viii", "SvAttn"].map(named)).toEqual(["table10", "table10", "table8", "svattn"]);
  expect(ablationTable("table9").variants[0]?.paper).toEqual({ mDice: 72.42, sensitivity: 71.84 });
  expect(ablationTable("table10").variants.map(({ paper }) => paper.parametersM)).toEqual([null, 12.17, 38.41]);
  expect(ablationTable("table5").note).toContain("MCAttn beats SE");
  expect(ablationTable("table5").variants.every(({ paper }) => paper.mDice === undefined)).toBe(true);
  for (const text of ["table7", "VII"]) expect(() => ablationTable(text)).toThrow("svanet bench fps measures it");
  expect(() => ablationTable("table3")).toThrow(/there is no ablation table table3\. Did you mean table\d+\?/);
});
