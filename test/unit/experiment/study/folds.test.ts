import { describe, expect, test } from "vitest";
import type { CheckedSample } from "../../../../src/data/dataset/check-dataset.ts";
import { foldRows, pooled } from "../../../../src/experiment/study/fold-table.ts";
import { foldData, shareOut } from "../../../../src/experiment/study/folds.ts";
import { planStudy } from "../../../../src/experiment/study/plan.ts";
import type { RunScores } from "../../../../src/experiment/study/score.ts";
import { random } from "../../../../src/kernels/random.ts";
import { Evaluation } from "../../../../src/metrics/evaluation.ts";
import { namedSample, paperSet, scoresOf, tinyStudy } from "../../../support/study.ts";

const stems = (samples: readonly CheckedSample[]) => samples.map(({ stem }) => stem);

describe("shareOut", () => {
  test("puts every image into one fold, and patients and volumes whole", () => {
    const named = ["patient3_a", "patient3_b", "patient12_a", "x_left", "case_7_0001", "case_7_0002", "zebra", "lion"];
    const volume = { name: "case_7", slice: 1 };
    const samples = named.map((stem) => ({
      ...namedSample("train", stem),
      ...(stem.startsWith("case_7") ? { volume } : {}),
    }));
    const { folds, groups, alone } = shareOut(samples, 3, 0);
    expect(stems(folds.flat()).sort()).toEqual([...named].sort());
    const foldOf = (stem: string) => folds.findIndex((fold) => stems(fold).includes(stem));
    expect(foldOf("patient3_a")).toBe(foldOf("patient3_b"));
    expect(foldOf("case_7_0001")).toBe(foldOf("case_7_0002"));
    expect([groups, alone]).toEqual([6, 3]);
    expect(folds.every((fold) => fold.length > 0)).toBe(true);
  });

  test("gives each fold its part of every size, and is a function of the seed", () => {
    // Below 1 %, 1 to 10 %, above, and none.
    const areas = [20, 200, 2000, 0];
    const samples = areas.flatMap((area, k) =>
      Array.from({ length: 10 }, (_, i) => namedSample("train", `${"abcd"[k]}${String.fromCharCode(97 + i)}`, area)),
    );
    const { folds } = shareOut(samples, 5, 1);
    for (const fold of folds) {
      for (const letter of "abcd") expect(stems(fold).filter((stem) => stem.startsWith(letter))).toHaveLength(2);
    }
    expect(shareOut([...samples].reverse(), 5, 1)).toEqual(shareOut(samples, 5, 1));
    expect(shareOut(samples, 5, 2)).not.toEqual(shareOut(samples, 5, 1));
  });

  test("refuses more folds than patients", () => {
    const samples = ["patient1_a", "patient1_b", "patient2_a"].map((stem) => namedSample("train", stem));
    expect(() => shareOut(samples, 3, 0)).toThrow(
      "3 images of 2 patients or volumes cannot be shared out to 3 folds; use --folds 2, or add images",
    );
  });
});

test("a fold is scored on what it was not trained on; test is never touched; val judges only where that is asked for", () => {
  const dataset = paperSet({ train: 7, val: 3, test: 5 });
  const input = { dataset, statistics: { mean: [], std: [] }, folds: 5, seed: 3 } as const;
  const { folds } = foldData({ ...input, select: "last" });
  for (const { dataset: own, scored, fold, judge, select } of folds) {
    expect(own.splits.val).toBeUndefined();
    expect(own.splits.test).toBeUndefined();
    expect(select).toBe("last");
    expect([...stems(own.splits.train ?? []), ...stems(scored.samples)].sort()).toEqual(
      [...stems(dataset.splits.train ?? []), ...stems(dataset.splits.val ?? [])].sort(),
    );
    expect([fold, judge]).toEqual([expect.stringMatching(/^[1-5]of5by3$/), "none"]);
  }
  const [judged] = foldData({ ...input, select: "val" }).folds;
  expect(judged?.dataset.splits.val).toEqual(judged?.scored.samples);
});

/** A little map, right in about two pixels of three. */
function evaluated(seeds: readonly number[]) {
  const evaluation = new Evaluation({ classes: 3 });
  for (const seed of seeds) {
    const walk = random(seed, "maps");
    const target = Uint8Array.from({ length: 64 }, () => walk.integer(seed % 2 === 0 ? 2 : 3));
    const prediction = target.map((label) => (walk.uniform() < 0.6 ? label : walk.integer(3)));
    evaluation.add(prediction, target, { name: `i${seed}`, height: 8, width: 8 });
  }
  return evaluation.strata();
}

test("pooled folds are what one evaluation of all images gives", () => {
  const parts = [evaluated([1, 2, 3]), evaluated([4]), evaluated([6, 8])];
  const whole = evaluated([1, 2, 3, 4, 6, 8]);
  const found = pooled(parts.flatMap((part) => part["all"] ?? []));
  for (const [metric, value] of Object.entries(found)) {
    expect(value, metric).toBeCloseTo(Number(whole["all"]?.[metric as keyof typeof found]), 9);
  }
  // No image of these is below 10 %: nothing is measured there.
  expect(pooled(parts.flatMap((part) => part["10"] ?? [])).mDice).toBeNaN();
  expect(pooled([]).mDice).toBeNaN();
});

test("the table has the folds, their mean, and all images; without one fold the last two have no numbers", () => {
  const { folds } = foldData({
    ...{ dataset: paperSet({ train: 9 }), statistics: { mean: [], std: [] } },
    ...{ folds: 3, seed: 0, select: "last" },
  });
  const arms = [{ key: "cv", label: "svanet", config: tinyStudy() }];
  const { cells, runs } = planStudy({ blocks: folds.map((data) => ({ data, arms })), repeats: 1, out: "o" });
  const strata = [evaluated([1]), evaluated([2]), evaluated([4])];
  const scores = new Map<string, RunScores>(
    runs.map((run, i) => [run.name, { ...scoresOf(run, [50]), strata: strata[i] ?? {} }]),
  );
  const rows = foldRows(cells, scores);
  expect(rows.map(({ name }) => name)).toEqual([
    ...["fold 1", "fold 2", "fold 3"],
    ...["mean of the folds", "all images together"],
  ]);
  expect(rows[3]?.strata["all"]?.["mDice"]?.sd).toBeGreaterThan(0);
  expect(rows[4]?.strata["all"]?.["mDice"]?.mean).toBeCloseTo(evaluated([1, 2, 4])["all"]?.mDice ?? 0, 9);
  scores.delete(runs[1]?.name ?? "");
  expect(foldRows(cells, scores).map(({ complete }) => complete)).toEqual([true, false, true, false, false]);
});
