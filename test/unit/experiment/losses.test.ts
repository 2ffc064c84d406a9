import { describe, expect, test } from "vitest";
import { rateAt } from "../../../src/autograd/schedule.ts";
import { resolveConfig, type TrainFlags } from "../../../src/experiment/settings/config.ts";
import { parseConfig } from "../../../src/experiment/settings/config-file.ts";
import {
  lossSettings,
  networkConfig,
  networkFor,
  rateLine,
  recipeText,
  scheduleOf,
} from "../../../src/experiment/settings/recipe.ts";
import { checkSameRecipe } from "../../../src/experiment/train/resume.ts";
import { fitted, fromZoo, supervision, ZOO } from "../../../src/model/zoo.ts";
import { classWeights } from "../../../src/training/class-weights.ts";
import { tinyFlags } from "../../support/nets.ts";

/** The loss that a command line asks for, of a network small enough to be traced quickly. */
function loss(flags: TrainFlags) {
  const config = resolveConfig({ data: "d", out: "o", size: "64", width: 8, ...flags });
  return lossSettings(config, networkConfig(config, 2));
}

/** Losses that publications train by instead of cross-entropy. */
const PUBLISHED: Readonly<Record<string, string>> = {
  pranet: "structure",
  cfanet: "structure",
  caranet: "structure",
  transnetr: "bce-dice",
};

describe.each(ZOO)("the loss of a run of $name", ({ name, config }) => {
  const flags = tinyFlags(name);

  test("is cross-entropy on the network's own outputs", () => {
    expect(loss(flags)).toMatchObject({
      kind: "cross-entropy",
      headWeights: null,
      smoothing: 0,
      dice: config.kind === "nnunet" ? 1 : 0,
    });
  });

  test("is its own where it is asked for", () => {
    expect(loss({ ...flags, loss: "published" }).kind).toBe(PUBLISHED[config.kind] ?? "cross-entropy");
  });
});

describe("the loss of a run", () => {
  test("is published with nnU-Net's Dice", () => {
    const dice = { diceSmooth: 1e-5, diceOver: "batch", diceBackground: false };
    expect(loss({ model: "nnunet", loss: "published" })).toMatchObject({ dice: 1, ...dice });
  });

  test("takes nnU-Net's Dice along with a cross-entropy only", () => {
    expect(loss({ model: "nnunet", loss: "ohem" })).toMatchObject({ kind: "ohem", dice: 1 });
    expect(loss({ model: "nnunet", loss: "focal" })).toMatchObject({ kind: "focal", dice: 1 });
    for (const kind of ["structure", "tversky"]) {
      expect(loss({ model: "nnunet", loss: kind })).toMatchObject({ kind, dice: 0 });
    }
  });

  test("keeps its settings", () => {
    expect(loss({ model: "hrnet", loss: "ohem" })).toMatchObject({ ohemThreshold: 0.9, ohemKept: 131072 });
    expect(loss({ model: "hrnet", loss: "ohem", ohemThreshold: 0.7, ohemKept: 5 })).toMatchObject({
      ohemThreshold: 0.7,
      ohemKept: 5,
    });
    expect(loss({ loss: "focal" })).toMatchObject({ kind: "focal", focalGamma: 2 });
    expect(loss({ loss: "tversky", tverskyBeta: 0.8 })).toMatchObject({ tverskyAlpha: 0.3, tverskyBeta: 0.8 });
  });

  test.each([
    [{ loss: "structure", diceWeight: 1 }, "--dice-weight 1 has no place in --loss structure; leave it out"],
    [{ loss: "bce-dice", labelSmoothing: 0.1 }, "--label-smoothing 0.1 has no place in --loss bce-dice"],
    [
      { model: "pranet", loss: "published", classWeights: "release" },
      "--class-weights release has no place in --loss published (structure for pranet); leave it out, or choose --loss cross-entropy, ohem or focal",
    ],
    [{ ohemKept: 9 }, "--ohem-kept 9 has no place in --loss cross-entropy; leave it out, or choose --loss ohem"],
    [{ loss: "structure", ohemThreshold: 0.5 }, "--ohem-threshold 0.5 has no place in --loss structure"],
    [{ loss: "tversky", diceWeight: 1 }, "--dice-weight 1 has no place in --loss tversky"],
    [{ loss: "focal", labelSmoothing: 0.1 }, "choose --loss cross-entropy or ohem"],
    [{ focalGamma: 3 }, "--focal-gamma 3 has no place in --loss cross-entropy; leave it out, or choose --loss focal"],
    [{ loss: "focal", tverskyBeta: 0.5 }, "--tversky-beta 0.5 has no place in --loss focal"],
    [{ classWeights: [0, 0] }, "--class-weights: [0,0] does not fit: expected a weight above 0"],
    [{ classWeights: [1] }, "expected a weight for every class, the background first, such as 1,5"],
    [{ classWeights: [1, "x"] }, '--class-weights: [1,"x"] does not fit: expected weights of the classes, such as 1,5'],
    [{ loss: "strukture" }, '--loss: "strukture" does not fit: Did you mean structure?'],
    [{ ohemThreshold: 1.5 }, "--ohem-threshold: 1.5 does not fit"],
  ])("refuses %j", (flags, sentence) => {
    expect(() => loss({ model: "unet", ...flags })).toThrow(sentence);
  });
});

