import { defaultWorkers, ThreadPool, threadProgram } from "../thread-pool.ts";
import { type PreparedSample, prepareSample, type SampleTask } from "./sample.ts";

/** Threads that prepare samples. Who prepares what cannot matter: a sample depends on its task alone. */
export class SamplePool {
  readonly #threads: ThreadPool<SampleTask, PreparedSample>;

  /** `workers` threads; 0 = samples are prepared in this thread. `entry` is the thread's program. */
  constructor(workers: number = defaultWorkers(), entry: URL = threadProgram(import.meta.url, "sample-worker")) {
    this.#threads = new ThreadPool({ here: prepareSample, entry, fileOf: ({ image }) => image }, workers);
  }

  /** One prepared sample. Rejects with DataError naming the file; never stays open when a thread dies. */
  prepare(task: SampleTask): Promise<PreparedSample> {
    return this.#threads.run(task);
  }

  /** Ends the threads; what was not answered yet is rejected. */
  close(): Promise<void> {
    return this.#threads.close();
  }
}
