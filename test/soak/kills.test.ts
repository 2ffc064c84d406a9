import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { killedAndUnbroken } from "../support/kills.ts";
import { say } from "../support/say.ts";
import { cells, scratchFolder } from "../support/training.ts";

const scratch = scratchFolder();
const data = join(scratch.path, "cells");

beforeAll(async () => void (await cells(data, 10, 2)));
afterAll(() => scratch.remove());

// Ten kills a run: a run that went wrong is then known by its seed.
test.each(Array.from({ length: 10 }, (_, seed) => 100 + seed))("ten kills of a hundred, seed %i", async (seed) => {
  const result = await killedAndUnbroken(join(scratch.path, String(seed)), data, { kills: 10, seed });
  say(`seed ${seed}: killed ${JSON.stringify(result.killed)}, inside a write ${result.torn}`);
  expect(result.code).toBe(0);
  expect(result.torn).toBeGreaterThan(0);
  expect(result.trace).toEqual(result.unbroken);
});
