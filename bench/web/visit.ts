import { setTimeout } from "node:timers/promises";
import { DataError } from "../../src/errors.ts";
import type { AdapterReport } from "../../src/kernels/device/adapter.ts";
import { openBrowser, openPage } from "../../test/system/browser/browser.ts";
import type { Engine, PageQuery, PageTimes } from "./setting.ts";
import { EMPTY_PAGE, pageFile } from "./site.ts";

/** The browser that measures, and the GPU that it gives a page. */
export interface BrowserFacts {
  readonly version: string;
  readonly adapter: Pick<AdapterReport, "name" | "driver" | "backend">;
}

/**
 * Opens an engine's page in a browser of its own, which has cached nothing, and returns what the page measured. DataError
 * where the page fails, with its own words, or takes longer than `limit` seconds.
 */
export async function visit(
  address: string,
  engine: Engine,
  { network, runs }: PageQuery,
  limit: number,
): Promise<PageTimes> {
  const browser = await openBrowser();
  try {
    const { page, errors } = await openPage(browser);
    await page.goto(`${address}/${pageFile(engine)}?network=${network}&runs=${runs}`, { timeout: 1000 * limit });
    const told = await Promise.race([page.evaluate(() => globalThis.measured ?? null), silence(limit)]);
    if (told === undefined) throw new Error(`it did not end within ${limit} s (--limit)`);
    if (told === null) throw new Error(`its script did not run: ${errors.join("; ")}`);
    return told;
  } catch (error) {
    const [line] = String(error instanceof Error ? error.message : error).split("\n");
    throw new DataError(`the page of ${engine} failed on ${network}: ${line}`, { cause: error });
  } finally {
    await browser.close();
  }
}

/** Undefined after so many seconds; keeps no process alive. */
const silence = (seconds: number) => setTimeout(1000 * seconds, undefined, { ref: false });

/** What stands above the figures. */
export async function browserFacts(address: string): Promise<BrowserFacts> {
  const browser = await openBrowser();
  try {
    const { page } = await openPage(browser);
    await page.goto(`${address}/${EMPTY_PAGE}`);
    const info = await page.evaluate(async () => {
      const found = (await navigator.gpu.requestAdapter())?.info;
      return found ? { name: [found.vendor, found.architecture, found.description].filter(Boolean).join(" ") } : null;
    });
    if (!info) throw new DataError("the browser finds no GPU, not even a software one");
    return {
      version: browser.version(),
      adapter: { ...info, driver: `Chromium ${browser.version()}`, backend: "WebGPU" },
    };
  } finally {
    await browser.close();
  }
}
