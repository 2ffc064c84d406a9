import { byteSize } from "../shader/shader.ts";
import type { PlacedDispatch } from "./lower.ts";

/** What a run computes from state alone, apart from the rest. */
export interface Settled {
  /** Those that are done once for a state, in front, then those of every run. */
  readonly dispatches: readonly PlacedDispatch[];
  /** How many are done once. */
  readonly once: number;
  /** Tensors made once that every run reads. */
  readonly kept: ReadonlySet<number>;
  /** Whether a run changes what is stored. Then nothing is done once. */
  readonly writes: boolean;
}

/** Results larger than this are made anew by every run, unless their op wants otherwise: kept ones share memory with nothing. */
const LARGEST = 2 ** 18;

/**
 * Finds the dispatches whose results change only when the state does, such as a batch norm folded to a factor and a
 * shift per channel. A run that writes state has none. `state` and `inputs` are ids of stored tensors and of inputs.
 */
export function settle(
  dispatches: readonly PlacedDispatch[],
  state: ReadonlySet<number>,
  inputs: ReadonlySet<number>,
): Settled {
  if (writesState(dispatches, state)) return { dispatches, once: 0, kept: new Set(), writes: true };
  const moving = movingTensors(dispatches, inputs);
  const isOnce = ({ bindings }: PlacedDispatch) => bindings.every(({ value }) => !moving.has(value.id));
  const once = dispatches.filter(isOnce);
  const every = dispatches.filter((dispatch) => !isOnce(dispatch));
  const read = new Set(every.flatMap(({ bindings }) => bindings.map(({ value }) => value.id)));
  const made = once.flatMap(({ bindings }) => bindings.map(({ value }) => value.id));
  const kept = new Set(made.filter((id) => !state.has(id) && read.has(id)));
  return { dispatches: [...once, ...every], once: once.length, kept, writes: false };
}

/** Tensors that differ from run to run, with all that is made of them: whoever writes a part of one moves as well. */
function movingTensors(dispatches: readonly PlacedDispatch[], inputs: ReadonlySet<number>): ReadonlySet<number> {
  const moving = new Set(inputs);
  let known = -1;
  while (moving.size > known) {
    known = moving.size;
    for (const { bindings, settles } of dispatches) {
      const written = bindings.filter(({ access }) => access !== "read");
      const moves = bindings.some(({ value }) => moving.has(value.id));
      if (!moves && (settles === "always" || written.every(({ value }) => byteSize(value) <= LARGEST))) continue;
      for (const { value } of written) moving.add(value.id);
    }
  }
  return moving;
}

function writesState(dispatches: readonly PlacedDispatch[], state: ReadonlySet<number>): boolean {
  return dispatches.some(({ bindings }) =>
    bindings.some(({ access, value }) => access !== "read" && state.has(value.id)),
  );
}
