import { describe, expect, test } from "vitest";
import { type ChosenView, chooseView, shownValues, viewsText, viewText } from "../../../src/data/formats/window.ts";
import { random } from "../../../src/kernels/random.ts";

const WIDTH = 40;

/** `count` values about 73 to 425 with some spread, the same in every run. */
function measured(count = 10240): Float64Array {
  const walk = random(7, "measured", count);
  return Float64Array.from({ length: count }, () => 50 + 400 * walk.uniform() ** 2);
}

/** The values as slices of eight rows. */
function view(values: Float32Array | Float64Array, wishes = {}): ChosenView {
  const size = 8 * WIDTH;
  const slices = Array.from({ length: Math.ceil(values.length / size) }, (_, z) => ({
    values: values.subarray(z * size, (z + 1) * size),
    width: WIDTH,
  }));
  return chooseView(() => slices, wishes);
}

/** numpy.percentile of finite numbers. */
function percentile(values: Float64Array, share: number): number {
  const sorted = values.filter(Number.isFinite).sort();
  const rank = share * (sorted.length - 1);
  const [low = 0, high = 0] = [sorted[Math.floor(rank)], sorted[Math.ceil(rank)]];
  return low + (high - low) * (rank - Math.floor(rank));
}

const spoilt = (change: (values: Float64Array) => void) => {
  const values = measured();
  change(values);
  return values;
};

