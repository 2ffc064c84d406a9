import { conv2d, conv2dStatistics } from "../ops/contraction/conv.ts";
import { batchNormBy, batchNormTrain } from "../ops/norm/batch-norm.ts";
import { bindingCount } from "../shader/shader.ts";
import type { Target } from "../target.ts";
import { type Graph, readsOf, type Step } from "../trace/graph.ts";
import type { AnyOp, Binding } from "../trace/op.ts";

/**
 * Lets a convolution make the statistics of the batch norm behind it: on a GPU its tiles hold in registers what would else
 * be read again as soon as it is written. Where a target's kernel cannot tell them it reads them off, as the norm did. Runs after
 * differentiation and `fuse`, since what is in the convolution's epilogue is normalised, too. Not where that is more than a
 * kernel may bind: part of it then becomes a dispatch behind the convolution, which would tell what is not normalised.
 */
export function gatherStatistics(graph: Graph, target: Target): void {
  const makers = new Map(
    graph.steps.flatMap((step) => (step.op.name === conv2d.name ? [[made(step), step] as const] : [])),
  );
  const changed = new Map<Step, Step>();
  for (const norm of graph.steps) {
    const { x } = norm.inputs;
    const convolution = norm.op.name === batchNormTrain.name && x ? makers.get(x.id) : undefined;
    const [out, statistics] = norm.outputs;
    if (!convolution || !out || !statistics || changed.has(convolution) || !fits(convolution, target)) continue;
    const outputs = [...convolution.outputs, statistics];
    changed.set(convolution, { ...convolution, op: conv2dStatistics as unknown as AnyOp, outputs });
    const inputs = { ...norm.inputs, statistics };
    changed.set(norm, { ...norm, op: batchNormBy as unknown as AnyOp, inputs, outputs: [out] });
  }
  graph.replaceSteps(graph.steps.map((step) => changed.get(step) ?? step));
}

const made = ({ outputs }: Step): number | undefined => outputs[0]?.id;

function fits(step: Step, target: Target): boolean {
  const bindings = [...readsOf(step), ...step.outputs].map((value): Binding => ({ value, access: "read" }));
  return bindingCount(bindings, target) <= target.storageBuffers;
}
