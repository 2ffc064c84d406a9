import type { Flow, Work } from "./flow.ts";
import { type Copy, type Cuts, cutsBefore, type Replay } from "./replay.ts";

/** A tensor that is idle at the worst moment and could be made again when it is next read. */
export interface Candidate {
  readonly tensor: number;
  /** The cut that lets go of it. */
  readonly cut: number;
  /** Bytes that the worst moment loses for each byte of the price. */
  readonly worth: number;
  /** What repeating it would cost, with what has to be repeated for it. */
  readonly price: number;
  readonly macs: number;
}

/** What could be let go at the worst moment of a replay by these cuts, the most worthwhile first. */
export function candidates(flow: Flow, now: Replay, cuts: Cuts, smallest: number): Candidate[] {
  return new Moment(flow, now, cuts).candidates(smallest);
}

/** The worst run of a replay, and what is idle meanwhile. */
class Moment {
  readonly #flow: Flow;
  readonly #now: Replay;
  readonly #cuts: Cuts;
  /** Of each tensor, in the order they are made. */
  readonly #copiesOf: Copy[][];

  constructor(flow: Flow, now: Replay, cuts: Cuts) {
    this.#flow = flow;
    this.#now = now;
    this.#cuts = cuts;
    this.#copiesOf = flow.bytes.map(() => []);
    for (const copy of now.copies) this.#copiesOf[copy.tensor]?.push(copy);
  }

  candidates(smallest: number): Candidate[] {
    const { before, after } = neighbours(this.#now);
    return this.#now.copies
      .flatMap(({ tensor, last }, copy): Candidate[] => {
        const [previous = -1, next = -1] = [before[copy], after[copy]];
        const bytes = this.#flow.bytes[tensor] ?? 0;
        const work = this.#repetition(tensor);
        if (!work || bytes < smallest || !this.#idle(previous, next) || this.#at(last) >= this.#flow.until) return [];
        const { price, macs, held } = this.#chain(work, next);
        const cut = this.#at(previous) + 1;
        return bytes > held ? [{ tensor, cut, worth: (bytes - held) / price, price, macs }] : [];
      })
      .sort((a, b) => b.worth - a.worth || a.tensor - b.tensor);
  }

  /** Whether the worst run lies between two uses, which do not belong to one step of the flow. */
  #idle(previous: number, next: number): boolean {
    return previous >= 0 && previous < this.#now.worst && next >= 0 && this.#at(previous) < this.#at(next);
  }

  #at(run: number): number {
    return this.#now.runs[run]?.at ?? this.#flow.steps.length;
  }

  /** What makes a temporary again; null where nothing does or it is needed after the run. */
  #repetition(tensor: number): Work | null {
    const { again, outside, kept } = this.#flow;
    return outside.has(tensor) || kept.has(tensor) ? null : (again[tensor] ?? null);
  }

  /**
   * What work at a run costs, with the inputs which would have to be made again for it, and the bytes of those which would
   * have to be held for it over the worst moment.
   */
  #chain(work: Work, run: number): { readonly price: number; readonly macs: number; readonly held: number } {
    let { price, macs } = work;
    let held = 0;
    const seen = new Set<number>();
    const open = [...work.reads];
    for (let tensor = open.pop(); tensor !== undefined; tensor = open.pop()) {
      const missing = seen.has(tensor) ? null : this.#missing(tensor, run);
      seen.add(tensor);
      if (missing === "held") held += this.#flow.bytes[tensor] ?? 0;
      if (missing === "again" || missing === "sooner") {
        const again = this.#repetition(tensor);
        if (missing === "again") {
          price += again?.price ?? 0;
          macs += again?.macs ?? 0;
        }
        open.push(...(again?.reads ?? []));
      }
    }
    return { price, macs, held };
  }

  /**
   * How a tensor that a run is to read comes to be there: null, it is; `again`, made for it; `sooner`, made anyway, only
   * later so far; `held`, over the worst moment.
   */
  #missing(tensor: number, run: number): "again" | "sooner" | "held" | null {
    if (this.#flow.outside.has(tensor)) return null;
    const copies = this.#copiesOf[tensor] ?? [];
    const made = copies.findLast(({ first }) => first >= 0 && first < run);
    if (!made || made.last >= run) return null;
    if (cutsBefore(this.#cuts, tensor, this.#at(run)) > made.age) {
      return copies.some(({ first }) => first > run) ? "sooner" : "again";
    }
    return made.last < this.#now.worst ? "held" : null;
  }
}

/** The runs next to the worst one that use each copy; the worst one itself counts as before. */
function neighbours({ runs, worst, copies }: Replay) {
  const before = new Int32Array(copies.length).fill(-1);
  const after = new Int32Array(copies.length).fill(-1);
  for (const [run, { reads, writes }] of runs.entries()) {
    for (const copy of [...reads, ...writes]) {
      if (run <= worst) before[copy] = run;
      else if (after[copy] === -1) after[copy] = run;
    }
  }
  return { before, after };
}
