import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { RunPages, runPagePath } from "../../../src/experiment/report/run-page.ts";

const scratch = mkdtempSync(join(tmpdir(), "svanet-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Pages whose writing takes `takes` milliseconds of a clock that only `pass` moves otherwise. */
function pages(takes: number, write: () => void = () => undefined) {
  const told = { written: 0, notes: [] as string[] };
  let clock = 1000;
  const writer = async () => {
    clock += takes;
    write();
    told.written++;
  };
  const made = new RunPages(
    (text) => told.notes.push(text),
    () => clock,
    writer,
  );
  const pass = (time: number) => {
    clock += time;
  };
  return { made, told, pass };
}

test("a page in training costs a twentieth of the time at most; the last one is always written, and named", async () => {
  const path = runPagePath(scratch);
  const { made, told, pass } = pages(100, () => writeFileSync(path, "page"));
  await made.update(scratch);
  pass(1999);
  await made.update(scratch);
  expect(told.written).toBe(1);
  pass(1);
  await made.update(scratch);
  expect(told.written).toBe(2);
  expect(told.notes).toEqual([]);
  await made.finish(scratch);
  expect(told.written).toBe(3);
  expect(told.notes).toEqual([`see ${path}`]);
});

test("a page that cannot be written is told once and ends nothing", async () => {
  const { made, told, pass } = pages(1, () => {
    throw new Error("the disk is full");
  });
  const folder = join(scratch, "nowhere");
  await made.update(folder);
  pass(1e6);
  await made.update(folder);
  await made.finish(folder);
  expect(told.notes).toEqual([
    `${runPagePath(folder)} could not be written (Error: the disk is full); the run goes on`,
  ]);
});

test("a folder that holds no run leaves no page and no half of one", async () => {
  const folder = mkdtempSync(join(scratch, "empty-"));
  const notes: string[] = [];
  await new RunPages((text) => notes.push(text)).finish(folder);
  expect(notes).toEqual([expect.stringContaining("holds no run")]);
  expect(readdirSync(folder)).toEqual([]);
});
