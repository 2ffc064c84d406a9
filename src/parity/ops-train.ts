import { crossEntropy, softDice } from "../kernels/ops/loss.ts";
import type { GivenTensor } from "./evaluate.ts";
import { FixtureError } from "./fixture.ts";
import { type CaseCheck, checkGradients, valueNamed } from "./op-case.ts";

export async function checkLoss(check: CaseCheck): Promise<void> {
  if (check.golden.attributes.choice("op", ["cross_entropy", "soft_dice"]) === "soft_dice") await checkDice(check);
  else await checkCrossEntropy(check);
}

function labelOf({ golden }: CaseCheck): GivenTensor {
  const { shape, data } = golden.int("label");
  return { shape, data };
}

/** The given class weights, or a one for each class. */
function classWeights({ golden }: CaseCheck, classes: number): GivenTensor {
  if (golden.attributes.flag("weighted") !== golden.has("weight")) {
    throw new FixtureError('attribute "weighted" and the presence of weights contradict each other');
  }
  return golden.has("weight") ? golden.float("weight") : { shape: [classes], data: new Float32Array(classes).fill(1) };
}

async function checkCrossEntropy(check: CaseCheck): Promise<void> {
  const { attributes } = check.golden;
  attributes.choice("reduction", ["mean"]);
  const attrs = { ignoreIndex: attributes.integer("ignore_index"), smoothing: attributes.number("label_smoothing") };
  const classes = check.golden.float("logits").shape[1] ?? 0;
  const constants = { label: labelOf(check), weight: classWeights(check, classes) };
  await checkGradients(check, { inputs: ["logits"], constants, upstream: false }, (graph, values) => {
    const label = valueNamed(values, "label");
    return graph.apply(
      crossEntropy,
      { logits: valueNamed(values, "logits"), label, weight: valueNamed(values, "weight") },
      attrs,
    );
  });
}

/** No label is ignored: the golden value counts every pixel. */
const NO_LABEL = -1;

async function checkDice(check: CaseCheck): Promise<void> {
  const { attributes } = check.golden;
  attributes.choice("per", ["sample and class, background included"]);
  const attrs = { smooth: attributes.number("smooth"), ignoreIndex: NO_LABEL };
  const label = labelOf(check);
  await checkGradients(check, { inputs: ["logits"], constants: { label }, upstream: false }, (graph, values) =>
    graph.apply(softDice, { logits: valueNamed(values, "logits"), label: valueNamed(values, "label") }, attrs),
  );
}
