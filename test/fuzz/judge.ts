import { readdirSync } from "node:fs";
import { SvanetError } from "../../src/errors.ts";
import type { FuzzTarget } from "./target.ts";

/** What one input may take: processor time in seconds, and growth of the process's memory in bytes. */
export const LIMITS = { seconds: 2, bytes: 2 ** 30 };

/** What an input was to its parser. */
export interface Verdict {
  readonly outcome: "read" | "refused";
  readonly seconds: number;
}

/** An input that broke a promise; the message says which. */
export class Violation extends Error {}

/** Objects that every program shares: a parser that changes one has been made to by its input. */
const SHARED = { Object: Object.prototype, Array: Array.prototype, Function: Function.prototype, Map: Map.prototype };

const fingerprint = () =>
  Object.entries(SHARED)
    .map(([name, shared]) => `${name}: ${Reflect.ownKeys(shared).map(String).join()}`)
    .join("; ");
const CLEAN = fingerprint();

async function outcomeOf(target: FuzzTarget, bytes: Buffer, folder: string): Promise<Verdict["outcome"]> {
  try {
    await target.run(bytes, folder);
    return "read";
  } catch (error) {
    if (!(error instanceof SvanetError)) {
      throw new Violation(`an error that is no answer: ${error instanceof Error ? error.stack : String(error)}`);
    }
    if (!error.message.includes("fuzzed")) throw new Violation(`does not name the file: ${error.message}`);
    if (error.message.length > 4096) throw new Violation(`an answer of ${error.message.length} characters`);
    return "refused";
  }
}

/**
 * Feeds `bytes` to the target's parser; `folder` is an empty folder that it may write its one input to. Throws Violation
 * unless the input is read or refused by a SvanetError that names it, within two seconds of processor time and 1 GiB of
 * memory, with the shared prototypes as they were and nothing written beside the input.
 */
export async function judge(target: FuzzTarget, bytes: Buffer, folder: string, limits = LIMITS): Promise<Verdict> {
  const [clock, memory] = [process.cpuUsage(), process.resourceUsage().maxRSS * 1024];
  const outcome = await outcomeOf(target, bytes, folder);
  const { user, system } = process.cpuUsage(clock);
  const seconds = (user + system) / 1e6;
  if (seconds > limits.seconds) throw new Violation(`took ${seconds.toFixed(1)} s of processor time`);
  const grown = process.resourceUsage().maxRSS * 1024 - memory;
  if (grown > limits.bytes) throw new Violation(`took ${Math.round(grown / 2 ** 20)} MiB of memory`);
  if (fingerprint() !== CLEAN) throw new Violation(`changed a shared prototype: ${fingerprint()}`);
  const strange = readdirSync(folder).filter((name) => !target.writes.includes(name));
  if (strange.length > 0) throw new Violation(`wrote ${strange.join(", ")}`);
  return { outcome, seconds };
}
