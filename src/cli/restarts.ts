import { DeviceLostError } from "../errors.ts";
import { note } from "./print.ts";

/** Seconds that a driver gets to recover before the GPU is opened again. */
const PAUSE = 2;

/**
 * Runs `work`, and again up to `restarts` times where the GPU was lost, which says so each time; `attempt` counts from 0.
 * Any other failure, and the last loss, is thrown.
 */
export async function supervised<R>(
  restarts: number,
  work: (attempt: number) => Promise<R>,
  pause = PAUSE,
): Promise<R> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (!(error instanceof DeviceLostError) || attempt >= restarts) throw error;
      note(`${error.message}\nrestart ${attempt + 1} of ${restarts} (--max-restarts) in ${pause} s`);
      await new Promise((resolve) => setTimeout(resolve, 1000 * pause));
    }
  }
}
