import { add } from "../kernels/ops/arithmetic.ts";
import { type Graph, type Step, shapesOf } from "../kernels/trace/graph.ts";
import type { Derivative, Value } from "../kernels/trace/op.ts";

/**
 * Appends the backward steps of `output` to the trace and returns the gradients of the `wanted` tensors by id, given
 * `seed`, the gradient of the loss with respect to `output`. Tensors that `output` does not depend on are absent.
 * Only the gradients on a path from `wanted` to `output` are computed: none for the image or for labels.
 */
export function differentiate(graph: Graph, output: Value, seed: Value, wanted: readonly Value[]): Map<number, Value> {
  const forward = [...graph.steps];
  const tracked = dependents(forward, wanted);
  const grads = new Map<number, Value>([[output.id, seed]]);
  for (const step of forward.toReversed()) {
    const [out] = step.outputs;
    const grad = out && tracked.has(out.id) ? grads.get(out.id) : undefined;
    if (out && grad) graph.scope(`${step.path}'`, () => backward(graph, step, grad, tracked, grads));
  }
  return grads;
}

/** Ids of all tensors computed from `sources`, themselves included. */
function dependents(steps: readonly Step[], sources: readonly Value[]): ReadonlySet<number> {
  const tracked = new Set(sources.map((v) => v.id));
  for (const step of steps) {
    const [out] = step.outputs;
    if (out && Object.values(step.inputs).some((v) => tracked.has(v.id))) tracked.add(out.id);
  }
  return tracked;
}

function backward(
  graph: Graph,
  step: Step,
  grad: Value,
  tracked: ReadonlySet<number>,
  grads: Map<number, Value>,
): void {
  const { op, inputs, outputs } = step;
  const derivative = op.derivative as Derivative<string, unknown, string> | string;
  if (typeof derivative === "string") throw new Error(`${op.name} in ${step.path} has no derivative: ${derivative}`);
  const available: Record<string, Value | undefined> = { ...inputs, out: outputs[0] };
  for (const [i, extra] of outputs.slice(1).entries()) available[`extra${i}`] = extra;
  const saved: Record<string, Value> = {};
  for (const name of derivative.saves) {
    const value = available[name];
    if (value) saved[name] = value;
  }
  const thunks = derivative.backward(grad, saved, {
    shapes: shapesOf(inputs),
    out: outputs[0]?.shape ?? [],
    attrs: step.attrs,
    exec: graph,
  });
  for (const [name, input] of Object.entries(inputs)) {
    const thunk = thunks[name];
    if (!thunk || !tracked.has(input.id)) continue;
    const part = thunk();
    const sofar = grads.get(input.id);
    grads.set(input.id, sofar ? graph.apply(add, { x: sofar, y: part }, {}) : part);
  }
}
