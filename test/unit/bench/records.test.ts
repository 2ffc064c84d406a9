import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readmeText } from "../../../bench/records/readme.ts";
import { RECORD, readRecords } from "../../../bench/records/record.ts";

test("every record says what was measured where, when and by which command", () => {
  const records = readRecords();
  expect(records.size).toBeGreaterThan(0);
  for (const [name, { date, columns }] of records) {
    expect(name).toMatch(/^\d{4}-\d\d-\d\d-[a-z0-9]+(?:-[a-z0-9]+)+\.json$/);
    expect(name.startsWith(date)).toBe(true);
    expect(new Set(columns.map(({ key }) => key)).size).toBe(columns.length);
  }
});

test("bench/README.md is what the records make of it; `npm run bench:readme` writes it anew", () => {
  expect(readFileSync(new URL("../../../bench/README.md", import.meta.url), "utf8")).toBe(readmeText());
});

test("a record without its command, with a cell too few or a column too many is none", () => {
  const [record] = readRecords().values();
  if (record === undefined) throw new Error("there is no record");
  const { command: _, ...nameless } = record;
  expect(RECORD.safeParse(record).success).toBe(true);
  expect(RECORD.safeParse(nameless).success).toBe(false);
  expect(RECORD.safeParse({ ...record, rows: [{}] }).success).toBe(false);
  expect(RECORD.safeParse({ ...record, columns: record.columns.slice(1) }).success).toBe(false);
  expect(RECORD.safeParse({ ...record, date: "yesterday" }).success).toBe(false);
});
