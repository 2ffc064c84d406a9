import { Session } from "node:inspector";

/** What of the source ran since the last question, as V8 counts it; blocks, each with how often in steps of two. */
export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();
  readonly #scripts: RegExp;

  /** Counts in scripts whose address matches `scripts`. Call `stop` at the end. */
  constructor(scripts: RegExp) {
    this.#scripts = scripts;
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** Blocks that ran since the last call and never before as often (once, twice, up to 4, 8, ... times). */
  news(): number {
    const before = this.#seen.size;
    this.#session.post("Profiler.takePreciseCoverage", (error, answer) => {
      if (error) throw error;
      const scripts = answer.result.filter(({ url }) => this.#scripts.test(url));
      for (const { url, functions } of scripts) {
        const ranges = functions.flatMap((one) => one.ranges).filter(({ count }) => count > 0);
        for (const { startOffset, endOffset, count } of ranges) {
          this.#seen.add(`${url} ${startOffset} ${endOffset} ${Math.ceil(Math.log2(count))}`);
        }
      }
    });
    return this.#seen.size - before;
  }

  get blocks(): number {
    return this.#seen.size;
  }

  stop(): void {
    this.#session.disconnect();
  }
}