describe("the window of values for which none is named", () => {
  test("is numpy's 0.5th to 99.5th percentile, to single precision, of any number of values and of either sign", () => {
    for (const count of [2, 3, 7, 201, 10240]) {
      for (const offset of [0, -200, -1e6]) {
        const values = measured(count).map((value) => value + offset);
        const { low, high } = view(values).window;
        const close = (value: number) => expect.closeTo(value, offset < -1e5 ? 0 : 3);
        expect([low, high], `${count} values`).toEqual([0.005, 0.995].map((share) => close(percentile(values, share))));
      }
    }
  });

  test.each([
    ["one value of 3e38", [3e38]],
    ["one of 1e12", [1e12]],
    ["eight of the smallest float", Array(8).fill(-3.4028235e38)],
    ["a fifth of a netCDF fill value", Array(2048).fill(9.96921e36)],
    ["NaN and both infinities", [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    ["numbers beyond single precision", [1e300, -1e300]],
  ])("does not look at %s", (_, odd) => {
    const values = spoilt((all) => all.set(odd, 100));
    const expected = percentile(measured(), 0.995);
    const { window } = view(values);
    expect(Math.abs(window.high - expected)).toBeLessThan(8);
    expect(window.low).toBeLessThan(60);
    const shown = shownValues(values, view(values));
    expect(shown[50]).toBeGreaterThan(0);
    // What is no measurement is black, not white; one outlier in the range of numbers is as bright as the brightest.
    expect(shown[100]).toBe(odd[0] === 1e12 ? 255 : 0);
  });

  test("values that are all huge are values", () => {
    const { window } = view(measured().map((value) => value * 1e30));
    expect(window.high / percentile(measured(), 0.995)).toBeCloseTo(1e30 / 1, -26);
    expect(window.high).toBeGreaterThan(1e32);
  });
});

describe("padding", () => {
  test.each([
    ["-3024 round a CT", -3024, (z: number) => z % (8 * WIDTH) < 2 * WIDTH],
    ["-2000 at one side", -2000, (z: number) => z % WIDTH < 3],
    ["-9999 in a hole", -9999, (z: number) => z % WIDTH > 20 && z % WIDTH < 24],
  ])("such as %s is left out, said, and shown black", (_, padding, inside) => {
    const ct = measured().map((value) => 4 * value - 1100);
    const padded = ct.map((value, at) => (inside(at) ? padding : value));
    const kept = ct.filter((_value, at) => !inside(at));
    const chosen = view(padded);
    expect([chosen.window.low, chosen.window.high]).toEqual(
      [0.005, 0.995].map((share) => expect.closeTo(percentile(kept, share), 2)),
    );
    expect([chosen.padding, viewText(chosen)]).toEqual([
      padding,
      expect.stringContaining(`${padding} left out as padding`),
    ]);
    const inverted = shownValues(padded, { ...chosen, inverted: true });
    expect(Math.max(...inverted.filter((_value, at) => inside(at)))).toBe(0);
  });

  test.each([
    ["the air of a CT", (value: number, at: number) => (at % WIDTH < 10 ? -1024 : 4 * value - 1030)],
    ["an empty background of 0", (value: number, at: number) => (at % WIDTH < 10 ? 0 : value)],
    ["the background of normalised values", (value: number, at: number) => (at % WIDTH < 10 ? -1 : value / 200 - 1)],
    ["one of two values", (_: number, at: number) => (at % WIDTH < 10 ? -500 : 500)],
    ["bright saturation", (value: number, at: number) => (at % WIDTH < 10 ? 65535 : value)],
  ])("is not %s", (_, change) => {
    const values = measured().map(change);
    expect(view(values).padding).toBeUndefined();
    expect(view(values).window).toEqual({
      low: expect.closeTo(percentile(values, 0.005), 2),
      high: expect.closeTo(percentile(values, 0.995), 2),
    });
  });
});

describe("values with little in them", () => {
  test("few bright values on an empty background are seen; equal values and no numbers at all are black and said so", () => {
    const sparse = view(Float64Array.from({ length: 8000 }, (_, at) => (at % 1000 === 0 ? 100 + at / 1000 : 0)));
    expect(sparse.window.low).toBe(0);
    expect(sparse.window.high).toBeGreaterThan(106);
    const constant = view(new Float64Array(320).fill(-7));
    expect([...shownValues(Float64Array.of(-7, Number.NaN), constant), viewText(constant)]).toEqual([
      ...[0, 0],
      "shown from -7 to -7 (all values are equal: black)",
    ]);
    const none = view(new Float64Array(320).fill(Number.NaN));
    expect([shownValues(Float64Array.of(Number.NaN), none)[0], none.why]).toEqual([0, "no value is a number: black"]);
  });
});

describe("views", () => {
  test("asked for, trained with, dataset.yaml, the file: the first that there is", () => {
    const window = (high: number) => ({ low: 0, high });
    const wishes = { asked: window(1), trained: window(2), dataset: window(3), file: window(4) };
    const values = measured(320);
    const chosen = [{}, { asked: undefined }, { asked: undefined, trained: undefined }].map((less) =>
      view(values, { ...wishes, ...less }),
    );
    expect(chosen.map(({ window: { high }, why }) => [high, why])).toEqual([
      [1, "as asked for"],
      [2, "as the training data"],
      [3, "as dataset.yaml says"],
    ]);
    expect(view(values, { file: window(4) })).toMatchObject({ window: { high: 4 }, why: "as the file asks" });
  });

  test("are linear, not rounded, cut off at both ends; inverted after the window; sigmoid as PS3.3 has it", () => {
    const values = Float64Array.of(-200, -160, -59.5, 40, 240, 1000);
    const window = { low: -160, high: 240 };
    expect([...shownValues(values, { window })]).toEqual([0, 0, expect.closeTo(64.06875, 4), 127.5, 255, 255]);
    expect([...shownValues(values, { window, inverted: true })]).toEqual([
      255,
      255,
      expect.closeTo(190.93125, 4),
      127.5,
      0,
      0,
    ]);
    // 255 / (1 + exp(-4 (x - 40) / 400)).
    expect([...shownValues(Float64Array.of(40, 140, -1e6), { window: { ...window, curve: "sigmoid" } })]).toEqual([
      127.5,
      expect.closeTo(186.4199, 3),
      expect.closeTo(0, 6),
    ]);
  });

  test("of many files are one sentence", () => {
    const one = { window: { low: 0, high: 4095 }, why: "as asked for" };
    expect(viewsText([one, one])).toBe("shown from 0 to 4095 (as asked for)");
    const own = (low: number, high: number) => ({ window: { low, high }, why: "its 0.5th to 99.5th percentile" });
    expect(viewsText([own(10, 500), own(5, 100), own(0, 90)])).toBe(
      "each shown from its own window (its 0.5th to 99.5th percentile), the narrowest 0 to 90, the widest 10 to 500",
    );
  });
});
