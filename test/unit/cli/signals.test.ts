import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { exitCodeOf, outliveHangUp, stoppable } from "../../../src/cli/signals.ts";
import { catchPrinted } from "../../support/printed.ts";

const TERMINAL = { stdout: process.stdout.isTTY, stderr: process.stderr.isTTY };
let printed: string[] = [];

beforeEach(() => {
  printed = catchPrinted();
  look(false);
});

afterEach(() => {
  vi.restoreAllMocks();
  process.removeAllListeners("SIGHUP");
  process.stdout.isTTY = TERMINAL.stdout;
  process.stderr.isTTY = TERMINAL.stderr;
});

function look(stdout: boolean, stderr = stdout): void {
  process.stdout.isTTY = stdout;
  process.stderr.isTTY = stderr;
}

/** The exit code that a command ends with to which these signals come while it works; null where none asks it to end. */
async function after(...signals: NodeJS.Signals[]): Promise<number | null> {
  return stoppable(async (stop) => {
    for (const signal of signals) process.emit(signal, signal);
    return stop.signal === null ? null : exitCodeOf(stop.signal);
  });
}

test("a run that a signal stopped says by which, as shells count", async () => {
  expect(await after()).toBeNull();
  expect(await after("SIGINT")).toBe(130);
  expect(await after("SIGTERM")).toBe(143);
  expect(await after("SIGUSR1")).toBe(75);
});

test.each([
  [true, false],
  [false, true],
])("a hang-up ends what has a terminal (stdout %s, stderr %s)", async (stdout, stderr) => {
  look(stdout, stderr);
  outliveHangUp();
  expect(await after("SIGHUP")).toBe(129);
});

test("a hang-up is nothing to what has no terminal, and that is said once", async () => {
  outliveHangUp();
  expect(await after("SIGHUP", "SIGHUP")).toBeNull();
  expect(printed.filter((text) => text.startsWith("SIGHUP is ignored"))).toHaveLength(1);
});

test("a second signal ends the process at once, with its own code", async () => {
  const exit = vi.spyOn(process, "exit").mockImplementation((code) => {
    throw new Error(`exit ${code}`);
  });
  await expect(after("SIGINT", "SIGTERM")).rejects.toThrow("exit 143");
  expect(exit).toHaveBeenCalledTimes(1);
});

test("signals are let go of when the work is over", async () => {
  const before = process.listenerCount("SIGINT");
  await after("SIGINT");
  expect(process.listenerCount("SIGINT")).toBe(before);
});
