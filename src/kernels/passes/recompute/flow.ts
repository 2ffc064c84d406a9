import { byteSize } from "../../shader/shader.ts";
import { type Graph, readsOf, type Step, shapesOf } from "../../trace/graph.ts";
import type { Value } from "../../trace/op.ts";

/** A step's work on tensors by their number in a {@link Flow}; what it reads is in the order of `readsOf`. */
export interface Work {
  readonly step: Step;
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  /** Its time, in bytes that a GPU moves meanwhile. */
  readonly price: number;
  readonly macs: number;
}

/** A trace with its views looked through, as numbers: made once, replayed for every choice that is weighed. */
export interface Flow {
  readonly steps: readonly Work[];
  /** Bytes of each tensor. */
  readonly bytes: readonly number[];
  /** What makes each tensor again; null where nothing can. */
  readonly again: readonly (Work | null)[];
  /** Tensors whose storage is not of the run: no memory is counted for them. */
  readonly outside: ReadonlySet<number>;
  /** Tensors that are read after the run. */
  readonly kept: ReadonlySet<number>;
  /** The first step that changes what is stored: from there on nothing may be repeated. */
  readonly until: number;
}

/** What a GPU multiplies while it moves a byte: half of 40 TMAC/s, beside 1 TB/s. */
const MACS_A_BYTE = 20;
/** What a GPU moves while it waits for one dispatch and starts the next: eight microseconds. */
const BYTES_A_DISPATCH = 8 * 2 ** 20;

/** `keep` is read after the run; `placed` are ids of tensors that are stored elsewhere. */
export function flowOf(graph: Graph, keep: readonly Value[], placed: Iterable<number>): Flow {
  const numbers = new Map<number, number>();
  const bytes: number[] = [];
  const numberOf = (value: Value): number => {
    const root = graph.root(value.id);
    const known = numbers.get(root);
    if (known !== undefined) return known;
    numbers.set(root, bytes.length);
    return bytes.push(byteSize(value)) - 1;
  };
  const workOf = (step: Step): Work => {
    const [reads, writes] = [readsOf(step).map(numberOf), step.outputs.map(numberOf)];
    const macs = step.op.macs(shapesOf(step.inputs), step.outputs[0]?.shape ?? [], step.attrs);
    const moved = [...reads, ...writes].reduce((sum, tensor) => sum + (bytes[tensor] ?? 0), 0);
    return { step, reads, writes, price: moved + macs / MACS_A_BYTE + BYTES_A_DISPATCH, macs };
  };
  const given = graph.steps.filter(({ op }) => op.name !== "view");
  const steps = given.map(workOf);
  const again: (Work | null)[] = bytes.map(() => null);
  for (const step of given) {
    const work = step.op.updates ? null : workOf(repetitionOf(step));
    for (const tensor of work?.writes ?? []) again[tensor] = work;
  }
  const numbered = (ids: Iterable<number>) => new Set([...ids].flatMap((id) => numbers.get(graph.root(id)) ?? []));
  const stored = [...graph.inputs.values(), ...graph.stored].map(({ id }) => id);
  const update = given.findIndex(({ op }) => op.updates);
  return {
    steps,
    bytes,
    again,
    outside: numbered([...stored, ...placed]),
    kept: numbered(keep.map(({ id }) => id)),
    until: update < 0 ? steps.length : update,
  };
}

/** The step that makes a step's results again, or the first of them, from what the first time left. */
function repetitionOf(step: Step): Step {
  const { op, inputs, outputs, attrs } = step;
  if (!op.again) return step;
  return { ...step, ...op.again({ inputs, extra: outputs.slice(1), attrs }), outputs: outputs.slice(0, 1) };
}
