import { freshValue, type Graph, readsOf, type Step, withReads } from "../trace/graph.ts";
import type { Value } from "../trace/op.ts";
import { type Allowance, choose } from "./recompute/choose.ts";
import { flowOf } from "./recompute/flow.ts";
import type { Replay, Run } from "./recompute/replay.ts";

export type { Allowance } from "./recompute/choose.ts";

/**
 * By default a sixtieth of the time: norms, activations, concatenations and what else only moves numbers. SvANet at the
 * paper's size then trains in under 10 GiB.
 */
export const CHEAP: Allowance = { time: 1 / 60, macs: Number.POSITIVE_INFINITY, smallest: 2 ** 20 };

/** In half precision, which is asked for where memory is short: SvANet at the paper's size then trains in under 6 GiB. */
export const CHEAP_IN_HALF: Allowance = { ...CHEAP, time: 0.025 };

/** Whole stretches of a network, convolutions included: a forward pass is a third of a training step. */
export const CHECKPOINTS: Allowance = { time: Number.POSITIVE_INFINITY, macs: 0.35, smallest: 2 ** 20 };

/** What must be there after a run. */
interface Results {
  /** Tensors that are read after it. */
  readonly keep: readonly Value[];
  /** Ids of tensors that are stored elsewhere. */
  readonly placed: Iterable<number>;
}

/**
 * Lets go of tensors that backward reads long after they were made, and makes them again shortly before, from what is
 * there anyway: where that lowers the peak and the allowance suffices. The same kernels run on the same numbers in the
 * same order, so results are equal bit for bit; draws are inputs. Runs last: only now is it known what lives how long.
 */
export function recompute(graph: Graph, { keep, placed }: Results, allowance: Allowance): void {
  const chosen = choose(flowOf(graph, keep, placed), allowance);
  if (chosen.runs.some(({ again }) => again)) graph.replaceSteps(stepsOf(graph, chosen));
}

/** The trace of a replay, with its views where they were. */
function stepsOf(graph: Graph, { runs }: Replay): Step[] {
  const values = new Map<number, Value>();
  const views = graph.steps.map(({ op }) => op.name === "view");
  const steps: Step[] = [];
  let next = 0;
  for (const run of runs) {
    if (!run.again) {
      for (; views[next]; next++) steps.push(graph.steps[next] as Step);
      next++;
    }
    steps.push(stepOf(graph, run, values));
  }
  return [...steps, ...graph.steps.slice(next)];
}

/** The step of a run. `values` are those of the copies so far, by number. */
function stepOf(graph: Graph, { work: { step }, again, reads, writes }: Run, values: Map<number, Value>): Step {
  const copies = new Map(readsOf(step).map(({ id }, i) => [id, values.get(reads[i] ?? -1)]));
  const reading = withReads(step, (value) => asCopy(graph, value, copies.get(value.id)));
  if (!again) return reading;
  const outputs = step.outputs.map((value, i) => {
    const fresh = freshValue(value.shape, value.dtype);
    values.set(writes[i] ?? -1, fresh);
    return fresh;
  });
  return { ...reading, outputs, path: `${step.path} again` };
}

/** What a reader of `value` reads instead of it: the copy, under the same shape. */
function asCopy(graph: Graph, value: Value, copy: Value | undefined): Value {
  if (!copy || graph.root(value.id) === value.id) return copy ?? value;
  const view = freshValue(value.shape, value.dtype);
  graph.views.set(view.id, copy.id);
  return view;
}
