import { describe, expect, test } from "vitest";
import { cutEvenly, Pace } from "../../../src/kernels/compile/submits.ts";

describe("the pace of a program", () => {
  test("is one submit on a driver that no watchdog looks after, and is never measured", () => {
    const pace = new Pace(Number.POSITIVE_INFINITY);
    expect([pace.parts, pace.isMeasuring]).toEqual([1, false]);
  });

  test("begins careful, and is one submit once a run turns out short", () => {
    const pace = new Pace(500);
    expect([pace.parts, pace.isMeasuring]).toEqual([8, true]);
    pace.measured(500);
    expect(pace.parts).toBe(1);
  });

  test("splits long runs into submits of half of what is allowed, by the last of the first three runs", () => {
    const pace = new Pace(500);
    for (const milliseconds of [9000, 3000, 2600]) pace.measured(milliseconds);
    expect([pace.parts, pace.isMeasuring]).toEqual([11, false]);
  });
});

test("work is cut into pieces of about one sum, all of it, none empty", () => {
  expect(cutEvenly([1, 1, 1, 1, 1, 1], 3)).toEqual([2, 4, 6]);
  expect(cutEvenly([9, 1, 1, 1], 2)).toEqual([1, 4]);
  expect(cutEvenly([1, 1], 8)).toEqual([1, 2]);
  expect(cutEvenly([5], 3)).toEqual([1]);
});
