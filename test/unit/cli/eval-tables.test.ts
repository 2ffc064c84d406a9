import { afterEach, expect, test, vi } from "vitest";
import { printEvaluation } from "../../../src/cli/commands/eval-tables.ts";
import { watchTraining } from "../../../src/cli/watch-training.ts";
import { Evaluation } from "../../../src/metrics/evaluation.ts";
import { ExtendedEvaluation } from "../../../src/metrics/extended.ts";
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
  return { strata, images, ignored, extended: extended.result(Object.keys(strata), evaluation.kept) };
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
  expect(text).toContain("1 images are ignored as a whole (255) and count nowhere: p2.");
});

test("without any object every overlap is a dash, with the reason", () => {
  const result = evaluate([[square(0), square(0)]]);
  const text = printed(() => printEvaluation(result, ["rest", "one", "two"], "pixels"));
  expect(text).toContain('all: none of the 1 label maps holds an object, so there is no overlap to measure ("-").');
  expect(text).toMatch(/^all +1 +1 +- +- +- +-/m);
  expect(printed(() => watchTraining().validated({ epoch: 0, result, best: false }))).toContain(
    "epoch 1: validation mIoU -, mDice -, foreground Dice -: no label map of val holds an object",
  );
});
