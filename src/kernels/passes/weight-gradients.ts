import { takesPairExtras } from "../ops/contraction/tiled-pair.ts";
import { conv2dGradWeight, conv2dGradWeightOfNorm, type LikeConv } from "../ops/contraction/weight-gradient.ts";
import { batchNormTrain } from "../ops/norm/batch-norm.ts";
import { type ReduceSumAttrs, reduceSum } from "../ops/reduce/reduce.ts";
import { ACTIVATIONS } from "../shader/activation.ts";
import { byteSize, partCount } from "../shader/shader.ts";
import type { Target } from "../target.ts";
import type { Graph, Step } from "../trace/graph.ts";
import { type Activation, isFusedActivation, type Value } from "../trace/op.ts";
import { sizeOf } from "../trace/shape.ts";
import { Readers } from "./readers.ts";

/**
 * Gives gradients of convolutions' weights what they can do beside their sums, where the target's kernels can:
 *
 * - of a norm's or an activation's result that backward reads for nothing else they read what it was made of, and make it
 *   themselves: it need not be kept, nor made again;
 * - they sum the gradient that they read anyway, which is the gradient of the bias.
 *
 * Runs after `fuse`, since only then is it known what a norm's step is, and before `recompute`.
 */
export function giveToWeightGradients(graph: Graph, keep: readonly Value[], target: Target): void {
  const given = new Map(graph.steps.flatMap((step) => (takes(step, target) ? [[step, step] as const] : [])));
  if (given.size === 0) return;
  const readers = new Readers(graph.steps, keep);
  const places = new Map(graph.steps.map((step, i) => [step, i]));
  const room = (step: Step) => target.storageBuffers - boundBy(step, target);
  for (const step of given.keys()) {
    const behind = before(step, readers);
    if (behind && room(behind) >= 0 && isReadByGradientsFrom(step, readers, places, given)) given.set(step, behind);
  }
  const summed = sumsOf(given, readers, places, room);
  graph.replaceSteps(
    graph.steps.flatMap((step) => {
      const gradient = summed.get(step);
      return gradient === undefined ? [given.get(step) ?? step] : gradient === null ? [] : [gradient];
    }),
  );
}

const takes = ({ op, attrs, outputs: [out] }: Step, target: Target): boolean =>
  op.name === conv2dGradWeight.name && !!out && takesPairExtras(target, (attrs as LikeConv).groups, out.shape);

/** Storage bindings of a gradient's kernel, its output's stretches in one part. */
const boundBy = ({ inputs, outputs }: Step, target: Target): number =>
  [...Object.values<Value>(inputs), ...outputs].reduce((sum, value) => sum + partCount(byteSize(value), target), 0);

/** The gradient reading what its x was made of, if that was a norm or an activation by what it read. */
function before(step: Step, readers: Readers): Step | null {
  const { grad, x } = step.inputs;
  const maker = x && readers.makerOf(x);
  if (!grad || !maker || maker.outputs[0]?.id !== x.id) return null;
  const { op, inputs, attrs, epilogue, outputs } = maker;
  const [, statistics] = outputs;
  const { activation, ...others } = epilogue;
  if (Object.keys(others).length > 0) return null;
  const from = inputs["x"];
  if (op.name === batchNormTrain.name && from && statistics && inputs["weight"] && inputs["bias"]) {
    const { eps } = attrs as { readonly eps: number };
    const read = { grad, x: from, statistics, weight: inputs["weight"], bias: inputs["bias"] };
    const more = { eps, ...(activation ? { activation } : {}) };
    return { ...step, op: conv2dGradWeightOfNorm, inputs: read, attrs: { ...(step.attrs as LikeConv), ...more } };
  }
  if (!from || activation || !keepsInput(op.name)) return null;
  return { ...step, inputs: { grad, x: from }, attrs: { ...(step.attrs as LikeConv), activation: op.name } };
}

/** An activation whose own gradient reads what it was given, so that this is there. */
const keepsInput = (name: string): name is Activation => isFusedActivation(name) && ACTIVATIONS[name].from === "x";

/** Whether from the first gradient of a weight on nobody else reads the step's x: else it has to be there anyway. */
function isReadByGradientsFrom(
  { inputs: { x } }: Step,
  readers: Readers,
  places: ReadonlyMap<Step, number>,
  given: ReadonlyMap<Step, Step>,
): boolean {
  const all = x ? readers.of(x) : [];
  const first = Math.min(...all.flatMap((reader) => (reader && given.has(reader) ? [places.get(reader) ?? 0] : [])));
  return all.every((reader) => reader !== null && (given.has(reader) || (places.get(reader) ?? 0) < first));
}

/** Gradients that also sum what they read, at the place of the earlier of both steps; null at that of the later. */
function sumsOf(
  given: ReadonlyMap<Step, Step>,
  readers: Readers,
  places: ReadonlyMap<Step, number>,
  room: (step: Step) => number,
): Map<Step, Step | null> {
  const now = new Map<Step, Step | null>();
  for (const [step, gradient] of given) {
    const { grad } = step.inputs;
    const sum = grad && readers.of(grad).find((reader) => reader && !now.has(reader) && sumsPixels(reader, grad));
    const [weight] = gradient.outputs;
    const [bias] = sum?.outputs ?? [];
    if (!sum || !weight || !bias || room(gradient) < 1) continue;
    const both = { ...gradient, attrs: { ...(gradient.attrs as LikeConv), sums: true }, outputs: [weight, bias] };
    const early = (places.get(sum) ?? 0) < (places.get(step) ?? 0);
    now.set(early ? sum : step, both);
    now.set(early ? step : sum, null);
  }
  return now;
}

function sumsPixels({ op, attrs, outputs: [out], epilogue }: Step, grad: Value): boolean {
  if (op.name !== reduceSum.name || !out || Object.keys(epilogue).length > 0) return false;
  const { axes, factor } = attrs as ReduceSumAttrs;
  const all = grad.shape.slice(0, -1).every((extent, axis) => extent === 1 || axes.includes(axis));
  return all && factor === 1 && sizeOf(out.shape) === grad.shape.at(-1);
}
