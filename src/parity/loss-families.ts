import type { GivenTensor } from "../checks/evaluate.ts";
import { logOdds } from "../kernels/ops/loss/log-odds.ts";
import { crossEntropy, softDice } from "../kernels/ops/loss/loss.ts";
import { trainingLoss } from "../model/losses.ts";
import { type RegionLoss, RegionTargets, regionLoss } from "../model/region-losses.ts";
import { DEFAULT_LOSS, type LossSettings } from "../model/supervision.ts";
import { type FixtureCase, FixtureError } from "./fixture.ts";
import { callOf, type GoldenCall, valueNamed, valuesNamed } from "./golden-call.ts";

/** No label is ignored: the golden value counts every pixel. */
const NO_LABEL = -1;

const labelOf = (golden: FixtureCase): GivenTensor => {
  const { shape, data } = golden.int("label");
  return { shape, data };
};

const ones = (count: number): GivenTensor => ({ shape: [count], data: new Float32Array(count).fill(1) });

const classesOf = (golden: FixtureCase): number => golden.float("logits").shape[1] ?? 0;

export function lossCall(golden: FixtureCase): GoldenCall {
  const { attributes } = golden;
  if (attributes.choice("op", ["cross_entropy", "soft_dice"]) === "soft_dice") {
    attributes.choice("per", ["sample and class, background included"]);
    const attrs = { smooth: attributes.number("smooth"), ignoreIndex: NO_LABEL };
    return callOf(softDice, attrs, { constants: { label: labelOf(golden) }, scalar: true });
  }
  attributes.choice("reduction", ["mean"]);
  const attrs = { ignoreIndex: attributes.integer("ignore_index"), smoothing: attributes.number("label_smoothing") };
  const constants = { label: labelOf(golden), weight: classWeights(golden) };
  return callOf(crossEntropy, attrs, { constants, scalar: true });
}

/** The given class weights, or a one for each class. */
function classWeights(golden: FixtureCase): GivenTensor {
  if (golden.attributes.flag("weighted") !== golden.has("weight")) {
    throw new FixtureError('attribute "weighted" and the presence of weights contradict each other');
  }
  return golden.has("weight") ? golden.float("weight") : ones(classesOf(golden));
}

const region = (name: RegionLoss, golden: FixtureCase): GoldenCall => ({
  inputs: ["logits"],
  constants: { label: labelOf(golden) },
  body: (graph, values) =>
    regionLoss(
      graph,
      name,
      valuesNamed(values, ["logits", "label"]),
      new RegionTargets(graph, DEFAULT_LOSS.ignoreIndex),
    ),
});

/** A loss from logits, labels and class weights on, by the settings that differ from the default. */
const pixelwise = (golden: FixtureCase, weight: GivenTensor, own: Partial<LossSettings>): GoldenCall => ({
  inputs: ["logits"],
  constants: { label: labelOf(golden), weight },
  body(graph, values) {
    const { logits, label, weight } = valuesNamed(values, ["logits", "label", "weight"]);
    return trainingLoss(graph, logits, label, weight, { ...DEFAULT_LOSS, ...own });
  },
});

/** Published losses, from logits and labels on as training takes them. */
const PUBLISHED = {
  structure: (golden) => region("structure", golden),
  bce_dice: (golden) => region("bce-dice", golden),
  log_odds: () => callOf(logOdds, {}),
  ohem(golden) {
    const ohemThreshold = golden.attributes.number("threshold");
    const ohemKept = golden.attributes.integer("kept");
    return pixelwise(golden, ones(classesOf(golden)), { kind: "ohem", ohemThreshold, ohemKept });
  },
  focal: (golden) =>
    pixelwise(golden, golden.float("weight"), { kind: "focal", focalGamma: golden.attributes.number("gamma") }),
  tversky(golden) {
    const [tverskyAlpha, tverskyBeta] = [golden.attributes.number("alpha"), golden.attributes.number("beta")];
    return pixelwise(golden, ones(classesOf(golden)), { kind: "tversky", tverskyAlpha, tverskyBeta });
  },
  emphasis(golden) {
    const classes = golden.attributes.integer("classes");
    return {
      inputs: [],
      constants: { label: labelOf(golden) },
      body(graph, values) {
        const targets = new RegionTargets(graph, DEFAULT_LOSS.ignoreIndex);
        return targets.emphasis(targets.masks(valueNamed(values, "label"), classes));
      },
    };
  },
} satisfies Record<string, (golden: FixtureCase) => GoldenCall>;

export function publishedLossCall(golden: FixtureCase): GoldenCall {
  const name = golden.attributes.choice("op", Object.keys(PUBLISHED) as (keyof typeof PUBLISHED)[]);
  return PUBLISHED[name](golden);
}
