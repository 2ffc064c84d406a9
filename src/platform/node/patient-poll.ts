/** Polls of Dawn's addon that follow each other within this time, in milliseconds, belong to one wait. */
const ONE_WAIT = 3;

/** How long a wait is polled without a pause, in milliseconds; 0 until a device is opened. */
let patience = 0;
let began = 0;
let last = Number.NEGATIVE_INFINITY;
let isInstalled = false;

/**
 * From now on Dawn's addon no longer takes a whole core while it waits for the GPU. As long as a promise of it is pending it asks
 * for the result by setImmediate, over and over; behind the first `milliseconds` of a wait such a call becomes a timer of one
 * millisecond, which may delay a result by as much. Other callers of setImmediate notice nothing. Of several devices the most
 * patient one decides.
 */
export function pollPatiently(milliseconds: number): void {
  patience = Math.max(patience, milliseconds);
  if (isInstalled) return;
  isInstalled = true;
  globalThis.setImmediate = new Proxy(globalThis.setImmediate, {
    apply(target, self, given: readonly unknown[]) {
      return isPoll(given) && waitsLong() ? setTimeout(given[0], 1) : Reflect.apply(target, self, given);
    },
  });
}

/** Whether these are the arguments of the addon: one nameless function without parameters that no script has written. */
function isPoll(given: readonly unknown[]): given is [() => void] {
  const [poll] = given;
  if (given.length !== 1 || typeof poll !== "function" || poll.name !== "" || poll.length !== 0) return false;
  return Function.prototype.toString.call(poll).endsWith("{ [native code] }");
}

/** Whether the wait that a poll belongs to has lasted for longer than it is polled without a pause. */
function waitsLong(): boolean {
  const now = performance.now();
  if (now - last > ONE_WAIT) began = now;
  last = now;
  return now - began >= patience;
}
