import type { GivenTensor } from "../checks/evaluate.ts";
import { crossEntropy, softDice } from "../kernels/ops/loss/loss.ts";
import { adamW, prepareAdamW, tick } from "../kernels/ops/update/update.ts";
import type { Shape } from "../kernels/trace/shape.ts";
import { FixtureError } from "./fixture.ts";
import { type CaseCheck, checkGradients, valueNamed } from "./op-case.ts";
import { runUpdate } from "./run-update.ts";
import { TOLERANCE } from "./tolerance.ts";

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

/** Control words of a step that counts, its gradients multiplied by 1: see kernels/ops/update/update.ts. */
const COUNTS = { shape: [4], data: Uint32Array.of(0, 0, 0x3f800000, 0) };

/** Three steps from zero moments, each compared with what the golden file has after it. */
export async function checkAdamW({ device, golden, report }: CaseCheck): Promise<void> {
  const { attributes } = golden;
  const [beta1, beta2, ...others] = attributes.numbers("betas");
  if (beta1 === undefined || beta2 === undefined || others.length > 0) {
    throw new FixtureError('attribute "betas" should be two numbers');
  }
  const attrs = { beta1, beta2, eps: attributes.number("eps"), weightDecay: attributes.number("weight_decay") };
  const rates = attributes.numbers("rates");
  const steps = attributes.integer("steps");
  if (rates.length !== steps) throw new FixtureError(`there are ${rates.length} rates for ${steps} steps`);
  const start = golden.float("start");
  const moment = () => ({ shape: start.shape, data: new Float32Array(start.data.length) });
  let state: Moments = { parameter: start, first: moment(), second: moment() };
  for (const [step, rate] of rates.entries()) {
    const inputs = {
      ...state,
      gradient: golden.float(`gradient${step}`),
      clock: { shape: [1], data: Uint32Array.of(step) },
      control: COUNTS,
      rate: { shape: [2], data: Float32Array.of(rate, 1) },
    };
    const after = await runUpdate(device, inputs, (graph, values) => {
      const { parameter, first, second, gradient, clock, control } = values;
      graph.update(tick, { clock, control }, {});
      const hyper = graph.apply(prepareAdamW, { clock, control, rate: values.rate }, attrs);
      graph.update(adamW, { parameter, first, second, gradient, hyper }, attrs);
    });
    state = { parameter: after.parameter, first: after.first, second: after.second };
    report.compare(golden.name, golden.float(`param${step}`), state.parameter, TOLERANCE.update);
    report.compare(golden.name, golden.float(`first${step}`), state.first, TOLERANCE.update);
    report.compare(golden.name, golden.float(`second${step}`), state.second, TOLERANCE.update);
  }
}

type Moments = {
  readonly [K in "parameter" | "first" | "second"]: { readonly shape: Shape; readonly data: Float32Array };
};
