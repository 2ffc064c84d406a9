import { add } from "../ops/arithmetic.ts";
import type { Conv2dAttrs } from "../ops/contraction/contract.ts";
import { conv2d } from "../ops/contraction/conv.ts";
import { sliceLast } from "../ops/layout.ts";
import { Graph, readsOf, type Step } from "../trace/graph.ts";
import type { Value } from "../trace/op.ts";
import { lastOf, sizeOf } from "../trace/shape.ts";

/**
 * A 1x1 convolution of concatenated maps is the sum of 1x1 convolutions of each, and commutes with resizing: so each
 * part is multiplied by its slice of the weight at its own resolution, and only the result, which has fewer pixels to
 * compute and often far fewer channels, is resized. Literally the head of SvANet holds a 2368-channel map at half the
 * image's size. A part resized from one pixel (a pooled branch) becomes a constant per image. Exact in real numbers.
 *
 * Runs on the literal trace, before differentiation, so that gradients take the short way too.
 */
export function splitPointwiseOverConcat(graph: Graph): void {
  const makers = new Map(graph.steps.flatMap((step) => step.outputs.map((out) => [out.id, step] as const)));
  const uses = new Map<number, number>();
  for (const { inputs } of graph.steps) {
    for (const { id } of Object.values(inputs)) uses.set(id, (uses.get(id) ?? 0) + 1);
  }
  const rewritten: Step[] = [];
  const gone = new Set<Step>();
  for (const step of graph.steps) {
    const found = match(step, makers, uses);
    if (!found) {
      rewritten.push(step);
      continue;
    }
    gone.add(found.concat);
    for (const { resize } of found.parts) if (resize && uses.get(resize.outputs[0]?.id ?? -1) === 1) gone.add(resize);
    rewritten.push(...split(step, found));
  }
  graph.replaceSteps(rewritten.filter((step) => !gone.has(step)));
}

interface Part {
  /** What the part is before resizing. */
  readonly source: Value;
  readonly resize: Step | null;
  readonly channels: number;
}

interface Match {
  readonly concat: Step;
  readonly parts: readonly Part[];
}

const RESIZES = new Set(["resizeBilinear", "resizeNearest"]);

function match(step: Step, makers: ReadonlyMap<number, Step>, uses: ReadonlyMap<number, number>): Match | null {
  const { x, weight } = step.inputs;
  if (step.op.name !== conv2d.name || !x || !weight) return null;
  const { stride, padding, groups } = step.attrs as Conv2dAttrs;
  const [, r, s] = weight.shape;
  if (r !== 1 || s !== 1 || stride !== 1 || padding !== 0 || groups !== 1) return null;
  const concat = makers.get(x.id);
  if (!concat?.op.name.startsWith("concat") || uses.get(x.id) !== 1) return null;
  const parts = Object.values(concat.inputs).map((value): Part => {
    const maker = makers.get(value.id);
    const source = maker?.inputs["x"];
    const enlarges = maker && source && RESIZES.has(maker.op.name) && sizeOf(source.shape) < sizeOf(value.shape);
    return { source: enlarges ? source : value, resize: enlarges ? maker : null, channels: lastOf(value.shape) };
  });
  return parts.some((part) => part.resize) ? { concat, parts } : null;
}

/** The steps that take the place of the convolution; the last one makes the very tensor it made. */
function split(step: Step, { parts }: Match): Step[] {
  const weight = step.inputs["weight"];
  const [result] = step.outputs;
  if (!weight || !result) return [step];
  const scratch = new Graph();
  const terms = scratch.scope(step.path, () => {
    let start = 0;
    return parts.map(({ source, resize, channels }) => {
      const slice = scratch.apply(sliceLast, { x: weight }, { start, count: channels });
      start += channels;
      const y = scratch.apply(conv2d, { x: source, weight: slice }, step.attrs as Conv2dAttrs);
      return resize ? scratch.apply(resize.op, { x: y }, resize.attrs) : y;
    });
  });
  const [first, ...rest] = terms;
  if (!first) return [step];
  scratch.scope(step.path, () => rest.reduce((sum, term) => scratch.apply(add, { x: term, y: sum }, {}), first));
  const steps = [...scratch.steps];
  const last = steps.pop();
  return last ? [...steps, { ...last, outputs: [result] }] : [step];
}

/**
 * Removes steps whose results nobody reads: heads that only training looks at, stages a network was published with
 * but does not use. `keep` and tensors changed in place count as read.
 */
export function dropUnread(graph: Graph, keep: readonly Value[]): void {
  const read = new Set(keep.map(({ id }) => id));
  const kept: Step[] = [];
  for (const step of graph.steps.toReversed()) {
    if (!step.op.updates && !step.outputs.some(({ id }) => read.has(id))) continue;
    for (const { id } of readsOf(step)) read.add(id);
    kept.push(step);
  }
  graph.replaceSteps(kept.reverse());
}
