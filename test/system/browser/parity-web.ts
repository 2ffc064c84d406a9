import { readFileSync } from "node:fs";
import { parityResult } from "../../../src/parity/check-files.ts";
import type { FileResult } from "../../../src/parity/report.ts";
import { findFixtures } from "../../../src/parity/run.ts";
import { openBrowser } from "./browser.ts";
import { openEngine } from "./engine.ts";

/** Checks the golden files under the arguments in a browser and prints what `svanet parity` prints. */
async function main(paths: readonly string[]): Promise<number> {
  const { sources, places } = await findFixtures(paths);
  const browser = await openBrowser();
  try {
    const engine = await openEngine(browser);
    const results: FileResult[] = [];
    for (const { path, folder, stem } of sources) {
      const result = await engine.call("parity", { path, folder, stem }, engine.serve(readFileSync(path)));
      results.push(result);
      process.stderr.write(`${result.failures.length === 0 ? "pass" : "FAIL"} ${path}\n`);
    }
    await engine.close();
    const { text, exitCode } = parityResult(results, places);
    process.stdout.write(`${text}\n`);
    return exitCode;
  } finally {
    await browser.close();
  }
}

process.exitCode = await main(process.argv.slice(2));
