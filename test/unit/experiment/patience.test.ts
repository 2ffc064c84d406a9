import { expect, test } from "vitest";
import { UsageError } from "../../../src/errors.ts";
import { recipeText } from "../../../src/experiment/settings/recipe.ts";
import { Timetable } from "../../../src/experiment/train/timetable.ts";
import { tinyConfig } from "../../support/training.ts";

const timetable = (patience: number | null, evalEvery = 1) =>
  new Timetable(tinyConfig({ patience, evalEvery, epochs: 50 }), 8, "norm");
const after = (epochs: number, bestEpoch: number | null) => ({ epoch: epochs, stepInEpoch: 0, bestEpoch });

test("a run waits so many epochs for a better validation", () => {
  const table = timetable(3);
  expect([1, 2, 3, 4, 5].map((epochs) => table.isStale(after(epochs, 0)))).toEqual([false, false, false, true, true]);
  expect(table.isStale(after(4, 1))).toBe(false);
  expect(timetable(null).isStale(after(50, 0))).toBe(false);
  // Nothing measurable so far counts as nothing better since the start.
  expect([2, 3].map((epochs) => table.isStale(after(epochs, null)))).toEqual([false, true]);
});

test("it ends at validations only, so that resuming inside or between epochs changes nothing", () => {
  expect(timetable(1).isStale({ epoch: 5, stepInEpoch: 1, bestEpoch: 0 })).toBe(false);
  expect(timetable(1).isStale(after(0, null))).toBe(false);
  // Best at the end of epoch 3 (number 2), validated every third epoch: epochs 4 and 5 decide nothing.
  const sparse = timetable(2, 3);
  expect([3, 4, 5, 6].map((epochs) => sparse.isStale(after(epochs, 2)))).toEqual([false, false, false, true]);
});

test("validations: every so many epochs and at the end", () => {
  const table = new Timetable(tinyConfig({ evalEvery: 2, steps: 5 }), 8, "norm");
  const at = (epoch: number, indexInEpoch: number) => table.isValidation({ epoch, indexInEpoch });
  expect([at(0, 1), at(1, 0), at(1, 1), at(2, 0)]).toEqual([false, false, true, true]);
});

test("patience may change when a run is resumed; it is a whole number of epochs", () => {
  expect(recipeText(tinyConfig({ patience: 3 }))).toBe(recipeText(tinyConfig({})));
  expect(() => tinyConfig({ patience: 0 })).toThrow(UsageError);
  expect(() => tinyConfig({ patience: 0 })).toThrow("--patience: 0 does not fit");
});
