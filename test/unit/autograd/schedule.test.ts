import { describe, expect, test } from "vitest";
import { freezeEpochs, paperSchedule, rateAt, releaseSchedule } from "../../../src/autograd/schedule.ts";
import { UsageError } from "../../../src/errors.ts";

const rates = (schedule: Parameters<typeof rateAt>[0], first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => rateAt(schedule, first + i));

function expectClose(got: readonly number[], expected: readonly number[], digits = 4): void {
  expect(got.map((rate) => Number(rate.toPrecision(digits)))).toEqual(expected);
}

test("constant", () => {
  expect(rates({ kind: "constant", high: 2e-3 }, 0, 2)).toEqual([2e-3, 2e-3, 2e-3]);
});

test("poly: a power of what is left", () => {
  expectClose(
    rates({ kind: "poly", epochs: 4, high: 1e-2 }, 0, 5),
    [1e-2, 7.719e-3, 5.359e-3, 2.872e-3, 2.872e-3, 2.872e-3],
  );
});

test("paper: one cosine that reaches both ends", () => {
  expectClose(rates(paperSchedule(3), 0, 2), [5e-5, 2.55e-5, 1e-6]);
  expect(rateAt(paperSchedule(1), 0)).toBe(5e-5);
});

describe("release", () => {
  test("with pretrained weights: two warm-ups, two cosines, lowest first", () => {
    const schedule = releaseSchedule(100, true);
    expectClose(rates(schedule, 0, 5), [1e-6, 5e-5, 1.4e-4, 2.3e-4, 3.2e-4, 4.1e-4]);
    expectClose(rates(schedule, 6, 10), [2.505e-4, 1.734e-4, 1.038e-4, 4.865e-5, 1e-6]);
    expectClose(rates(schedule, 11, 16), [1.4e-4, 2.3e-4, 3.2e-4, 4.1e-4, 5e-4, 4.728e-4]);
    expectClose(rates(schedule, 99, 99), [1.49e-6], 3);
  });

  test("from scratch: one warm-up over the first tenth, one cosine", () => {
    const schedule = releaseSchedule(100, false);
    expectClose(rates(schedule, 0, 3), [1e-6, 5e-5, 9.5e-5, 1.4e-4]);
    expectClose(rates(schedule, 10, 11), [4.55e-4, 4.878e-4]);
  });

  test("few epochs have no warm-up and stay finite", () => {
    for (const pretrained of [true, false]) {
      for (let epochs = 1; epochs < 12; epochs++) {
        expect(
          rates(releaseSchedule(epochs, pretrained), 0, epochs - 1).every((rate) => rate > 0 && rate <= 5e-4),
        ).toBe(true);
      }
    }
  });

  test("the first tenth is rounded up", () => {
    expect([1, 10, 11, 25, 70, 100].map(freezeEpochs)).toEqual([1, 1, 2, 3, 7, 10]);
  });
});

test("epochs past the end keep the last rate, other epochs are refused", () => {
  expect(rateAt(paperSchedule(5), 9)).toBe(rateAt(paperSchedule(5), 4));
  expect(() => rateAt(paperSchedule(5), -1)).toThrow(UsageError);
  expect(() => rateAt(paperSchedule(5), 0.5)).toThrow("whole number from 0, not 0.5");
});