describe("class weights that are given", () => {
  const config = (classWeights: number[]) => resolveConfig({ data: "d", out: "o", size: "64", width: 8, classWeights });
  const cells = { classes: ["background", "nucleus", "debris"], folder: "d" };

  test("are one for each class of the data set", () => {
    expect(() => networkFor(config([1, 5]), cells)).toThrow(
      "--class-weights 1,5: give one weight for each class, the background first: 3 for background, nucleus, debris",
    );
    expect(networkFor(config([1, 5, 5]), cells).classes).toBe(3);
  });

  test("are what every batch is weighted by", () => {
    expect([...classWeights(config([1, 5, 0.5]).classWeights, Int32Array.of(0, 0, 1), 3)]).toEqual([1, 5, 0.5]);
  });
});

describe("head weights", () => {
  test("are one for each output of the network", () => {
    expect(loss({ model: "unetpp", headWeights: [1, 0.5, 0, 0] }).headWeights).toEqual([1, 0.5, 0, 0]);
    expect(() => loss({ model: "cfanet", headWeights: [1, 0.5] })).toThrow(
      "--head-weights 1,0.5: give one weight for each output of the network, in the order of its own weights: head 1, side.0 1, side.1 1, edge_head 1",
    );
    expect(() => loss({ model: "pspnet", headWeights: [0, 1] })).toThrow(
      "--head-weights 0,1: the first output is the one that predicts and must weigh more than 0 (head 1, aux 0.4)",
    );
  });

  test("of nnU-Net's own halve, the coarsest left out", () => {
    const { outputs } = supervision(fitted(fromZoo("nnunet").config, { classes: 2, height: 64, width: 64 }));
    expect(outputs.map(({ name }) => name)).toEqual(["head.3", "head.2", "head.1", "head.0"]);
    expect(outputs.map(({ weight }) => weight * 7)).toEqual([4, 2, 1, 0].map((share) => expect.closeTo(share, 6)));
  });
});

describe("the learning rate of a run", () => {
  const config = (flags: TrainFlags) => resolveConfig({ data: "d", out: "o", ...flags });
  const scheduled = (flags: TrainFlags) => rateAt(scheduleOf(config(flags), 100), 0);

  test("has its own default from random weights, with pretrained ones, and by the paper", () => {
    expect(scheduled({})).toBe(2e-3);
    expect(scheduled({ weights: "a.pth" })).toBe(5e-5);
    expect(scheduled({ recipe: "paper" })).toBe(5e-5);
    expect(scheduled({ schedule: "constant" })).toBe(2e-3);
    expect(scheduled({ schedule: "poly" })).toBe(1e-2);
    expect(scheduled({ model: "nnunet" })).toBe(1e-2);
    expect(scheduled({ lr: 3e-4, recipe: "paper" })).toBe(3e-4);
  });

  test("is said in one line", () => {
    expect(rateLine(config({}))).toBe("learning rate: at most 0.002, the default from random weights");
    expect(rateLine(config({ weights: "a.pth" }))).toBe("learning rate: at most 0.00005, the default with --weights");
    expect(rateLine(config({ recipe: "paper" }))).toBe("learning rate: at most 0.00005, the paper's");
    expect(rateLine(config({ lr: 1 }))).toBe("learning rate: at most 1");
  });

  test("of a run from before there were defaults stays the schedule's", () => {
    const file = parseConfig("data: d\nout: o\nlr: null\n", "config.yaml");
    expect(rateAt(scheduleOf(resolveConfig({}, file), 100), 0)).toBe(5e-5);
  });
});

describe("the recipe of a run", () => {
  const config = resolveConfig({ data: "d", out: "o", model: "pranet" });
  const network = networkConfig(config, 2);
  const stored = (recipe: object) => ({ config: network, progress: { recipe: JSON.stringify(recipe) } }) as never;

  test("holds the loss, which a resumed run must share", () => {
    const other = resolveConfig({ data: "d", out: "o", model: "pranet", loss: "published" });
    expect(() => checkSameRecipe(other, network, stored(JSON.parse(recipeText(config))))).toThrow(
      'loss "cross-entropy", now "published"',
    );
  });

  test("of a run from before there was a choice was cross-entropy on the network's own outputs", () => {
    const { loss: _loss, headWeights: _weights, ohemKept: _kept, ...older } = JSON.parse(recipeText(config));
    expect(() => checkSameRecipe(config, network, stored(older))).not.toThrow();
    const { lr: _lr, recipe: _recipe, bestBy: _bestBy, ...rest } = older;
    const old = { ...config, lr: null, bestBy: "miou" } as const;
    const before = stored({ ...rest, lr: null });
    expect(() => checkSameRecipe(old, network, before)).not.toThrow();
    expect(() => checkSameRecipe({ ...config, recipe: "paper", lr: 5e-5 }, network, before)).not.toThrow();
    expect(() => checkSameRecipe(config, network, before)).toThrow("lr 0.00005, now 0.002");
    expect(() => checkSameRecipe({ ...config, headWeights: [1, 0, 0, 0] }, network, stored(older))).toThrow(
      "headWeights [1,1,1,1], now [1,0,0,0]",
    );
  });
});
