import { batchNormTrain, batchNormTrainGrad, batchNormTrainSums } from "../ops/norm/batch-norm.ts";
import type { Graph, Step } from "../trace/graph.ts";
import { type Activation, slopeTaken, type Value } from "../trace/op.ts";
import { Readers } from "./readers.ts";

/**
 * Lets the gradient of a batch norm take the slope of the activation behind it: the norm's kernels read the norm's input
 * anyway and make its result anew from that, where a step of its own reads the activation, and writes a gradient that is read
 * twice. Not where the gradient has a third reader, as behind a residual. Runs after differentiation, before `fuse`: with its last reader gone,
 * the norm's result is not stored where the activation needs its input.
 */
export function takeActivationSlopes(graph: Graph, keep: readonly Value[]): void {
  const readers = new Readers(graph.steps, keep);
  const changed = new Map<Step, Step | null>();
  for (const sums of graph.steps) {
    const found = sums.op.name === batchNormTrainSums.name ? match(sums, readers) : null;
    if (!found) continue;
    const { slope, gradient, activation } = found;
    changed.set(slope, null);
    for (const step of [sums, gradient]) {
      const inputs = { ...step.inputs, ...(slope.inputs["grad"] ? { grad: slope.inputs["grad"] } : {}) };
      changed.set(step, { ...step, inputs, attrs: { ...(step.attrs as object), activation } });
    }
  }
  graph.replaceSteps(
    graph.steps.flatMap((step) => {
      const now = changed.get(step);
      return now === undefined ? [step] : now === null ? [] : [now];
    }),
  );
}

interface Match {
  readonly activation: Activation;
  /** The step of the slope, which goes. */
  readonly slope: Step;
  readonly gradient: Step;
}

function match(sums: Step, readers: Readers): Match | null {
  const { grad, statistics } = sums.inputs;
  const slope = grad && readers.makerOf(grad);
  const norm = statistics && readers.makerOf(statistics);
  const [normal] = norm?.outputs ?? [];
  if (!grad || !slope || norm?.op.name !== batchNormTrain.name || !normal) return null;
  const activation = slopeTaken(slope.op.name);
  const saved = slope.inputs["saved"];
  if (!activation || !saved) return null;
  const behind = readers.makerOf(saved);
  const ofNorm = saved.id === normal.id || (behind?.op.name === activation && behind.inputs["x"]?.id === normal.id);
  const [first, second, ...more] = readers.of(grad);
  const gradient = [first, second].find((step) => step?.op.name === batchNormTrainGrad.name);
  if (!ofNorm || !gradient || more.length > 0 || ![first, second].includes(sums)) return null;
  return { activation, slope, gradient };
}
