import { readsOf, type Step } from "../trace/graph.ts";
import type { Value } from "../trace/op.ts";

/** Who makes and who reads each tensor of a trace. */
export class Readers {
  readonly #makers = new Map<number, Step>();
  readonly #readers = new Map<number, (Step | null)[]>();

  /** `keep` are read after the run. */
  constructor(steps: readonly Step[], keep: readonly Value[]) {
    for (const step of steps) {
      for (const { id } of step.outputs) this.#makers.set(id, step);
      for (const value of readsOf(step)) this.#add(value, step);
    }
    for (const value of keep) this.#add(value, null);
  }

  #add({ id }: Value, by: Step | null): void {
    const known = this.#readers.get(id);
    if (known) known.push(by);
    else this.#readers.set(id, [by]);
  }

  makerOf({ id }: Value): Step | undefined {
    return this.#makers.get(id);
  }

  /** Each time that a tensor is read, in order; null for who reads it after the run. */
  of({ id }: Value): readonly (Step | null)[] {
    return this.#readers.get(id) ?? [];
  }
}
