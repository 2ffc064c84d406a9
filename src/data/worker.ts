/** The thread behind SamplePool: prepares the samples it is sent and answers with their memory or with the failure. */
import { parentPort } from "node:worker_threads";
import { DataError } from "../errors.ts";
import { type PreparedSample, prepareSample, type SampleTask } from "./sample.ts";

export interface WorkerRequest {
  readonly id: number;
  readonly task: SampleTask;
}

export type WorkerAnswer =
  | { readonly id: number; readonly sample: PreparedSample }
  /** `explained`: a DataError's message, complete in itself; otherwise a fault of ours with its stack. */
  | { readonly id: number; readonly failure: string; readonly explained: boolean };

async function answer({ id, task }: WorkerRequest): Promise<void> {
  try {
    const sample = await prepareSample(task);
    parentPort?.postMessage({ id, sample } satisfies WorkerAnswer, [sample.image.buffer, sample.label.buffer]);
  } catch (error) {
    const explained = error instanceof DataError;
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const failure = explained ? error.message : stack;
    parentPort?.postMessage({ id, failure, explained } satisfies WorkerAnswer);
  }
}

parentPort?.on("message", (request: WorkerRequest) => {
  void answer(request);
});
