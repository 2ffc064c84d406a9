import { type EvaluatedTensor, evaluate, floats, type GivenTensor } from "../checks/evaluate.ts";
import { batchNormEval, batchNormTrain } from "../kernels/ops/norm/batch-norm.ts";
import { layerNorm } from "../kernels/ops/norm/layer-norm.ts";
import { runningTable, updateRunning } from "../kernels/ops/norm/running.ts";
import { adamW, prepareAdamW, tick } from "../kernels/ops/update/update.ts";
import { lastOf, type Shape, sizeOf } from "../kernels/trace/shape.ts";
import { FixtureError } from "./fixture.ts";
import { type CaseCheck, callOf, compareCall, PLAIN, valuesNamed } from "./golden-call.ts";
import { TOLERANCE, type Tolerance } from "./tolerance.ts";

export async function checkNormalisation(check: CaseCheck): Promise<void> {
  const { attributes } = check.golden;
  const op = attributes.choice("op", ["batch", "layer"]);
  const eps = attributes.number("eps");
  if (op === "layer") {
    attributes.choice("axis", ["last"]);
    await compareCall(check, callOf(layerNorm, { eps }, { layout: PLAIN }));
    return;
  }
  const momentum = attributes.number("momentum");
  if (attributes.flag("training")) await checkBatchTrain(check, eps, momentum);
  else await checkBatchEval(check, eps);
}

async function checkBatchTrain(check: CaseCheck, eps: number, momentum: number): Promise<void> {
  const { device, golden } = check;
  const { outputs } = await compareCall(check, callOf(batchNormTrain, { eps }));
  const [out, statistics] = outputs;
  if (!out || !statistics) throw new Error("batch norm made no statistics");
  const count = sizeOf(out.shape) / lastOf(out.shape);
  const [mean, variance] = [golden.float("running_mean"), golden.float("running_var")];
  const channels = mean.data.length;
  const norms = runningTable([{ channels, mean: 0, variance: channels, batch: 0, momentum, count }]);
  const given = {
    running: { shape: [2 * channels], data: Float32Array.of(...mean.data, ...variance.data) },
    batch: statistics,
    norms: { shape: [1, norms.length], data: norms },
    control: { shape: [4], data: new Uint32Array(4) },
  };
  const { outputs: after } = await evaluate(device, given, (graph, values) => {
    const inputs = valuesNamed(values, updateRunning.inputs);
    graph.update(updateRunning, inputs, {});
    return [inputs.running];
  });
  const moved = after.flatMap((tensor) => [0, channels].map((begin) => halfOf(tensor, begin, mean.shape)));
  compareState(check, ["running_mean_after", "running_var_after"], moved, TOLERANCE.op);
}

async function checkBatchEval(check: CaseCheck, eps: number): Promise<void> {
  const mean = check.golden.float("running_mean");
  const variance = check.golden.float("running_var");
  await compareCall(check, callOf(batchNormEval, { eps }, { constants: { mean, variance } }));
  // Evaluation leaves the running statistics alone, and so must the golden file.
  compareState(check, ["running_mean_after", "running_var_after"], [mean, variance], TOLERANCE.op);
}

const halfOf = (tensor: EvaluatedTensor, begin: number, shape: Shape) => ({
  shape,
  data: floats(tensor).subarray(begin, begin + sizeOf(shape)),
});

const tensorOf = (tensor: EvaluatedTensor) => ({ shape: tensor.shape, data: floats(tensor) });

function compareState(
  { golden, report }: CaseCheck,
  names: readonly string[],
  tensors: readonly GivenTensor[],
  tolerance: Tolerance,
): void {
  for (const [i, name] of names.entries()) {
    const tensor = tensors[i];
    if (!tensor) throw new Error(`nothing was computed for ${name}`);
    report.compare(golden.name, golden.float(name), tensor, tolerance);
  }
}

/** Control words of a step that counts, its gradients multiplied by 1: see kernels/ops/update/judge.ts. */
const COUNTS = { shape: [4], data: Uint32Array.of(0, 0, 0x3f800000, 0) };

/** Three steps from zero moments, each compared with what the golden file has after it. */
export async function checkAdamW(check: CaseCheck): Promise<void> {
  const { device, golden } = check;
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
  let state: readonly GivenTensor[] = [start, moment(), moment()];
  for (const [step, rate] of rates.entries()) {
    const [parameter = start, first = start, second = start] = state;
    const given = {
      ...{ parameter, first, second, gradient: golden.float(`gradient${step}`), control: COUNTS },
      clock: { shape: [1], data: Uint32Array.of(step) },
      rate: { shape: [2], data: Float32Array.of(rate, 1) },
    };
    const { outputs } = await evaluate(device, given, (graph, values) => {
      const { clock, control, rate: rated, ...tensors } = valuesNamed(values, ADAMW_INPUTS);
      graph.update(tick, { clock, control }, {});
      const hyper = graph.apply(prepareAdamW, { clock, control, rate: rated }, attrs);
      graph.update(adamW, { ...tensors, hyper }, attrs);
      return [tensors.parameter, tensors.first, tensors.second];
    });
    state = outputs.map(tensorOf);
    compareState(check, [`param${step}`, `first${step}`, `second${step}`], state, TOLERANCE.update);
  }
}

const ADAMW_INPUTS = ["parameter", "first", "second", "gradient", "clock", "control", "rate"] as const;
