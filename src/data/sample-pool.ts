/** Threads that prepare samples. Who prepares what cannot matter: a sample depends on its task alone. */
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { DataError } from "../errors.ts";
import { type PreparedSample, prepareSample, type SampleTask } from "./sample.ts";
import type { WorkerAnswer, WorkerRequest } from "./worker.ts";

interface Job {
  readonly task: SampleTask;
  readonly resolve: (sample: PreparedSample) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  /** Sent and not yet answered, oldest first. */
  readonly jobs: Map<number, Job>;
}

/** Jobs a thread holds at once: one is decoded (in libvips' own thread) while another is augmented. */
const jobsAtOnce = 2;

/** Threads by default: all cores but the one that feeds the GPU, at most 8. */
export function defaultWorkers(): number {
  return Math.max(1, Math.min(8, availableParallelism() - 1));
}

function startWorker(entry: URL): Worker {
  if (!entry.pathname.endsWith(".ts")) return new Worker(entry);
  // Run from source (development, tests): the thread registers the loader itself, found from here, whatever the parent runs in.
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx/package.json"));
  const loader = new URL("./dist/esm/api/index.mjs", tsx).href;
  const program = `import { register } from "${loader}"; register(); await import("${entry.href}");`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), { execArgv: [] });
}

const ownEntry = () => new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);

export class SamplePool {
  private readonly threads: Thread[];
  private readonly queue: Job[] = [];
  private nextId = 0;
  private broken: Error | undefined;

  /** `workers` threads; 0 = samples are prepared in this thread. `entry` is the thread's program. */
  constructor(workers: number = defaultWorkers(), entry: URL = ownEntry()) {
    this.threads = Array.from({ length: workers }, () => this.start(entry));
  }

  /** One prepared sample. Rejects with DataError naming the file; never stays open when a thread dies. */
  prepare(task: SampleTask): Promise<PreparedSample> {
    if (this.broken !== undefined) return Promise.reject(this.broken);
    if (this.threads.length === 0) return prepareSample(task);
    return new Promise((resolve, reject) => {
      this.queue.push({ task, resolve, reject });
      this.dispatch();
    });
  }

  /** Ends the threads; what was not answered yet is rejected. */
  async close(): Promise<void> {
    this.fail(new DataError("the data loader was closed"));
    await Promise.all(this.threads.map(({ worker }) => worker.terminate()));
  }

  private start(entry: URL): Thread {
    const thread: Thread = { worker: startWorker(entry), jobs: new Map() };
    // A program that ends early must not be held by idle threads; `dispatch` holds it while work is under way.
    thread.worker.unref();
    thread.worker.on("message", (answer: WorkerAnswer) => this.receive(thread, answer));
    thread.worker.on("error", (error) => this.die(thread, error instanceof Error ? error.message : String(error)));
    thread.worker.on("exit", (code) => this.die(thread, `exit code ${code}`));
    return thread;
  }

  private dispatch(): void {
    for (;;) {
      const free = this.threads.reduce((least, thread) => (thread.jobs.size < least.jobs.size ? thread : least));
      const job = free.jobs.size < jobsAtOnce ? this.queue.shift() : undefined;
      if (job === undefined) return;
      const id = this.nextId++;
      free.jobs.set(id, job);
      free.worker.ref();
      free.worker.postMessage({ id, task: job.task } satisfies WorkerRequest);
    }
  }

  private receive(thread: Thread, answer: WorkerAnswer): void {
    const job = thread.jobs.get(answer.id);
    thread.jobs.delete(answer.id);
    if (thread.jobs.size === 0) thread.worker.unref();
    if ("sample" in answer) job?.resolve(answer.sample);
    else job?.reject(answer.explained ? new DataError(answer.failure) : new Error(answer.failure));
    this.dispatch();
  }

  private die(thread: Thread, why: string): void {
    const [oldest] = thread.jobs.values();
    const where = oldest === undefined ? "" : `${oldest.task.image}: `;
    this.fail(
      new DataError(
        `${where}the thread that reads data ended unexpectedly (${why}); run again, if it repeats with --workers 0`,
      ),
    );
  }

  private fail(error: Error): void {
    this.broken ??= error;
    const open = [...this.threads.flatMap(({ jobs }) => [...jobs.values()]), ...this.queue];
    this.queue.length = 0;
    for (const { jobs } of this.threads) jobs.clear();
    for (const job of open) job.reject(this.broken);
  }
}
