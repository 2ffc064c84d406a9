import type { Flow, Work } from "./flow.ts";

/**
 * Where tensors are let go, to be made again when they are next read: of each tensor the positions, ascending, from which
 * on what was made before is no longer read; null where there is none.
 */
export type Cuts = readonly (readonly number[] | null)[];

/** One step as it runs. */
export interface Run {
  /** The position in the flow it runs at: its own, or that of the first reader of what it repeats. */
  readonly at: number;
  readonly work: Work;
  readonly again: boolean;
  /** Copies by number, in the order of the work's `reads` and `writes`. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
}

/** One making of a tensor. */
export interface Copy {
  readonly tensor: number;
  /** How many of the tensor's cuts it was made behind. */
  readonly age: number;
  /** Its first and last run; -1 while there is none. */
  first: number;
  last: number;
}

/** A flow as it runs with some of its tensors made again. */
export interface Replay {
  readonly runs: readonly Run[];
  /** The first as many as there are tensors are the originals, by their tensor's number. */
  readonly copies: readonly Copy[];
  /** Bytes of the temporaries at the worst run, and that run. */
  readonly peak: number;
  readonly worst: number;
  /** What the repeated steps add. */
  readonly price: number;
  readonly macs: number;
}

/**
 * Runs a flow on numbers alone. A tensor is made again at the first read behind a cut, with whatever of its inputs has
 * been let go by then, and the readers that follow share the copy: so a chain is repeated once.
 */
export function replay(flow: Flow, cuts: Cuts): Replay {
  const replayer = new Replayer(flow, cuts);
  for (const [at, step] of flow.steps.entries()) replayer.run(at, step, false);
  return replayer.done();
}

class Replayer {
  readonly #flow: Flow;
  readonly #cuts: Cuts;
  readonly #runs: Run[] = [];
  readonly #copies: Copy[];
  /** The latest copy of each tensor. */
  readonly #latest: number[];
  #price = 0;
  #macs = 0;

  constructor(flow: Flow, cuts: Cuts) {
    this.#flow = flow;
    this.#cuts = cuts;
    this.#copies = flow.bytes.map((_, tensor) => ({ tensor, age: 0, first: -1, last: -1 }));
    this.#latest = flow.bytes.map((_, tensor) => tensor);
  }

  run(at: number, work: Work, again: boolean): void {
    const reads = work.reads.map((tensor) => this.#read(tensor, at));
    const writes = again ? work.writes.map((tensor) => this.#fresh(tensor, at)) : work.writes;
    for (const copy of reads) this.#touch(copy);
    for (const copy of writes) this.#touch(copy);
    this.#runs.push({ at, work, again, reads, writes });
  }

  #read(tensor: number, at: number): number {
    const copy = this.#copies[this.#latest[tensor] ?? -1];
    if (copy && copy.age < cutsBefore(this.#cuts, tensor, at)) this.#repeat(tensor, at);
    return this.#latest[tensor] ?? tensor;
  }

  #repeat(tensor: number, at: number): void {
    const again = this.#flow.again[tensor];
    if (!again) throw new Error("a tensor was let go that no step can make again");
    this.run(at, again, true);
    this.#price += again.price;
    this.#macs += again.macs;
  }

  /** Readers of a further output take the fresh one too; what is stored or kept stays the one that was made first. */
  #fresh(tensor: number, at: number): number {
    const age = cutsBefore(this.#cuts, tensor, at);
    const copy = this.#copies.push({ tensor, age, first: -1, last: -1 }) - 1;
    if (!this.#flow.outside.has(tensor) && !this.#flow.kept.has(tensor)) this.#latest[tensor] = copy;
    return copy;
  }

  #touch(copy: number): void {
    const touched = this.#copies[copy];
    if (!touched) return;
    if (touched.first < 0) touched.first = this.#runs.length;
    touched.last = this.#runs.length;
  }

  done(): Replay {
    const { bytes, outside, kept } = this.#flow;
    for (const tensor of kept) {
      const copy = this.#copies[tensor];
      if (copy) copy.last = this.#runs.length;
    }
    const changes = new Float64Array(this.#runs.length + 2);
    for (const [number, { tensor, first, last }] of this.#copies.entries()) {
      if (first < 0 || (number === tensor && outside.has(tensor))) continue;
      changes[first] = (changes[first] ?? 0) + (bytes[tensor] ?? 0);
      changes[last + 1] = (changes[last + 1] ?? 0) - (bytes[tensor] ?? 0);
    }
    return { runs: this.#runs, copies: this.#copies, ...highest(changes), price: this.#price, macs: this.#macs };
  }
}

/** How many of a tensor's cuts lie at or before a position. */
export function cutsBefore(cuts: Cuts, tensor: number, at: number): number {
  const positions = cuts[tensor];
  let count = 0;
  if (positions) for (const position of positions) if (position <= at) count++;
  return count;
}

function highest(changes: Float64Array): { readonly peak: number; readonly worst: number } {
  let [now, peak, worst] = [0, 0, 0];
  for (const [at, change] of changes.entries()) {
    now += change;
    if (now > peak) [peak, worst] = [now, at];
  }
  return { peak, worst };
}
