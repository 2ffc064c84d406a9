import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { foldOf, foldText, resolveConfig } from "../../../../src/experiment/settings/config.ts";
import { chosenImages, trainingSplits } from "../../../../src/experiment/study/chosen-data.ts";
import { foldData } from "../../../../src/experiment/study/folds.ts";
import { judgedByTest, planStudy } from "../../../../src/experiment/study/plan.ts";
import { paperData, paperSet, tinyStudy } from "../../../support/study.ts";
import { scratchFolder } from "../../../support/training.ts";

const scratch = scratchFolder();
afterAll(() => scratch.remove());

describe("the configuration of a study's run says which images it has:", () => {
  const dataset = paperSet({ train: 7, val: 3, test: 5 });
  const data = { ...paperData(), dataset };
  const input = { dataset, statistics: data.statistics, folds: 5, seed: 3 } as const;
  const sets = {
    val: data,
    test: judgedByTest(data),
    ...Object.fromEntries(foldData({ ...input, select: "last" }).folds.map((fold, i) => [`fold ${i + 1}`, fold])),
    "fold 2 judged": foldData({ ...input, select: "val" }).folds[1] ?? data,
  };

  test.each(Object.entries(sets))("%s", (_, chosen) => {
    const arms = [{ key: "a", label: "a", config: tinyStudy() }];
    const [run] = planStudy({ blocks: [{ data: chosen, arms }], repeats: 1, out: "o" }).runs;
    if (run === undefined) throw new Error("no run");
    const { train, val } = chosenImages(dataset, run.config).splits;
    expect({ train, val }).toEqual({ train: chosen.dataset.splits.train, val: chosen.dataset.splits.val });
  });
});

test("a fold is named by its number, how many there are, and the seed that is not 0", () => {
  for (const text of ["1of2", "10of10", "3of5by4294967295"]) {
    expect(foldText(foldOf(text) ?? { fold: 0, folds: 0, seed: 0 })).toBe(text);
  }
  for (const text of ["0of5", "6of5", "1of1", "2of5by4294967296", "2 of 5", "2of", "of5", "2of5by", "x2of5"]) {
    expect(foldOf(text), text).toBeUndefined();
  }
  expect(() => resolveConfig({ data: "d", out: "o", fold: "6of5" })).toThrow(
    '--fold: "6of5" does not fit: expected a fold and how many there are, such as 2of5, or 2of5by7',
  );
});

test("what is read is what is trained on and judged by; a judge that is not there is refused", () => {
  for (const split of ["train", "val"]) mkdirSync(join(scratch.path, split));
  const splits = (fold: string | null, judge: "val" | "test" | "none") => trainingSplits(scratch.path, { fold, judge });
  expect(splits(null, "val")).toEqual(["train", "val"]);
  expect(splits(null, "none")).toEqual(["train"]);
  expect(splits("1of2", "none")).toEqual(["train", "val"]);
  expect(() => splits(null, "test")).toThrow(`--judge test: ${scratch.path} has no split test; leave it out`);
  mkdirSync(join(scratch.path, "test"));
  expect(splits(null, "test")).toEqual(["train", "test"]);
  expect(() => splits("1of2", "test")).toThrow("--fold: a fold is judged by its own images");
  expect(trainingSplits(join(scratch.path, "nowhere"))).toEqual(["train"]);
});
