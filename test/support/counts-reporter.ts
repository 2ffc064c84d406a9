import type { Reporter, TestModule } from "vitest/node";

/** Prints `N passed, N failed` as the last line of a run. A file that could not even be loaded counts as a failure. */
export class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    for (const module of modules) {
      let failedHere = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed++;
        if (state === "failed") failedHere++;
      }
      failed += module.state() === "failed" ? Math.max(1, failedHere) : failedHere;
    }
    // The default reporter writes its summary in the same turn; this line comes after it.
    process.once("exit", () => process.stdout.write(`${passed} passed, ${failed} failed\n`));
  }
}
