import type { Target } from "../target.ts";
import type { Graph } from "../trace/graph.ts";
import type { Value } from "../trace/op.ts";
import type { PlacedDispatch } from "./lower.ts";
import { type Plan, plan } from "./plan.ts";
import { type Settled, settle } from "./settle.ts";

/** The dispatches of a program in their order, and where their temporaries lie. */
export interface RunPlan {
  readonly settled: Settled;
  readonly plan: Plan;
}

/** What of a program's options its plan depends on. */
interface Ends {
  /** Tensors read after a run. */
  readonly keep?: readonly Value[];
  /** Tensors whose storage is a state tensor's, by value id. */
  readonly placed?: ReadonlyMap<number, string>;
}

/** Plans the runs of a lowered trace, without a device. */
export function runPlan(
  graph: Graph,
  lowered: readonly PlacedDispatch[],
  { keep = [], placed = new Map() }: Ends,
  target: Target,
): RunPlan {
  const rootsOf = (ids: readonly number[]) => ids.map((id) => graph.root(id));
  const state = new Set(rootsOf([...graph.stored.map(({ id }) => id), ...placed.keys()]));
  const inputs = new Set(rootsOf([...graph.inputs.values()].map(({ id }) => id)));
  const settled = settle(lowered, state, inputs);
  const kept = new Set([...rootsOf(keep.map(({ id }) => id)), ...settled.kept]);
  return { settled, plan: plan(settled.dispatches, new Set([...state, ...inputs]), kept, target) };
}
