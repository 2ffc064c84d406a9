import { constants } from "node:os";
import { note } from "./print.ts";

/** Signals that end a run after its state is saved. */
const STOPPING = ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"] as const;
type Stopping = (typeof STOPPING)[number];

/** A scheduler sends SIGUSR1 before it takes the machine away: the same command is worth trying again. */
const TRY_AGAIN = 75;

/** The exit code of a command that a signal ended, as shells count: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP. */
export function exitCodeOf(signal: Stopping): number {
  return signal === "SIGUSR1" ? TRY_AGAIN : 128 + constants.signals[signal];
}

/** What work is told of the signals that came while it ran. */
export interface Stop {
  /** The signal that asks the work to save and end; null while none does. */
  readonly signal: Stopping | null;
}

/**
 * Runs `work`, which looks at `stop` where it can save. The first signal asks it to end, the second ends the process at
 * once.
 */
export async function stoppable<R>(work: (stop: Stop) => Promise<R>): Promise<R> {
  const stop: { signal: Stopping | null } = { signal: null };
  const onSignal = (signal: NodeJS.Signals) => {
    if (!isStopping(signal) || (signal === "SIGHUP" && !atTerminal())) return;
    if (stop.signal !== null) process.exit(exitCodeOf(signal));
    stop.signal = signal;
    note("stopping after this step; once more to stop at once");
  };
  for (const signal of STOPPING) process.on(signal, onSignal);
  try {
    return await work(stop);
  } finally {
    for (const signal of STOPPING) process.off(signal, onSignal);
  }
}

/** Waits for Ctrl-C, or SIGTERM: the way to end what has no end of its own, and so no failure. */
export async function untilStopped(): Promise<void> {
  const signals = ["SIGINT", "SIGTERM"] as const;
  await new Promise<void>((resolve) => {
    const ended = () => {
      for (const signal of signals) process.off(signal, ended);
      resolve();
    };
    for (const signal of signals) process.on(signal, ended);
  });
}

const isStopping = (signal: NodeJS.Signals): signal is Stopping => STOPPING.some((one) => one === signal);

/** Whether a person looks on. Node remembers it of a terminal that is closed. */
const atTerminal = () => process.stdout.isTTY === true || process.stderr.isTTY === true;

/**
 * Where no terminal is, a hang-up concerns nobody here: `nohup` has it ignored, but Node sets that back, so that it would
 * end the run. Says so once. At a terminal it ends the command, which is what a closed window means.
 */
export function outliveHangUp(): void {
  if (atTerminal()) return;
  let said = false;
  process.on("SIGHUP", () => {
    if (!said) note("SIGHUP is ignored: neither stdout nor stderr is a terminal (kill -TERM stops after saving)");
    said = true;
  });
}
