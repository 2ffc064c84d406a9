import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { svanet } from "../support/svanet.ts";
import { cells, scratchFolder, TINY } from "../support/training.ts";

const scratch = scratchFolder();
const data = join(scratch.path, "cells");
const out = join(scratch.path, "table6");
const ablate = (...more: string[]) =>
  svanet("ablate", ...more, "--data", data, "--out", out, ...TINY, "--repeats", "2");

beforeAll(async () => {
  await cells(data, 4, 3);
});
afterAll(() => scratch.remove());

interface Row {
  readonly key: string;
  readonly name: string;
  readonly strata: Readonly<Record<string, Readonly<Record<string, { readonly mean: number; readonly sd: number }>>>>;
  readonly pValue: number | null;
  readonly parameters: number;
  readonly paper: { readonly mDice?: number };
}

test("table6 with two repeats, end to end; the second call trains nothing and prints the same", () => {
  const first = ablate("table6");
  expect(first.status, first.stderr).toBe(0);
  expect(first.stdout).toContain("Table VI: pool sizes of MCAttn (2 runs each, Synthetic cells, split val)");
  expect(first.stdout).toMatch(/mDice < 1 % +mDice < 10 % +mDice all/);
  expect(first.stderr).toContain("on the very images that are scored");
  for (const label of ["pool sizes 1, 2 ", "pool sizes 1, 2, 3 ", "pool sizes 2, 3 ", "pool sizes 1, 2, 3, 4 "]) {
    expect(first.stdout).toContain(label);
  }
  expect(first.stdout).toContain("72.58");
  const keys = ["t6-12", "t6-123", "t6-23", "t6-1234"];
  const files = ["runs", "table6-images.csv", "table6.csv", "table6.json", "table6.md"];
  expect(readdirSync(out).sort()).toEqual(files);
  const folders = readdirSync(join(out, "runs"));
  expect(folders).toHaveLength(8);
  const kept = ["checkpoints/last.safetensors", "scores/val-val-trained.json"];
  const times = () => folders.flatMap((name) => kept.map((file) => statSync(join(out, "runs", name, file)).mtimeMs));
  const before = times();

  const second = ablate("VI");
  expect(second.status, second.stderr).toBe(0);
  expect(second.stderr).toContain("8 of 8 runs are finished and skipped");
  expect(second.stdout).toBe(first.stdout);
  expect(times()).toEqual(before);

  expect(readdirSync(out).sort()).toEqual(files);
  const stored = JSON.parse(readFileSync(join(out, "table6.json"), "utf8")) as {
    table: string;
    rows: Row[];
    runs: object[];
  };
  expect([stored.table, stored.runs.length]).toEqual(["table6", 8]);
  expect(stored.rows.map(({ key }) => key)).toEqual(keys);
  expect(stored.rows.map(({ pValue }) => pValue === null)).toEqual([true, false, false, false]);
  expect(stored.rows.map(({ paper }) => paper.mDice)).toEqual([69.72, 72.58, 71.76, 71.39]);
  for (const row of stored.rows) {
    const { mDice, sensitivity } = row.strata["all"] ?? {};
    for (const value of [mDice?.mean, mDice?.sd, sensitivity?.mean, row.parameters]) {
      expect(Number.isFinite(value)).toBe(true);
    }
  }
  const images = readFileSync(join(out, "table6-images.csv"), "utf8").trimEnd().split("\n");
  expect(images).toHaveLength(1 + 8 * 3);
  expect(images[0]).toMatch(/^run,seed,name,.*imageDice/);
});

test("two processes side by side train the same bits; printed commands carry out the runs that they name", () => {
  const beside = join(scratch.path, "beside");
  const rows = (...more: string[]) => ["ablate", "t6", "--data", data, ...TINY, "--repeats", "1", "--rows", ...more];
  const both = svanet(...rows("1,2", "--out", beside, "--jobs", "2"));
  expect(both.status, both.stderr).toBe(0);
  const trained = readdirSync(join(beside, "runs"));
  expect(trained).toHaveLength(2);
  const kept = (folder: string, run: string) =>
    readFileSync(join(folder, "runs", run, "checkpoints", "last.safetensors"));
  for (const run of trained) expect(kept(beside, run).equals(kept(out, run)), run).toBe(true);
  const serial = svanet(...rows("1,2", "--out", beside));
  expect(serial.stderr).toContain("2 of 2 runs are finished and skipped");
  expect(serial.stdout).toBe(both.stdout);

  const printed = svanet(...rows("2,3", "--out", beside, "--launcher", "print"));
  expect(printed.status, printed.stderr).toBe(0);
  const lines = printed.stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(1);
  const done = spawnSync("sh", ["-c", lines[0] ?? ""], { encoding: "utf8" });
  expect(done.status, done.stderr).toBe(0);
  const collected = svanet(...rows("2,3", "--out", beside));
  expect(collected.stderr).toContain("2 of 2 runs are finished and skipped");
});

test("a part that the table decides is refused by its flag, before a file is read", () => {
  const { status, stderr } = ablate("t6", "--mc-sizes", "1,2");
  expect(status).toBe(2);
  expect(stderr).toContain(
    "--mc-sizes 1,2: the rows of table6 differ in it (Table VI: pool sizes of MCAttn); leave it out",
  );
  expect(stderr).not.toContain("adapter");
});

test("a table of all, as a dry run: 31 rows are 23 networks, and nothing is written", () => {
  const dry = join(scratch.path, "dry");
  const { status, stdout, stderr } = svanet(
    ...["ablate", "all", "--data", data, "--out", dry, ...TINY, "--repeats", "3", "--dry-run", "--json"],
  );
  expect(status, stderr).toBe(0);
  const plan = JSON.parse(stdout) as {
    readonly runs: readonly { readonly parameters: number; readonly state: string }[];
    readonly tables: readonly { readonly rows: readonly object[] }[];
    readonly estimate: { readonly hours: number; readonly diskBytes: number };
  };
  expect(plan.runs).toHaveLength(69);
  expect(plan.tables.reduce((sum, { rows }) => sum + rows.length, 0)).toBe(31);
  expect(plan.estimate.hours).toBeGreaterThan(0);
  expect(existsSync(dry)).toBe(false);
});
