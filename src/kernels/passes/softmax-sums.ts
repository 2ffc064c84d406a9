import { weightedSum } from "../ops/reduce/reduce.ts";
import { softmax } from "../ops/reduce/softmax.ts";
import { softmaxSum } from "../ops/reduce/softmax-sum.ts";
import { Graph, type Step } from "../trace/graph.ts";
import type { Value } from "../trace/op.ts";
import { Readers } from "./readers.ts";

/** A sum weighted by a softmax that nothing else reads becomes one step, without the weights in between. */
export function joinSoftmaxSums(graph: Graph, keep: readonly Value[]): void {
  const readers = new Readers(graph.steps, keep);
  const gone = new Set<Step>();
  const joined = new Map<Step, Step>();
  for (const step of graph.steps) {
    const { weights, x } = step.inputs;
    const maker = step.op.name === weightedSum.name && weights ? readers.makerOf(weights) : undefined;
    const logits = maker?.op.name === softmax.name ? maker.inputs["x"] : undefined;
    if (!maker || !weights || !x || !logits || readers.of(weights).length !== 1) continue;
    // One row of weights for all groups stays as it is.
    if (weights.shape[0] !== x.shape[0]) continue;
    gone.add(maker);
    joined.set(step, softmaxSumOf(step, logits, x));
  }
  graph.replaceSteps(graph.steps.filter((step) => !gone.has(step)).map((step) => joined.get(step) ?? step));
}

function softmaxSumOf(sum: Step, logits: Value, x: Value): Step {
  const made = new Graph();
  made.apply(softmaxSum, { logits, x }, {});
  const [step] = made.steps;
  if (!step) throw new Error("a call of an op is a step");
  return { ...step, outputs: sum.outputs, path: sum.path, tag: sum.tag };
}
