import { type Candidate, candidates } from "./candidates.ts";
import type { Flow } from "./flow.ts";
import { type Cuts, type Replay, replay } from "./replay.ts";

/** What repeated work may cost. */
export interface Allowance {
  /** Share of the step's time, by bytes moved and multiply-accumulates. */
  readonly time: number;
  /** Share of the step's multiply-accumulates. */
  readonly macs: number;
  /** Bytes of the smallest tensor that is worth a dispatch of its own. */
  readonly smallest: number;
}

type Spending = Pick<Replay, "price" | "macs">;

/** So many candidates are tried together: each try costs a replay. */
const MOST_AT_ONCE = 16;

/**
 * Lowers the peak of a flow for as long as the allowance lasts: of what is idle at the worst moment, that is let go
 * which frees the most for its price. What makes another moment worse than the worst, by what it repeats there, is taken
 * back. Returns the flow as it then runs.
 */
export function choose(flow: Flow, allowance: Allowance): Replay {
  const search = new Search(flow, allowance);
  while (search.step());
  return search.best;
}

class Search {
  readonly #flow: Flow;
  readonly #allowance: Allowance;
  /** Of the flow as it is. */
  readonly #whole: Spending;
  readonly #rejected = new Set<string>();
  #cuts: Cuts;
  #now: Replay;
  #atOnce = MOST_AT_ONCE;
  /** The lowest peak so far, by the fewest repetitions. */
  best: Replay;

  constructor(flow: Flow, allowance: Allowance) {
    this.#flow = flow;
    this.#allowance = allowance;
    this.#whole = {
      price: flow.steps.reduce((sum, { price }) => sum + price, 0),
      macs: flow.steps.reduce((sum, { macs }) => sum + macs, 0),
    };
    this.#cuts = flow.bytes.map(() => null);
    this.#now = replay(flow, this.#cuts);
    this.best = this.#now;
  }

  /** Takes some candidates, or rejects one; false where none is left. */
  step(): boolean {
    const all = candidates(this.#flow, this.#now, this.#cuts, this.#allowance.smallest);
    const found = all.filter((one) => !this.#rejected.has(nameOf(one)) && this.#affords(this.#now, one));
    const [first] = found;
    if (!first) return false;
    for (let count = Math.min(this.#atOnce, found.length); count > 0; count >>= 1) {
      if (this.#take(found.slice(0, count))) {
        this.#atOnce = Math.min(2 * count, MOST_AT_ONCE);
        return true;
      }
    }
    this.#atOnce = 1;
    this.#rejected.add(nameOf(first));
    return true;
  }

  #affords(now: Spending, more: Spending = { price: 0, macs: 0 }): boolean {
    const { time, macs } = this.#allowance;
    return (
      within(time, now.price + more.price, this.#whole.price) && within(macs, now.macs + more.macs, this.#whole.macs)
    );
  }

  #take(some: readonly Candidate[]): boolean {
    const cuts = withCuts(this.#cuts, some);
    const next = replay(this.#flow, cuts);
    if (next.peak > this.#now.peak || !this.#affords(next)) return false;
    [this.#cuts, this.#now] = [cuts, next];
    if (next.peak < this.best.peak) this.best = next;
    return true;
  }
}

/** Nothing is within any share, also of nothing. */
const within = (share: number, part: number, whole: number): boolean => part === 0 || part <= share * whole;

const nameOf = ({ tensor, cut }: Candidate): string => `${tensor} ${cut}`;

function withCuts(cuts: Cuts, more: readonly Candidate[]): Cuts {
  const joined = [...cuts];
  for (const { tensor, cut } of more) joined[tensor] = [...(joined[tensor] ?? []), cut].sort((a, b) => a - b);
  return joined;
}
