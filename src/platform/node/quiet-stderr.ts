import { closeSync, constants, fstatSync, openSync } from "node:fs";

/**
 * Dawn writes two lines about "artificially reduced" limits to file descriptor 2 whenever it meets a driver that offers many
 * dynamic buffers, from native code and with no switch or callback. They mean nothing here: no kernel uses such buffers.
 */

const OURS = "/proc/self/fd/2";
const STDERR = 2;

/** Another descriptor of what stderr is, or undefined where opening one could block, fail or write to another place. */
function anotherStderr(): number | undefined {
  const { O_WRONLY, O_NOCTTY, O_NONBLOCK } = constants;
  try {
    const stat = fstatSync(STDERR);
    // A file would be written from another offset than those who share it know, and a socket cannot be opened.
    if (!stat.isCharacterDevice() && !stat.isFIFO()) return undefined;
    // Opening a pipe that nobody reads any more would wait for ever; tried this way it is an error.
    closeSync(openSync(OURS, O_WRONLY | O_NOCTTY | O_NONBLOCK));
    return openSync(OURS, O_WRONLY | O_NOCTTY);
  } catch {
    return undefined; // stderr is closed, belongs to another user, or nobody reads it: then it stays as it is
  }
}

/**
 * Runs `work`, which must return before anything else of this process writes to stderr or opens a file; what native code
 * writes to stderr meanwhile is lost. Where stderr is no terminal or pipe of Linux, it is not.
 */
export function withQuietStderr<T>(work: () => T): T {
  const other = process.platform === "linux" ? anotherStderr() : undefined;
  if (other === undefined) return work();
  closeSync(STDERR);
  // The lowest number that is free: 2.
  openSync("/dev/null", "w");
  try {
    return work();
  } finally {
    closeSync(STDERR);
    openSync(`/proc/self/fd/${other}`, constants.O_WRONLY | constants.O_NOCTTY);
    closeSync(other);
  }
}
