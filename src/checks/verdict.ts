import type { Shape } from "../kernels/trace/shape.ts";
import { at, type Elements, everywhere, type Numbers } from "./tensor.ts";

/** Collects what is wrong with numbers that should be others. */
export class Verdict {
  values = 0;
  worst = 0;
  readonly problems: string[] = [];
  readonly #tolerance: number;

  constructor(tolerance: number) {
    this.#tolerance = tolerance;
  }

  problem(text: string): void {
    this.problems.push(text);
    this.worst = Number.POSITIVE_INFINITY;
  }

  /** Compares a whole tensor with its definition. */
  tensor(
    name: string,
    got: { readonly shape: Shape; readonly data: Numbers },
    exact: Elements,
    exactly: boolean,
  ): void {
    if (got.shape.join() !== exact.shape.join()) {
      this.problem(`${name} is [${got.shape}], not [${exact.shape}]`);
      return;
    }
    const places = [...everywhere(exact.shape)];
    this.samples(name, got.data, places, places.map(exact.at), exactly);
  }

  /** Compares some elements. Differences count against the largest number, or against 1. */
  samples(name: string, got: Numbers, places: readonly number[], exact: readonly number[], exactly = false): void {
    const finite = exact.filter(Number.isFinite).map(Math.abs);
    const allowed = exactly ? 0 : this.#tolerance * finite.reduce((a, b) => Math.max(a, b), 1);
    let [worst, where] = [0, -1];
    for (const [i, index] of places.entries()) {
      const ratio = distance(at(got, index), at(exact, i), allowed);
      if (ratio > worst) [worst, where] = [ratio, i];
    }
    this.values += places.length;
    this.worst = Math.max(this.worst, worst);
    if (worst <= 1) return;
    const index = places[where] ?? 0;
    this.problems.push(`${name}[${index}] is ${at(got, index)}, not ${at(exact, where)} (allowed ${allowed})`);
  }
}

/** A difference in units of what is allowed. Equal infinities are equal; a number that is none is infinitely far. */
function distance(got: number, exact: number, allowed: number): number {
  if (Object.is(got, exact) || got === exact) return 0;
  const difference = Math.abs(got - exact) / allowed;
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}
