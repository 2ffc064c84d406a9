import { add, multiply } from "../ops/arithmetic.ts";
import type { Conv2dAttrs } from "../ops/contraction/contract.ts";
import { conv2d } from "../ops/contraction/conv.ts";
import { batchNormEval } from "../ops/norm/batch-norm.ts";
import { foldForward } from "../ops/norm/fold-forward.ts";
import { foldNorm } from "../ops/norm/fold-norm.ts";
import { pack2x2, unpack2x2 } from "../ops/packing.ts";
import { Graph, readsOf, type Step, withReads } from "../trace/graph.ts";
import type { Epilogue, Value } from "../trace/op.ts";
import { bothAxes, lastOf, sizeOf } from "../trace/shape.ts";
import { Readers } from "./readers.ts";

/**
 * Folds norms by running statistics that no step before could take into the weights of the 1x1 convolutions behind them:
 * the norms that attention and perceptrons begin with, whose input is read beside them. The folded weights depend on state
 * alone and are made once for it. Moving pixels or joining channels in between commutes with a norm.
 *
 * Runs behind fusion, which has taken what it can.
 */
export function foldNormsForward(graph: Graph, keep: readonly Value[]): void {
  for (const step of [...graph.steps]) {
    if (step.op.name !== batchNormEval.name || Object.keys(step.epilogue).length > 0) continue;
    const [y] = step.outputs;
    const uses = y && usesOf(y, new Readers(graph.steps, keep));
    if (uses) replaceNorm(graph, step, uses);
  }
}

/** A convolution that takes a norm, whose channels are those of its input from `start` on. */
interface Use {
  readonly conv: Step;
  readonly start: number;
}

const MOVES: ReadonlySet<string> = new Set([pack2x2.name, unpack2x2.name]);

/** Every use of a norm's result, if each can take the norm and its weight is kept from run to run; otherwise null. */
function usesOf(y: Value, readers: Readers, start = 0): readonly Use[] | null {
  const found: Use[] = [];
  for (const reader of readers.of(y)) {
    const uses = reader && usesBy(reader, y, readers, start);
    if (!uses) return null;
    found.push(...uses);
  }
  return found;
}

function usesBy(reader: Step, y: Value, readers: Readers, start: number): readonly Use[] | null {
  if (reader.inputs["x"]?.id === y.id && takesNorms(reader))
    return isReadOnce(reader, y) ? [{ conv: reader, start }] : null;
  const [out] = reader.outputs;
  if (!out) return null;
  if (MOVES.has(reader.op.name)) return usesOf(out, readers, start);
  if (!reader.op.name.startsWith("concat") || !isReadOnce(reader, y)) return null;
  const parts = Object.values(reader.inputs);
  const before = parts.slice(
    0,
    parts.findIndex(({ id }) => id === y.id),
  );
  return usesOf(
    out,
    readers,
    before.reduce((channels, part) => channels + lastOf(part.shape), start),
  );
}

/** Not as a residual as well, nor twice in a row of channels. */
function isReadOnce({ inputs, epilogue }: Step, { id }: Value): boolean {
  return epilogue.residual?.id !== id && Object.values(inputs).filter((value) => value.id === id).length === 1;
}

/** Weights larger than this would be folded anew by every run (compile/settle.ts). */
const LARGEST_WEIGHT = 2 ** 16;

function takesNorms(step: Step): boolean {
  if (step.op.name !== conv2d.name) return false;
  const [, r, s] = step.inputs["weight"]?.shape ?? [];
  const { padding, groups } = step.attrs as Conv2dAttrs;
  const bare = bothAxes(padding).every((side) => side === 0);
  return r === 1 && s === 1 && bare && groups === 1 && sizeOf(step.inputs["weight"]?.shape ?? []) <= LARGEST_WEIGHT;
}

function replaceNorm(graph: Graph, norm: Step, uses: readonly Use[]): void {
  const { x, weight, bias, mean, variance } = norm.inputs;
  const [y] = norm.outputs;
  if (!x || !y || !weight || !bias || !mean || !variance) return;
  const fold = new Graph();
  const { eps } = norm.attrs as { readonly eps: number };
  const [scale, shift = scale] = fold.scope(norm.path, () =>
    fold.applyAll(foldNorm, { weight, bias, mean, variance }, { eps }),
  );
  const starts = new Map(uses.map(({ conv, start }) => [conv, start]));
  const steps = graph.steps.flatMap((step) => {
    if (step === norm) return fold.steps;
    if (!readsOf(step).some(({ id }) => id === y.id) && !starts.has(step)) return [step];
    const direct = withReads(step, (value) => (value.id === y.id ? x : value));
    const start = starts.get(step);
    return start === undefined ? [direct] : foldInto(direct, { scale, shift, start });
  });
  graph.replaceSteps(steps);
}

interface Folded {
  readonly scale: Value;
  readonly shift: Value;
  readonly start: number;
}

/** The convolution with the norm in its weight and bias, behind the steps that make these. */
function foldInto(conv: Step, { scale, shift, start }: Folded): readonly Step[] {
  const weight = conv.inputs["weight"];
  if (!weight) throw new Error("a convolution has a weight");
  const fold = new Graph();
  return fold.scope(conv.path, () => {
    const [folded, summand = folded] = fold.applyAll(foldForward, { weight, scale, shift }, { start });
    const epilogue = withSummand(fold, conv.epilogue, summand);
    return [...fold.steps, { ...conv, inputs: { ...conv.inputs, weight: folded }, epilogue }];
  });
}

/** A summand of the sums themselves comes before the epilogue's scale. */
function withSummand(fold: Graph, epilogue: Epilogue, summand: Value): Epilogue {
  const { scale, bias } = epilogue;
  const scaled = scale ? fold.apply(multiply, { x: summand, y: scale }, {}) : summand;
  return { ...epilogue, bias: bias ? fold.apply(add, { x: scaled, y: bias }, {}) : scaled };
}
