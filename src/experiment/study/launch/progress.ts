import { lastMetrics, type MetricsRow } from "../../run/metrics-log.ts";
import { runPaths } from "../../run/run-folder.ts";
import type { StudyRun } from "../plan.ts";
import { timetableOf } from "../train-here.ts";

/** A run as a table of runs shows it. */
export interface RunRow {
  readonly name: string;
  /** What is done with it, in a few words: `waiting`, `running`, `finished`, a state of the cluster. */
  readonly state: string;
  /** The last update in its log, 0 before the first, and how many it is to have. */
  readonly step: number;
  readonly steps: number;
  /** The loss of that update; null before the first and where it was not finite. */
  readonly loss: number | null;
  /** Seconds to the last update at the pace since it was first seen; null where that is not known yet. */
  readonly secondsLeft: number | null;
}

/** Takes the rows of a study while its runs are carried out elsewhere. */
export interface RunsDisplay {
  /** The rows of all runs, in the order of the study; called about once a second. */
  show(rows: readonly RunRow[]): void;
  stop(): void;
}

/** How far a run is, by its log in the run folder: whoever writes it, here or on another machine, need not be asked. */
export class RunProgress {
  readonly #metrics: string;
  readonly #name: string;
  readonly #steps: number;
  /** Where the run was, and when, as it was first seen at work. */
  #first: { readonly step: number; readonly time: number } | null = null;

  constructor(run: StudyRun) {
    this.#metrics = runPaths(run.config.out).metrics;
    this.#name = run.name;
    this.#steps = timetableOf(run).duration.steps;
  }

  /** Forgets the pace: the run waits, or starts again. */
  rest(): void {
    this.#first = null;
  }

  /** The row of the run in `state`. */
  row(state: string): RunRow {
    const last = lastMetrics(this.#metrics, "train");
    const rest = { name: this.#name, state, steps: this.#steps };
    if (last === undefined) return { ...rest, step: 0, loss: null, secondsLeft: null };
    const { step, loss } = last;
    return { ...rest, step, loss: typeof loss === "number" ? loss : null, secondsLeft: this.#secondsLeft(last) };
  }

  #secondsLeft({ step, time }: MetricsRow): number | null {
    const now = Date.parse(String(time));
    // A resumed run makes the last steps of its log again.
    if (this.#first === null || step < this.#first.step) this.#first = { step, time: now };
    const { step: from, time: began } = this.#first;
    return step <= from ? null : ((now - began) / 1000 / (step - from)) * Math.max(0, this.#steps - step);
  }
}
