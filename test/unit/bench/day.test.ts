import { expect, test } from "vitest";
import { type Part, partsOf } from "../../../src/bench/day/parts.ts";
import { type Outcome, runParts } from "../../../src/bench/day/run-parts.ts";
import { dayTable } from "../../../src/bench/day/table.ts";

const part = (name: string, program: string, limit = 20): Part => ({
  ...{ name, limit },
  command: [process.execPath, "-e", program],
});

test("a day goes on where a part fails, hangs, prints no document or is not there", async () => {
  const seen: Outcome[] = [];
  const parts = [
    part("good", "console.log(JSON.stringify([{ preset: 'unet', fps: 58.123456 }]))"),
    part("bad", "console.error('first\\nno GPU | here'); process.exit(3)"),
    part("hangs", "setInterval(() => {}, 1000)", 0.5),
    part("talks", "console.log('hello')"),
    { name: "gone", command: ["/nowhere/python3"] as const, limit: 5 },
    part("last", "console.log('{}')"),
  ];
  const outcomes = await runParts(parts, 60, (outcome) => seen.push(outcome));
  expect(seen).toEqual(outcomes);
  expect(outcomes.map(({ failure }) => failure)).toEqual([
    null,
    "ended by exit code 3: no GPU | here",
    "stopped after 1 s",
    "printed no JSON document",
    "spawn /nowhere/python3 ENOENT",
    null,
  ]);
  const table = dayTable(outcomes).split("\n");
  expect(table[2]).toMatch(/^\| good \| \d+\.\d \| unet, 58\.12 images\/s \|$/);
  expect(table[3]).toContain("failed: ended by exit code 3: no GPU \\| here");
  expect(table[7]).toContain("in the JSON");
});

test("parts for which no time is left are said not to have run", async () => {
  const [first, second] = await runParts(
    [part("long", "setInterval(() => {}, 1000)"), part("next", "1")],
    1.2,
    () => {},
  );
  expect(first?.failure).toBe("stopped after 1 s");
  expect(second).toMatchObject({ failure: "not run: the 1.2 s of the day were over", seconds: 0, result: null });
});

test("a day's parts have names of their own and the most telling are within its first five minutes", () => {
  for (const tiny of [true, false]) {
    const parts = partsOf("/root", tiny);
    expect(new Set(parts.map(({ name }) => name)).size).toBe(parts.length);
    const before = parts.slice(
      0,
      parts.findIndex(({ name }) => name === "ops"),
    );
    expect(before.reduce((sum, { limit }) => sum + limit, 0)).toBeLessThanOrEqual(300);
  }
});
