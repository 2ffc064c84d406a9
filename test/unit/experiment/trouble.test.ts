import { expect, test } from "vitest";
import { troubleOf } from "../../../src/experiment/train/trouble.ts";
import { findsForeground, scoreOf } from "../../../src/experiment/train/validation.ts";
import { Evaluation } from "../../../src/metrics/evaluation.ts";

const FINE = { lastLoss: 0.3, found: true, best: 40, bestBy: "foreground-dice" } as const;

test("a run whose last loss is no number has diverged, whatever it found before", () => {
  for (const lastLoss of [Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(troubleOf({ ...FINE, lastLoss })).toMatchObject({ kind: "diverged", hint: expect.stringContaining("--lr") });
  }
  expect(troubleOf(FINE)).toBeNull();
});

test("a run that never predicted a foreground pixel says so; what an earlier process found counts", () => {
  expect(troubleOf({ ...FINE, found: false, best: 0 })).toMatchObject({ kind: "nothing-found" });
  expect(troubleOf({ ...FINE, found: false, best: null })).toMatchObject({ kind: "nothing-found" });
  expect(troubleOf({ ...FINE, found: false })).toBeNull();
  // mIoU counts the background: it tells nothing of the foreground.
  expect(troubleOf({ ...FINE, found: false, bestBy: "miou" })).toMatchObject({ kind: "nothing-found" });
  expect(troubleOf({ ...FINE, found: null, best: null })).toBeNull();
});

test("what is found and which score chooses are read from a validation", () => {
  const result = (...prediction: number[]) => {
    const evaluation = new Evaluation({ classes: 2 });
    evaluation.add(Uint8Array.from(prediction), Uint8Array.of(0, 0, 1, 1), { name: "a", height: 2, width: 2 });
    const { images, ignored } = evaluation;
    return { scoredAt: "native" as const, strata: evaluation.strata(), images, ignored };
  };
  expect([result(0, 0, 0, 0), result(1, 0, 0, 0)].map(findsForeground)).toEqual([false, true]);
  const half = result(0, 0, 0, 1);
  expect(scoreOf(half, "foreground-dice")).toBeCloseTo(200 / 3, 5);
  // Background 2 of 3, foreground 1 of 2.
  expect(scoreOf(half, "miou")).toBeCloseTo((100 * (2 / 3 + 1 / 2)) / 2, 5);
});
