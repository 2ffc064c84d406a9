import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";
import { parentPort, Worker } from "node:worker_threads";
import { DataError, OutputError, SvanetError } from "../errors.ts";

/** One kind of work: how it is done here, and the program of the threads that do it elsewhere. */
interface Work<Task, Result> {
  /** The same function that the threads' program answers with. */
  readonly here: (task: Task) => Promise<Result>;
  readonly entry: URL;
  /** The file to name when a thread dies over it. */
  readonly fileOf: (task: Task) => string;
}

interface Request<Task> {
  readonly id: number;
  readonly task: Task;
}

type Answer<Result> =
  | { readonly id: number; readonly result: Result }
  | { readonly id: number; readonly failure: string; readonly fault: Fault };

/** Whose fault a failure is. The message of all but `svanet` is complete in itself; there it is the stack. */
type Fault = "data" | "output" | "svanet";

interface Job<Task, Result> {
  readonly task: Task;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

interface Thread<Task, Result> {
  readonly worker: Worker;
  /** Sent and not yet answered, oldest first. */
  readonly jobs: Map<number, Job<Task, Result>>;
}

/** Jobs a thread holds at once: one is decoded (in libvips' own thread) while another is worked on. */
const JOBS_AT_ONCE = 2;

/** Threads by default: all cores but the one that feeds the GPU, at most 8. */
export function defaultWorkers(): number {
  return Math.max(1, Math.min(8, availableParallelism() - 1));
}

/** The program of a thread named `name` beside the module at `base`, as source or built. */
export function threadProgram(base: string, name: string): URL {
  return new URL(`./${name}${base.endsWith(".ts") ? ".ts" : ".js"}`, base);
}

function startWorker(entry: URL): Worker {
  if (!entry.pathname.endsWith(".ts")) return new Worker(entry);
  // Run from source (development, tests): the thread registers the loader itself, found from here, whatever the parent runs in.
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx/package.json"));
  const loader = new URL("./dist/esm/api/index.mjs", tsx).href;
  const program = `import { register } from "${loader}"; register(); await import("${entry.href}");`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), { execArgv: [] });
}

/** In a thread's program: answers every task with `work`; `memoryOf` names what is handed over instead of copied. */
export function answerTasks<Task, Result>(
  work: (task: Task) => Promise<Result>,
  memoryOf: (result: Result) => ArrayBuffer[] = () => [],
): void {
  const answer = async ({ id, task }: Request<Task>) => {
    try {
      const result = await work(task);
      parentPort?.postMessage({ id, result } satisfies Answer<Result>, memoryOf(result));
    } catch (error) {
      parentPort?.postMessage({ id, ...failureOf(error) } satisfies Answer<Result>);
    }
  };
  parentPort?.on("message", (request: Request<Task>) => {
    void answer(request);
  });
}

function failureOf(error: unknown): { failure: string; fault: Fault } {
  if (error instanceof SvanetError) {
    return { failure: error.message, fault: error instanceof OutputError ? "output" : "data" };
  }
  return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error), fault: "svanet" };
}

const FAULTS = { data: DataError, output: OutputError, svanet: Error } as const;

/** Threads that work on files. Who does what cannot matter: an answer depends on its task alone. */
export class ThreadPool<Task, Result> {
  readonly #work: Work<Task, Result>;
  readonly #threads: Thread<Task, Result>[];
  readonly #queue: Job<Task, Result>[] = [];
  #nextId = 0;
  #broken: Error | undefined;

  /** `workers` threads; 0 = the work is done in this thread. */
  constructor(work: Work<Task, Result>, workers: number = defaultWorkers()) {
    this.#work = work;
    this.#threads = Array.from({ length: workers }, () => this.#start(work.entry));
  }

  /** The answer to one task. Rejects with DataError or OutputError naming the file; never stays open when a thread dies. */
  run(task: Task): Promise<Result> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    if (this.#threads.length === 0) return this.#work.here(task);
    return new Promise((resolve, reject) => {
      this.#queue.push({ task, resolve, reject });
      this.#dispatch();
    });
  }

  /** Ends the threads; what was not answered yet is rejected. */
  async close(): Promise<void> {
    this.#fail(new DataError("the data loader was closed"));
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #start(entry: URL): Thread<Task, Result> {
    const thread: Thread<Task, Result> = { worker: startWorker(entry), jobs: new Map() };
    // A program that ends early must not be held by idle threads; `dispatch` holds it while work is under way.
    thread.worker.unref();
    thread.worker.on("message", (answer: Answer<Result>) => this.#receive(thread, answer));
    thread.worker.on("error", (error) => this.#die(thread, error instanceof Error ? error.message : String(error)));
    thread.worker.on("exit", (code) => this.#die(thread, `exit code ${code}`));
    return thread;
  }

  #dispatch(): void {
    for (;;) {
      const free = this.#threads.reduce((least, thread) => (thread.jobs.size < least.jobs.size ? thread : least));
      const job = free.jobs.size < JOBS_AT_ONCE ? this.#queue.shift() : undefined;
      if (job === undefined) return;
      const id = this.#nextId++;
      free.jobs.set(id, job);
      free.worker.ref();
      free.worker.postMessage({ id, task: job.task } satisfies Request<Task>);
    }
  }

  #receive(thread: Thread<Task, Result>, answer: Answer<Result>): void {
    const job = thread.jobs.get(answer.id);
    thread.jobs.delete(answer.id);
    if (thread.jobs.size === 0) thread.worker.unref();
    if ("result" in answer) job?.resolve(answer.result);
    else job?.reject(new FAULTS[answer.fault](answer.failure));
    this.#dispatch();
  }

  #die(thread: Thread<Task, Result>, why: string): void {
    const [oldest] = thread.jobs.values();
    const where = oldest === undefined ? "" : `${this.#work.fileOf(oldest.task)}: `;
    this.#fail(
      new DataError(
        `${where}the thread that reads data ended unexpectedly (${why}); run again, if it repeats with --workers 0`,
      ),
    );
  }

  #fail(error: Error): void {
    this.#broken ??= error;
    const open = [...this.#threads.flatMap(({ jobs }) => [...jobs.values()]), ...this.#queue];
    this.#queue.length = 0;
    for (const { jobs } of this.#threads) jobs.clear();
    for (const job of open) job.reject(this.#broken);
  }
}
