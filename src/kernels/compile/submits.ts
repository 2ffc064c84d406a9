import type { Device } from "../device/device.ts";
import { type Bound, MOST_TIMED, type Origin, type Timing, timePasses, timingsOf } from "./timestamps.ts";

/** Milliseconds for which a GPU may be busy with one thing. */
export interface Patience {
  /** A submit that takes longer is split. */
  readonly submit: number;
  /** A dispatch that takes longer is told of: it cannot be split here. */
  readonly dispatch: number;
}

/** Display drivers reset a GPU that is busy for two seconds, and show nothing meanwhile. */
export const DISPLAY_PATIENCE: Patience = { submit: 500, dispatch: 100 };
/** Nobody waits for a software driver. */
export const ENDLESS_PATIENCE: Patience = { submit: Number.POSITIVE_INFINITY, dispatch: Number.POSITIVE_INFINITY };

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

  /** Whether the next run is the last to be timed, which goes as those after it. */
  get isLast(): boolean {
    return this.isMeasuring && this.#measured === MEASURED_RUNS - 1;
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

/** Dispatches of the first of several submits: the GPU begins with it while the host encodes the others. */
const HEAD_START = 64;

/**
 * Ends of the submits of a run that need not be cut: each twice as long as the one before it, so that the GPU waits for
 * the host to encode {@link HEAD_START} dispatches and not for all, and submits stay few.
 */
export function headStart(dispatches: number): number[] {
  const ends: number[] = [];
  for (let end = HEAD_START; end < dispatches; end = 2 * end + HEAD_START) ends.push(end);
  return [...ends, dispatches];
}

/** Dispatches with where they come from, in the same order. */
interface Dispatches {
  readonly bound: readonly Bound[];
  readonly origins: readonly Origin[];
}

/**
 * The dispatches of a program on a device, submitted in as many parts as {@link Pace} finds right, or, where one would
 * do, so that the GPU begins early ({@link headStart}). Where the adapter has
 * timestamps, the first run times each dispatch, and the device is given notice of one that takes too long.
 */
export class Submits {
  readonly #device: Device;
  readonly #name: string;
  readonly #dispatches: Dispatches;
  readonly #costs: readonly number[];
  readonly #pace: Pace;
  readonly #patience: Patience;
  /** Ends of the submits, and for how many parts they were found: they change with the first runs only. */
  #cut: { readonly parts: number; readonly ends: readonly number[] } = { parts: 0, ends: [] };
  #isTimed = false;
  /** When the last clocked submit was done. */
  #doneAt = 0;

  /** `name` is the program's, for notices. */
  constructor(device: Device, name: string, dispatches: Dispatches, patience: Patience) {
    this.#device = device;
    this.#name = name;
    this.#dispatches = dispatches;
    const macs = dispatches.origins.map((origin) => origin.macs);
    const mean = macs.reduce((sum, count) => sum + count, 0) / Math.max(1, macs.length);
    this.#costs = macs.map((count) => count + mean + 1);
    this.#pace = new Pace(patience.submit);
    this.#patience = patience;
  }

  /** Submits in which the next run goes. */
  get count(): number {
    return this.#ends().length;
  }

  /** Submits a run, and before it `first` where there is any. */
  run(first: readonly Bound[]): void {
    const since = performance.now();
    if (first.length > 0) this.#submit(first, 0, first.length);
    const { isMeasuring, isLast } = this.#pace;
    const canTime = this.#device.gpu.features.has("timestamp-query");
    const timed = canTime && isMeasuring && !this.#isTimed;
    let from = 0;
    for (const end of this.#ends()) {
      if (timed) this.#submitTimed(from, end);
      else this.#submit(this.#dispatches.bound, from, end);
      if (isLast && !canTime) this.#clock(from, end);
      from = end;
    }
    this.#isTimed ||= timed;
    if (!isMeasuring) return;
    const done = () => this.#pace.measured(performance.now() - since);
    this.#device.gpu.queue.onSubmittedWorkDone().then(done, () => undefined); // a lost device reports itself
  }

  #ends(): readonly number[] {
    const { parts } = this.#pace;
    if (this.#cut.parts !== parts) {
      const ends = parts === 1 ? headStart(this.#dispatches.bound.length) : cutEvenly(this.#costs, parts);
      this.#cut = { parts, ends };
    }
    return this.#cut.ends;
  }

  /** Milliseconds of the host for a run in one piece, its encoding and its submit: nothing runs while it is encoded. */
  hostTime(): { readonly encode: number; readonly submit: number } {
    const { bound } = this.#dispatches;
    const start = performance.now();
    const commands = this.#encode(bound, 0, bound.length);
    const encoded = performance.now();
    this.#device.gpu.queue.submit([commands]);
    return { encode: encoded - start, submit: performance.now() - encoded };
  }

  #submit(bound: readonly Bound[], from: number, to: number): void {
    this.#device.gpu.queue.submit([this.#encode(bound, from, to)]);
  }

  /** Of a pipeline that is set already nothing is said: each call into Dawn takes the host half a microsecond or more. */
  #encode(bound: readonly Bound[], from: number, to: number): GPUCommandBuffer {
    const encoder = this.#device.gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    let set: GPUComputePipeline | undefined;
    for (let i = from; i < to; i++) {
      const dispatch = bound[i];
      if (dispatch === undefined) break;
      const { pipeline, group, workgroups } = dispatch;
      if (pipeline !== set) pass.setPipeline(pipeline);
      set = pipeline;
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...workgroups);
    }
    pass.end();
    return encoder.finish();
  }

  /** As {@link #submit}, each dispatch timed. */
  #submitTimed(from: number, to: number): void {
    const { bound, origins } = this.#dispatches;
    for (let start = from; start < to; start += MOST_TIMED) {
      const end = Math.min(to, start + MOST_TIMED);
      timePasses(this.#device, bound.slice(start, end)).then(
        (ticks) => this.#judge(timingsOf(ticks, origins.slice(start, end))),
        () => undefined, // a lost device reports itself
      );
    }
  }

  /** Where dispatches cannot be timed, the submit just made is: from the end of the one before it, or from now. */
  #clock(from: number, to: number): void {
    const since = performance.now();
    const done = () => {
      const now = performance.now();
      const took = now - Math.max(since, this.#doneAt);
      this.#doneAt = now;
      const [largest] = this.#dispatches.origins.slice(from, to).sort((a, b) => b.macs - a.macs);
      if (largest && took > this.#patience.submit) this.#tell(largest, `most of a submit of ${took.toFixed(0)} ms`);
    };
    this.#device.gpu.queue.onSubmittedWorkDone().then(done, () => undefined); // a lost device reports itself
  }

  #judge(timings: readonly Timing[]): void {
    const [slowest] = [...timings].sort((a, b) => b.milliseconds - a.milliseconds);
    if (slowest === undefined || slowest.milliseconds <= this.#patience.dispatch) return;
    this.#tell(slowest, `${slowest.milliseconds.toFixed(0)} ms in one dispatch`);
  }

  #tell({ label, path }: Origin, what: string): void {
    this.#device.notice(
      "watchdog",
      `${this.#name}: ${path === "" ? label : `${label} in ${path}`} took ${what}; a display driver may reset a GPU that is busy ` +
        "for long: use a smaller --batch-size or --size, or a GPU without a display",
    );
  }
}
