import { expect, test } from "vitest";
import { parseConfig } from "../../../../src/experiment/settings/config-file.ts";
import {
  baselineOf,
  type CommonRecipe,
  comparedNetworks,
  comparisonArms,
  givenParts,
  meanRanks,
  withPaper,
} from "../../../../src/experiment/study/comparison.ts";
import { paperData, paperScores, TABLE_VII } from "../../../../src/experiment/study/paper.ts";
import { planStudy } from "../../../../src/experiment/study/plan.ts";
import type { StudyRow } from "../../../../src/experiment/study/table.ts";
import { paperSet, paperData as studyData } from "../../../support/study.ts";

const common = (flags: CommonRecipe["flags"] = {}, file?: CommonRecipe["file"]): CommonRecipe => ({
  flags: { data: "set", out: "study", size: "64", width: 4, ...flags },
  file,
  weights: new Map(),
});

test("networks go by paper, all, or their names", () => {
  expect(comparedNetworks("paper")).toEqual([...TABLE_VII]);
  expect(comparedNetworks("all")).toHaveLength(18);
  expect(comparedNetworks("unet, svanet,unet")).toEqual(["unet", "svanet"]);
  expect(() => comparedNetworks("unett")).toThrow("there is no network unett. Did you mean unet");
  expect(baselineOf(["unet", "svanet-text"])).toBe("svanet-text");
  expect(baselineOf(["unet", "pranet"])).toBe("unet");
  expect(baselineOf(["unet", "pranet"], "pranet")).toBe("pranet");
  expect(() => baselineOf(["unet"], "svanet")).toThrow(
    "--against svanet: it is not among the compared networks (unet)",
  );
});

test("a part applies to the networks that have it, and is refused where none has", () => {
  const names = ["unet", "svanet", "svanet-text"];
  expect(givenParts(names, common({ encoder: "mini", formerHeads: 1 }))).toEqual([
    { field: "encoder", value: "mini", networks: ["svanet", "svanet-text"] },
    { field: "formerHeads", value: 1, networks: ["svanet-text"] },
  ]);
  const arms = comparisonArms(names, common({ encoder: "mini", formerHeads: 1 }), paperSet());
  expect(arms.map(({ config }) => [config.model, config.preset, config.encoder, config.formerHeads])).toEqual([
    ["unet", "svanet", null, null],
    ["svanet", "svanet", "mini", null],
    ["svanet", "svanet-text", "mini", 1],
  ]);
  // All of them can be planned: no network is asked for what it lacks.
  expect(planStudy({ blocks: [{ data: studyData(), arms }], repeats: 1, out: "o" }).runs).toHaveLength(3);
  expect(() => givenParts(["unet", "pranet"], common({ encoder: "mini" }))).toThrow(
    "--encoder mini: none of the compared networks (unet, pranet) has this part; leave it out",
  );
  const file = parseConfig("lr: 1e-3\nlink: add\n", "run.yaml");
  expect(() => givenParts(["unet"], common({}, file))).toThrow("run.yaml line 2 (link) add: none of the compared");
  const decided = parseConfig("model: unet\n", "run.yaml");
  expect(() => givenParts(["unet"], common({}, decided))).toThrow(
    "run.yaml line 1 (model): a comparison is of several",
  );
});

test("the recipe is the paper's, nnU-Net's its own at the size it plans, unless a size is given", () => {
  const rate = (name: string) => comparisonArms([name], common(), paperSet())[0]?.config;
  expect(rate("unet")).toMatchObject({ lr: 5e-5, optimizer: "adamw" });
  expect(rate("nnunet")).toMatchObject({ lr: 1e-2, optimizer: "sgd", size: { width: 64, height: 64 } });
  const { size: _size, ...flags } = common().flags;
  const [unet, nnunet] = comparisonArms(["unet", "nnunet"], { ...common(), flags }, paperSet({ train: 400, val: 4 }));
  expect(unet?.config.size).toEqual({ width: 512, height: 512 });
  expect(nnunet?.config.size).toEqual({ width: 64, height: 64 });
});

const row = (key: string, mDice: number | null): StudyRow => ({
  ...{ key, name: key, parameters: 1, linkParameters: 0, runs: [key], complete: mDice !== null, scoredAt: null },
  ...{ pValue: null, pValueT: null, pValueHolm: null, pValueTHolm: null, difference: null },
  strata: mDice === null ? {} : { all: { mDice: { mean: mDice, sd: 0 }, maeRelease: { mean: 1 / mDice, sd: 0 } } },
});

test("mean ranks: equal values share theirs, of an error the lowest is the first, a missing set leaves none", () => {
  const sets = [
    [row("a", 70), row("b", 80), row("c", 80)],
    [row("a", 60), row("b", 50), row("c", null)],
  ];
  const ranks = meanRanks(sets).map(({ ranks: { mDice, maeRelease, f2 } }) => [mDice, maeRelease, f2]);
  expect(ranks).toEqual([
    [(3 + 1) / 2, (3 + 1) / 2, null],
    [(1.5 + 2) / 2, (1.5 + 2) / 2, null],
    [null, null, null],
  ]);
});

test("the paper's figures stand beside those of its own data sets, by whatever spelling", () => {
  expect(paperScores("isic2018", "SvANet")).toEqual(paperScores("ISIC 2018", "SvANet"));
  expect(paperScores("FIVES", "UNet")).toMatchObject({ "1": { mDice: 67.49, mae: 84.65 }, all: { mDice: 71.12 } });
  expect(Object.keys(paperScores("tissuenet", "SvANet") ?? {})).toEqual(["1", "10"]);
  expect(paperScores("spermhealth", "UNet")).toEqual({
    all: { mDice: 58.47, mIoU: 50.18, mae: 13.54, sensitivity: 57.52, f2: 57.65 },
  });
  expect(paperScores("cells", "SvANet")).toBeUndefined();
  expect(paperData("polypgen")).toMatchObject({ capture: "COL", train: 1230 });
  expect(withPaper([row("hrnet-single", 70)], "fives")[0]?.paper?.["all"]?.mDice).toBe(75.66);
  expect(withPaper([row("pspnet", 70)], "fives")[0]?.paper).toBeNull();
});
