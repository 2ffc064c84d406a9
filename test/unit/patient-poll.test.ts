import { promisify } from "node:util";
import { afterAll, expect, test, vi } from "vitest";
import { pollPatiently } from "../../src/platform/node/patient-poll.ts";

/** A nameless native function without parameters, as the addon's own; calling it does nothing. */
const NATIVE = Function.prototype as () => void;

let time = 0;
const clock = vi.spyOn(performance, "now").mockImplementation(() => time);
afterAll(() => clock.mockRestore());

const isTimer = (made: unknown) => typeof (made as NodeJS.Timeout).refresh === "function";
/** Whether a call of setImmediate at that time makes a timer. */
const timerAt = (milliseconds: number, callback: (...given: never[]) => void = NATIVE) => {
  time = milliseconds;
  return isTimer(setImmediate(callback as () => void));
};

test("only the addon's polls become timers, and only behind the beginning of a wait", async () => {
  pollPatiently(5);
  pollPatiently(2);
  expect([100, 102, 104.9, 105, 107, 109].map((at) => timerAt(at))).toEqual([false, false, false, true, true, true]);
  // In the middle of a wait all others are called as ever.
  const named = { poll() {} };
  for (const other of [() => {}, named.poll, NATIVE.bind(null), Math.max]) expect(timerAt(110, other)).toBe(false);
  expect(isTimer(setImmediate(NATIVE as (text: string) => void, "argument"))).toBe(false);
  await new Promise((resolve) => expect(isTimer(setImmediate(resolve))).toBe(false));
  expect(await promisify(setImmediate)("value")).toBe("value");
  expect(timerAt(111)).toBe(true);
  // Behind a pause a new wait begins.
  expect(timerAt(115)).toBe(false);
});
