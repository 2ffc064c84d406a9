import type { Device } from "../device/device.ts";
import type { Bound } from "./timestamps.ts";

/** Milliseconds of GPU work in one submit from which it is split: display drivers reset a GPU that is busy for two seconds. */
export const LONGEST_SUBMIT = 500;

/** Submits of a first run, whose time nobody knows yet. */
const FIRST_PARTS = 8;
/** Runs that are measured; the first ones include what the driver does once. */
const MEASURED_RUNS = 3;

/** Into how many submits a program's run is split: decided by its first runs, for the adapter it runs on. */
export class Pace {
  readonly #longest: number;
  #parts: number;
  #measured = 0;

  /** `longest` milliseconds a submit may take; infinite where no watchdog looks (a software driver). */
  constructor(longest: number) {
    this.#longest = longest;
    this.#parts = Number.isFinite(longest) ? FIRST_PARTS : 1;
  }

  get parts(): number {
    return this.#parts;
  }

  /** Whether the next run is to be timed. */
  get isMeasuring(): boolean {
    return Number.isFinite(this.#longest) && this.#measured < MEASURED_RUNS;
  }

  /** Takes the milliseconds of a whole run. Half of what is allowed is aimed at, since parts are not equally long. */
  measured(milliseconds: number): void {
    this.#measured++;
    this.#parts = milliseconds <= this.#longest ? 1 : Math.ceil(milliseconds / (this.#longest / 2));
  }
}

/** Cuts `costs` into at most `parts` runs of neighbours of about the same sum: ends of the pieces, the last one all. */
export function cutEvenly(costs: readonly number[], parts: number): number[] {
  const total = costs.reduce((sum, cost) => sum + cost, 0);
  const ends: number[] = [];
  let sum = 0;
  for (const [i, cost] of costs.entries()) {
    sum += cost;
    if (i === costs.length - 1 || sum >= (total * (ends.length + 1)) / parts) ends.push(i + 1);
  }
  return ends;
}

/** The dispatches of a program on a device, submitted in as many parts as {@link Pace} finds right. */
export class Submits {
  readonly #device: Device;
  readonly #bound: readonly Bound[];
  readonly #costs: readonly number[];
  readonly #pace: Pace;

  /** `macs` are the multiply-accumulates of each dispatch. */
  constructor(device: Device, bound: readonly Bound[], macs: readonly number[], longest: number) {
    this.#device = device;
    this.#bound = bound;
    const mean = macs.reduce((sum, count) => sum + count, 0) / Math.max(1, macs.length);
    this.#costs = macs.map((count) => count + mean + 1);
    this.#pace = new Pace(longest);
  }

  /** Submits in which the next run goes. */
  get count(): number {
    return this.#ends().length;
  }

  /** Submits a run, and before it `first` where there is any. */
  run(first: readonly Bound[]): void {
    const since = performance.now();
    if (first.length > 0) this.#submit(first);
    let from = 0;
    for (const end of this.#ends()) {
      this.#submit(this.#bound.slice(from, end));
      from = end;
    }
    if (!this.#pace.isMeasuring) return;
    const done = () => this.#pace.measured(performance.now() - since);
    this.#device.gpu.queue.onSubmittedWorkDone().then(done, () => undefined); // a lost device reports itself
  }

  #ends(): readonly number[] {
    const { parts } = this.#pace;
    return parts === 1 ? [this.#bound.length] : cutEvenly(this.#costs, parts);
  }

  #submit(part: readonly Bound[]): void {
    const encoder = this.#device.gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const { pipeline, group, workgroups } of part) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...workgroups);
    }
    pass.end();
    this.#device.gpu.queue.submit([encoder.finish()]);
  }
}
