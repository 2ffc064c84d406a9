import { freshValue, type Graph, readsOf, type Step, withReads } from "../trace/graph.ts";
import type { AnyOp, Value } from "../trace/op.ts";
import { toHalf } from "./to-half.ts";

/** What a trace stores outside its own temporaries, beside inputs and state. */
export interface Held {
  /** Read after a run. */
  readonly keep: readonly Value[];
  /** Ids of tensors whose storage is a state tensor's. */
  readonly placed: Iterable<number>;
}

/**
 * Stores what passes between the steps of a network in half precision: 16 bits instead of 32, so that kernels move half the
 * bytes. They compute in f32 all the same, since a kernel's accessors convert. Ops say what may be stored so
 * (`Op.half`); f32 stay inputs, state, what is kept or placed, further outputs (statistics, places of maxima), sums over
 * many elements, and whatever only moves such numbers: the gradient of a sliced weight, the logits behind an enlargement.
 * Weights are read from copies in half precision.
 *
 * To be run on the final steps: a step in an epilogue has no storage to choose.
 */
export function halve(graph: Graph, held: Held): void {
  const full = fullTensors(graph, held);
  const steps = graph.steps.map((step) => retyped(graph, step, full));
  graph.replaceSteps(withHalfWeights(steps));
}

/** Ids of the tensors that stay f32; all others that steps make are halved. A view counts as the tensor it shows. */
function fullTensors(graph: Graph, { keep, placed }: Held): ReadonlySet<number> {
  const full = new Set<number>();
  const stays = (values: readonly (Value | undefined)[]) => {
    for (const value of values) if (value) full.add(graph.root(value.id));
  };
  stays([...graph.inputs.values(), ...graph.stored, ...keep]);
  for (const id of placed) full.add(graph.root(id));
  const steps = graph.steps.filter(({ op }) => op.name !== "view");
  for (const { op, inputs, outputs, epilogue } of steps) {
    const [first, ...further] = outputs;
    stays([...further, epilogue.scale, epilogue.bias]);
    if (op.half === undefined || op.half === "reads") stays([first]);
    if (op.half === undefined) stays([...Object.values<Value>(inputs), epilogue.residual, epilogue.saved]);
  }
  const movers = steps.filter(isMover);
  const isFull = (value: Value | undefined) => value !== undefined && full.has(graph.root(value.id));
  // What must come out whole goes in whole; only then, what went in whole comes out so: each looks one way along the trace.
  for (const step of movers.toReversed()) if (isFull(step.outputs[0])) stays(readsOf(step));
  for (const step of movers) if (readsOf(step).every(isFull)) stays(step.outputs);
  return full;
}

/** Moves or adds numbers, and no more than that behind it. */
const isMover = ({ op, epilogue: { activation, slope } }: Step): boolean =>
  op.half === "moves" && !activation && !slope;

/** A step with its tensors as they are stored. */
function retyped(graph: Graph, step: Step, full: ReadonlySet<number>): Step {
  const stored = (value: Value): Value =>
    value.dtype === "f32" && !full.has(graph.root(value.id)) ? { ...value, dtype: "f16" } : value;
  return { ...withReads(step, stored), outputs: step.outputs.map(stored) };
}

/** Puts a copy of each weight before the first step that multiplies by it, for all that do. */
function withHalfWeights(steps: readonly Step[]): Step[] {
  const copies = new Map<number, Value>();
  return steps.flatMap((step) => {
    const { weight } = step.inputs;
    if (step.op.cost.macs !== "weights" || weight?.dtype !== "f32") return [step];
    const known = copies.get(weight.id);
    const copy = known ?? freshValue(weight.shape, "f16");
    const reading: Step = { ...step, inputs: { ...step.inputs, weight: copy } };
    if (known) return [reading];
    copies.set(weight.id, copy);
    return [
      { ...step, op: toHalf as unknown as AnyOp, inputs: { x: weight }, attrs: {}, outputs: [copy], epilogue: {} },
      reading,
    ];
  });
}
