import { describe, expect, test } from "vitest";
import { resolveConfig, type TrainFlags } from "../../../src/experiment/settings/config.ts";
import { lossSettings, networkConfig, recipeText } from "../../../src/experiment/settings/recipe.ts";
import { checkSameRecipe } from "../../../src/experiment/train/resume.ts";
import { fitted, fromZoo, supervision, ZOO } from "../../../src/model/zoo.ts";
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
    expect(loss({ model: "nnunet", loss: "structure" })).toMatchObject({ kind: "structure", dice: 0 });
  });

  test("keeps its settings", () => {
    expect(loss({ model: "hrnet", loss: "ohem" })).toMatchObject({ ohemThreshold: 0.9, ohemKept: 131072 });
    expect(loss({ model: "hrnet", loss: "ohem", ohemThreshold: 0.7, ohemKept: 5 })).toMatchObject({
      ohemThreshold: 0.7,
      ohemKept: 5,
    });
  });

  test.each([
    [{ loss: "structure", diceWeight: 1 }, "--dice-weight 1 has no place in --loss structure; leave it out"],
    [{ loss: "bce-dice", labelSmoothing: 0.1 }, "--label-smoothing 0.1 has no place in --loss bce-dice"],
    [
      { model: "pranet", loss: "published", classWeights: "release" },
      "--class-weights release has no place in --loss published (structure for pranet); leave it out, or choose --loss cross-entropy or ohem",
    ],
    [{ ohemKept: 9 }, "--ohem-kept 9 has no place in --loss cross-entropy; leave it out, or choose --loss ohem"],
    [{ loss: "structure", ohemThreshold: 0.5 }, "--ohem-threshold 0.5 has no place in --loss structure"],
    [{ loss: "strukture" }, '--loss: "strukture" does not fit: Did you mean structure?'],
    [{ ohemThreshold: 1.5 }, "--ohem-threshold: 1.5 does not fit"],
  ])("refuses %j", (flags, sentence) => {
    expect(() => loss({ model: "unet", ...flags })).toThrow(sentence);
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

describe("the recipe of a run", () => {
  const config = resolveConfig({ data: "d", out: "o", model: "pranet" });
  const stored = (recipe: object) => ({ progress: { recipe: JSON.stringify(recipe) } }) as never;

  test("holds the loss, which a resumed run must share", () => {
    const other = resolveConfig({ data: "d", out: "o", model: "pranet", loss: "published" });
    expect(() => checkSameRecipe(other, stored(JSON.parse(recipeText(config))))).toThrow(
      'loss "cross-entropy", now "published"',
    );
  });

  test("of a run from before there was a choice was cross-entropy on the network's own outputs", () => {
    const { loss: _loss, headWeights: _weights, ohemKept: _kept, ...older } = JSON.parse(recipeText(config));
    expect(() => checkSameRecipe(config, stored(older))).not.toThrow();
    expect(() => checkSameRecipe({ ...config, headWeights: [1, 0, 0, 0] }, stored(older))).toThrow("headWeights null");
  });
});
