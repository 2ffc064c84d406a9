import { add, scale } from "../ops/arithmetic.ts";
import type { Conv2dAttrs } from "../ops/contraction/contract.ts";
import { conv2d } from "../ops/contraction/conv.ts";
import { addBias } from "../ops/contraction/linear.ts";
import { adaptiveAveragePool2d } from "../ops/pool/pool.ts";
import { type ReduceSumAttrs, reduceSum } from "../ops/reduce/reduce.ts";
import { Graph, type Step, withReads } from "../trace/graph.ts";
import type { Value } from "../trace/op.ts";
import { bothAxes, nhwc } from "../trace/shape.ts";
import { Readers } from "./readers.ts";

/**
 * Takes means before what is linear in them. The mean over the cells of a pooled map's 1x1 convolution is that
 * convolution of the mean of the map, where all cells have one size; and a factor behind sums of such convolutions goes
 * into the means' own factors. Then nothing is pooled to a grid, convolutions are of one pixel, and sums and what
 * follows can be fused with them. Exact in real numbers.
 *
 * Runs on the literal trace of an inference; in training the cells have weights.
 */
export function takeMeansFirst(graph: Graph, keep: readonly Value[]): void {
  for (const step of [...graph.steps]) {
    const found = step.op.name === reduceSum.name && meanOfCells(step, new Readers(graph.steps, keep));
    if (found) graph.replaceSteps(meanMoved(graph.steps, found));
  }
  for (const step of [...graph.steps]) {
    const changed = step.op.name === scale.name && factorMoved(step, new Readers(graph.steps, keep));
    if (changed) graph.replaceSteps(graph.steps.flatMap((one) => changed.get(one) ?? [one]));
  }
}

interface MeanOfCells {
  readonly mean: Step;
  readonly pool: Step;
  readonly conv: Step;
  readonly bias: Step | undefined;
}

/** What made the tensor, if nothing else reads it. */
function onlyMaker(value: Value | undefined, readers: Readers): Step | undefined {
  return value && readers.of(value).length === 1 ? readers.makerOf(value) : undefined;
}

function meanOfCells(mean: Step, readers: Readers): MeanOfCells | null {
  const last = onlyMaker(mean.inputs["x"], readers);
  const bias = last?.op.name === addBias.name ? last : undefined;
  const conv = bias ? onlyMaker(bias.inputs["x"], readers) : last;
  const pool = conv?.op.name === conv2d.name ? onlyMaker(conv.inputs["x"], readers) : undefined;
  if (!conv || pool?.op.name !== adaptiveAveragePool2d.name || !isPointwise(conv)) return null;
  return isMean(mean) && hasEvenCells(pool) ? { mean, pool, conv, bias } : null;
}

function isPointwise({ inputs, attrs }: Step): boolean {
  const [, r, s] = inputs["weight"]?.shape ?? [];
  const { stride, padding, groups } = attrs as Conv2dAttrs;
  const whole = bothAxes(stride).every((step) => step === 1) && bothAxes(padding).every((side) => side === 0);
  return r === 1 && s === 1 && whole && groups === 1;
}

const MEAN_OF_PIXELS = [1, 2] as const;

function isMean({ inputs, attrs }: Step): boolean {
  const { axes, factor } = attrs as ReduceSumAttrs;
  const { h, w } = nhwc("mean", "x", inputs["x"]?.shape ?? []);
  return axes.join() === MEAN_OF_PIXELS.join() && factor === 1 / (h * w);
}

function hasEvenCells({ inputs, outputs }: Step): boolean {
  const map = nhwc("pool", "x", inputs["x"]?.shape ?? []);
  const grid = nhwc("pool", "out", outputs[0]?.shape ?? []);
  return map.h % grid.h === 0 && map.w % grid.w === 0;
}

function meanMoved(steps: readonly Step[], { mean, pool, conv, bias }: MeanOfCells): Step[] {
  const { x } = pool.inputs;
  const { weight } = conv.inputs;
  const shift = bias?.inputs["bias"];
  if (!x || !weight) return [...steps];
  const { h, w } = nhwc("mean", "x", x.shape);
  const moved = new Graph();
  const pooled = moved.scope(pool.path, () =>
    moved.apply(reduceSum, { x }, { axes: MEAN_OF_PIXELS, factor: 1 / (h * w) }),
  );
  const y = moved.scope(conv.path, () => moved.apply(conv2d, { x: pooled, weight }, conv.attrs as Conv2dAttrs));
  if (shift) moved.scope(conv.path, () => moved.apply(addBias, { x: y, bias: shift }, {}));
  const gone = new Set([pool, conv, bias]);
  const first = moved.steps.map((step, i) =>
    i === moved.steps.length - 1 ? { ...step, outputs: mean.outputs } : step,
  );
  return steps.filter((step) => !gone.has(step)).flatMap((step) => (step === mean ? first : [step]));
}

/** By step, what takes its place when the factor goes to the means; null where something else is multiplied by it. */
function factorMoved(step: Step, readers: Readers): ReadonlyMap<Step, readonly Step[]> | null {
  const { x } = step.inputs;
  const { factor } = step.attrs as { readonly factor: number };
  const last = onlyMaker(x, readers);
  const changed = x && scaled(x, factor, readers);
  if (!last || !changed) return null;
  const steps = changed.get(last) ?? [last];
  const renamed = steps.map((one, i) => (i === steps.length - 1 ? { ...one, outputs: step.outputs } : one));
  return new Map([...changed, [last, renamed], [step, []]]);
}

function scaled(value: Value, factor: number, readers: Readers): Map<Step, readonly Step[]> | null {
  const maker = onlyMaker(value, readers);
  const { x, y, bias } = maker?.inputs ?? {};
  if (!maker || !x) return null;
  switch (maker.op.name) {
    case reduceSum.name: {
      const attrs = maker.attrs as ReduceSumAttrs;
      return new Map([[maker, [{ ...maker, attrs: { ...attrs, factor: attrs.factor * factor } }]]]);
    }
    case conv2d.name:
      return scaled(x, factor, readers);
    case addBias.name: {
      const changed = scaled(x, factor, readers);
      return changed && bias ? changed.set(maker, withScaledBias(maker, bias, factor)) : null;
    }
    case add.name: {
      const [left, right] = [scaled(x, factor, readers), y && scaled(y, factor, readers)];
      return left && right ? new Map([...left, ...right]) : null;
    }
    default:
      return null;
  }
}

function withScaledBias(step: Step, bias: Value, factor: number): readonly Step[] {
  const before = new Graph();
  const smaller = before.scope(step.path, () => before.apply(scale, { x: bias }, { factor }));
  return [...before.steps, withReads(step, (value) => (value.id === bias.id ? smaller : value))];
}
