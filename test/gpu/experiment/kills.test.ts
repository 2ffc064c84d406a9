import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { killedAndUnbroken } from "../../support/kills.ts";
import { cells, scratchFolder } from "../../support/training.ts";

const scratch = scratchFolder();
const data = join(scratch.path, "cells");

beforeAll(async () => void (await cells(data, 10, 2)));
afterAll(() => scratch.remove());

// The long form is `npm run soak`.
test("ten kills at random moments, half of them inside the writing of a checkpoint, change not a bit", async () => {
  const { killed, torn, unbroken, code, trace } = await killedAndUnbroken(scratch.path, data, { kills: 10, seed: 1 });
  expect(code).toBe(0);
  expect(killed).toEqual({ write: 5, step: 3, time: 2 });
  expect(torn).toBeGreaterThan(0);
  expect(trace).toEqual(unbroken);
}, 300_000);
