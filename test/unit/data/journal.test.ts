import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { JOURNAL_NAME, readJournal } from "../../../src/data/prepare/journal.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "svanet-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const journalOf = (...lines: readonly unknown[]) => {
  const text = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n");
  writeFileSync(join(folder, JOURNAL_NAME), text);
  return readJournal(folder);
};
const entry = (key: string, ...files: readonly string[]) => ({ key, files, notes: [], classes: [] });

test("a journal tells what is finished; none is none", async () => {
  expect(await readJournal(folder)).toBeUndefined();
  const journal = await journalOf({ fingerprint: "ab" }, entry("train/a", "train/a.png"), entry("val/b"), "");
  expect(journal?.fingerprint).toBe("ab");
  expect([...(journal?.entries.keys() ?? [])]).toEqual(["train/a", "val/b"]);
});

test("lines that are no entries count for nothing", async () => {
  const torn = '{"key":"train/z","fil';
  const strange = [null, 7, [], { key: "k" }, { key: "k", files: "x", notes: [] }, entry("k", "a.png\0")];
  const journal = await journalOf(null, ...strange, entry("train/a", "train/a..b.png"), torn);
  expect(journal?.fingerprint).toBe("");
  expect([...(journal?.entries.keys() ?? [])]).toEqual(["train/a"]);
});

test.each(["../a.png", "train/../../a.png", "/etc/passwd", "C:\\a.png", "..\\a.png", ""])(
  "an entry does not vouch for %j",
  async (file) => {
    expect((await journalOf({ fingerprint: "ab" }, entry("train/a", file)))?.entries.size).toBe(0);
  },
);

test("what is no file is refused by name", async () => {
  mkdirSync(join(folder, JOURNAL_NAME));
  await expect(readJournal(folder)).rejects.toThrow(`${join(folder, JOURNAL_NAME)}: is a folder, not a file`);
});
