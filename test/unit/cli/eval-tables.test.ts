import { afterEach, describe, expect, test, vi } from "vitest";
import { summaryLines, uncountedLines } from "../../../src/cli/commands/eval-summary.ts";
import { printEvaluation } from "../../../src/cli/commands/eval-tables.ts";
import { watchTraining } from "../../../src/cli/watch-training.ts";
import { casesResult, scoreCase } from "../../../src/metrics/cases.ts";
import { Evaluation } from "../../../src/metrics/evaluation.ts";
import { ExtendedEvaluation } from "../../../src/metrics/extended.ts";
import { Totals } from "../../../src/metrics/totals.ts";
import { catchPrinted } from "../../support/printed.ts";

const SIDE = 8;
const SIZE = { height: SIDE, width: SIDE };

/** A label map with a square of `label` at the top left, or one value all over. */
function square(label: number, side = 3): Uint8Array {
  const out = new Uint8Array(SIDE * SIDE);
  for (let row = 0; row < side; row++) out.fill(label, row * SIDE, row * SIDE + side);
  return out;
}

function evaluate(pairs: readonly (readonly [prediction: Uint8Array, target: Uint8Array])[]) {
  const evaluation = new Evaluation({ classes: 3, area: "pixels", keep: true });
  const extended = new ExtendedEvaluation({ classes: 3, resamples: 5 });
  for (const [i, [prediction, target]] of pairs.entries()) {
    const row = evaluation.add(prediction, target, { name: `p${i}`, ...SIZE });
    if (row !== undefined) extended.add(prediction, target, { ...SIZE, strata: row.strata });
  }
  const strata = evaluation.strata();
  const { images, ignored } = evaluation;
  const scoredAt = { width: SIDE, height: SIDE };
  return { scoredAt, strata, images, ignored, extended: extended.result(Object.keys(strata), evaluation.kept) };
}

function printed(work: () => void): string {
  const lines = catchPrinted();
  work();
  vi.restoreAllMocks();
  return lines.join("\n");
}
afterEach(() => vi.restoreAllMocks());

test("a missed class shows no distance but how often it was missed; an ignored image is named and counts nowhere", () => {
  const ignored = new Uint8Array(SIDE * SIDE).fill(255);
  const found = [square(2), square(2)] as const;
  const result = evaluate([[square(0), square(1)], found, [square(1), ignored], [square(0), square(0)]]);
  const text = printed(() => printEvaluation(result, ["rest", "one", "two"], "pixels"));
  expect(text).toMatch(/^one +all +3 +66\.67 +- \(1 not counted\)/m);
  expect(text).toMatch(/^two +all +3 +100\.00 +0\.00 /m);
  for (const table of ["Overlap", "Errors", "Classes", "Objects", "Borders"]) {
    expect(text).toContain(`${table}, images scored at 8x8:`);
  }
  expect(uncountedLines(result)).toContain("1 images are ignored as a whole (255) and count nowhere: p2.");
});

test("without any object every overlap is a dash, with the reason", () => {
  const result = evaluate([[square(0), square(0)]]);
  const text = printed(() => printEvaluation(result, ["rest", "one", "two"], "pixels"));
  expect(uncountedLines(result)).toContain('all: none of the 1 label maps holds an object: nothing to measure ("-").');
  expect(summaryLines(result, { split: "val", classes: ["rest", "one", "two"] })[1]).toBe(
    "foreground Dice -: no mask holds an object, there is nothing to find",
  );
  expect(text).toMatch(/^all +1 +1 +- +- +- +-/m);
  expect(printed(() => watchTraining().validated({ epoch: 0, result, best: false, bestBy: "miou" }))).toContain(
    "epoch 1: validation at 8x8: foreground Dice -, mIoU -: no label map of val holds an object",
  );
});

test("a validation says its size, and which score chose it", () => {
  const result = evaluate([[square(2), square(2)]]);
  const line = (bestBy: "miou" | "foreground-dice") =>
    printed(() => watchTraining().validated({ epoch: 2, result, best: true, bestBy }));
  expect(line("miou")).toBe("epoch 3: validation at 8x8: foreground Dice 100.00 %, mIoU 100.00 % (best so far)");
  expect(line("foreground-dice")).toContain("foreground Dice 100.00 % (best so far), mIoU 100.00 %");
});

describe("the summary", () => {
  const names = ["background", "a class with a name that goes on and on", "two"];
  const facts = { split: "val", classes: names };
  // Class 1 found, found by half, missed once; class 2 invented once.
  const pairs = [
    [square(1), square(1)],
    [square(1, 2), square(1)],
    [square(0), square(1, 1)],
    [square(2, 1), square(0)],
    [square(2), square(2)],
  ] as const;

  test("answers how good, on which sizes and what is missed in ten lines of 80 columns", () => {
    const lines = summaryLines(evaluate(pairs), { ...facts, failures: 2 });
    expect(lines).toHaveLength(10);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines[0]).toBe("val: 5 images scored at 8x8, not at their own size; 2 left out");
    // Dice of class 1: 2 * 13 of 19 + 13 pixels; of class 2: 2 * 9 of 9 + 10.
    expect(lines[1]).toMatch(/^foreground Dice 87\.99 % \(95 % interval [\d.]+ \.\. [\d.]+\)$/);
    expect(lines[2]).toMatch(/^largest object +images +fg Dice +image Dice +mDice +mIoU +sensitivity$/);
    expect(lines.slice(3, 6).map((line) => line.slice(0, 6).trim())).toEqual(["< 1 %", "< 10 %", "all"]);
    expect(lines[6]).toBe("objects at IoU 0.5: 2 of 4 found, 2 of 4 predicted are wrong");
    expect(lines[7]).toBe("missed by size (% of image): 1 to 2: 1 of 1, 10 to 100: 1 of 3");
    expect(lines[8]).toBe("Dice by class: worst a class with a name… 81.25, best two 94.74");
    expect(lines[9]).toMatch(/^borders: surface Dice [\d.]+ % within 2 px, HD95 [\d.]+ px$/);
  });

  test("names the range of sizes where images are scored at their own, and that nothing was predicted", () => {
    const result = { ...evaluate([[square(0), square(1)]]), scoredAt: "native" as const };
    const lines = summaryLines(result, facts);
    expect(lines[0]).toBe("val: 1 image scored at their own size (8x8)");
    expect(lines[1]).toBe("foreground Dice 0.00 %: no foreground pixel is predicted");
  });

  test("gives volumes the last line", () => {
    const cases = casesResult([
      scoreCase({ name: "v", slices: 2, totals: Totals.ofImage(square(1), square(1), 3), maps: undefined }),
    ]);
    const lines = summaryLines({ ...evaluate(pairs), cases }, facts);
    expect(lines.at(-1)).toBe("1 volume, each one case: 3-D foreground Dice 100.00 %");
    expect(lines).toHaveLength(10);
    expect(printed(() => printEvaluation({ ...evaluate(pairs), cases }, names, "pixels"))).toMatch(
      /^v +2 +100\.00 +100\.00/m,
    );
  });
});
