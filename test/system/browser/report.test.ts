import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ReportData } from "../../../src/experiment/report/data.ts";
import { renderReport } from "../../../src/experiment/report/render.ts";
import { diceAt, madeReport } from "../../support/report-data.ts";
import { openBrowser, openPage, type View } from "./browser.ts";

let browser: Browser;
const folder = mkdtempSync(join(tmpdir(), "svanet-report-"));
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

/** The page of some data, opened from disk. */
async function opened(data: ReportData, view: View = {}) {
  const file = join(folder, "report.html");
  writeFileSync(file, await renderReport(data));
  const watched = await openPage(browser, view);
  await watched.page.goto(`file://${file}`);
  return { ...watched, file };
}

const SMALL = { groups: ["svanet", "unet"], repeats: 2, images: 6 } as const;
/** A picture that may be followed by anything. */
const SHORT_SVG = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/><!--";
/** One pixel. */
const PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";

test("every chart is drawn with a name, its numbers stand beside it, and nothing is loaded", async () => {
  const { page, errors, requests, close } = await opened(madeReport(SMALL));
  const plots = page.getByRole("img").and(page.locator(".plot"));
  await expect.poll(() => page.locator(".plot svg").count()).toBe(10);
  expect(await plots.count()).toBe(10);
  expect(await plots.evaluateAll((all) => all.map((one) => one.getAttribute("aria-label")))).toEqual([
    ...["Training loss", "Learning rate", "Validation loss", "Foreground Dice on val", "mDice on val", "mIoU on val"],
    ...["mDice by object size", "Dice of each image by object size: svanet", "Confusion matrix: svanet"],
    "ROC curves of the foreground",
  ]);
  await page.locator("#mdice-by-size-cells summary").click();
  const numbers = await page.locator("#mdice-by-size-cells tbody tr").allInnerTexts();
  expect(numbers.map((row) => row.split("\t"))).toEqual([
    ["svanet", "2", "60.50 ± 0.71", "80.50 ± 0.71"],
    ["unet", "2", "62.50 ± 0.71", "82.50 ± 0.71"],
  ]);
  expect(await page.locator("#confusion-cells-svanet svg text").allTextContents()).toEqual(
    expect.arrayContaining(["90.00", "10.00", "25.00", "75.00"]),
  );
  expect(requests.filter((address) => !address.startsWith("data:"))).toHaveLength(1);
  expect(errors).toEqual([]);
  await close();
});

test("names are shown as they are, whatever they hold", async () => {
  const name = "<img src=x onerror=document.title='broken'></script><script>document.title='broken'</script>";
  const made = madeReport({ ...SMALL, groups: [name, "\u2028|a\\b"] });
  const { page, errors, close } = await opened({ ...made, title: name, notes: [name] });
  await expect.poll(() => page.locator(".plot svg").count()).toBe(10);
  expect(await page.locator("h1").textContent()).toBe(name);
  expect(await page.title()).toBe(`${name} – svanet report`);
  expect(await page.locator("img[src=x]").count()).toBe(0);
  expect(errors).toEqual([]);
  await close();
});

test("headings sort by keyboard, and the table is copied as it stands", async () => {
  const { page, close } = await opened(madeReport(SMALL));
  const heading = page.locator("#images-table").getByRole("button", { name: "Dice (%)", exact: true });
  const first = page.locator("#images-table tbody th").first();
  const means = Array.from({ length: 6 }, (_, i) => [0, 1, 2, 3].reduce((sum, run) => sum + diceAt(i, run) / 4, 0));
  const byScore = means.map((mean, i) => ({ mean, name: `image-${i}` })).sort((a, b) => a.mean - b.mean);
  expect(await first.textContent()).toBe(byScore[0]?.name);
  await heading.focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  expect(await first.textContent()).toBe(byScore.at(-1)?.name);
  expect(await page.locator("#images-table [aria-sort]").getAttribute("aria-sort")).toBe("descending");
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Dice (%)");
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.locator("#scores-table").getByRole("button", { name: "LaTeX" }).click();
  await expect.poll(() => page.locator("#scores-table .copy [role=status]").textContent()).toBe("copied as LaTeX");
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toContain("network & runs & images & mDice $<$ 1 \\%");
  expect(copied).toContain("unet & 2 & 6 & \\textbf{62.50 $\\pm$ 0.71}");
  await close();
});

test("a picture stands beside the pointer over an image's point", async () => {
  const { page, errors, close } = await opened(madeReport({ ...SMALL, images: 1, thumbnail: () => PIXEL }));
  await page.locator("#dice-by-size-cells-svanet .mark-symbol path").hover();
  await expect.poll(() => page.locator(".beside").innerText()).toContain("image-0");
  expect(await page.locator(".beside img").getAttribute("src")).toBe(PIXEL);
  expect(errors).toEqual([]);
  await close();
});

test("an update shows other data and leaves what was chosen and sorted", async () => {
  const { page, errors, close } = await opened(madeReport(SMALL));
  await page.locator("#choose-confusion").selectOption("unet");
  await page.locator("#scores-table").getByRole("button", { name: "runs" }).click();
  const next = { ...madeReport({ ...SMALL, repeats: 3, steps: 50 }), title: "later" };
  await page.evaluate((data) => window.svanetReport.update(data), next);
  expect(await page.locator("h1").textContent()).toBe("later");
  expect(await page.locator("#scores-table tbody td").first().textContent()).toBe("3");
  expect(await page.locator("#choose-confusion").inputValue()).toBe("unet");
  await expect.poll(() => page.locator("#confusion-cells-unet .plot svg").count()).toBe(1);
  expect(await page.locator("#scores-table [aria-sort]").textContent()).toBe("runs");
  expect(errors).toEqual([]);
  await close();
});

test("what is not there is said in a sentence, with the command that makes it", async () => {
  const made = madeReport(SMALL);
  const runs = made.runs.map((run) => ({ ...run, evaluation: null, roc: null }));
  const { page, errors, close } = await opened({ ...made, runs, images: [] });
  await expect.poll(() => page.locator(".plot svg").count()).toBe(6);
  const sentences = await page.locator(".absent").allTextContents();
  expect(sentences).toHaveLength(8);
  expect(sentences.every((sentence) => /svanet (eval|report|features)/.test(sentence))).toBe(true);
  expect(errors).toEqual([]);
  await close();
});

test("a phone shows all of it without scrolling sideways, in the dark as well", async () => {
  const { page, errors, close } = await opened(madeReport(SMALL), { width: 360, height: 780, dark: true });
  await expect.poll(() => page.locator(".plot svg").count()).toBe(10);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
  const colours = await page.evaluate(() => {
    const { color, backgroundColor } = getComputedStyle(document.body);
    return [color, backgroundColor];
  });
  expect(colours).toEqual(["rgb(228, 231, 235)", "rgb(21, 24, 28)"]);
  expect(errors).toEqual([]);
  await close();
});

test("40 runs and 2,000 images open within two seconds and 30 MB", async () => {
  const groups = Array.from({ length: 10 }, (_, i) => `network ${i}`);
  // As long as the thumbnails that are made: 96 pixels, about two kilobytes.
  const padding = "A".repeat(2800);
  const data = madeReport({ groups, repeats: 4, images: 2000, steps: 150, thumbnail: () => `${SHORT_SVG}${padding}` });
  const file = join(folder, "large.html");
  writeFileSync(file, await renderReport(data));
  expect(statSync(file).size).toBeLessThan(30e6);
  const { page, errors, close } = await openPage(browser);
  const session = await page.context().newCDPSession(page);
  // Seconds in which the page's thread computes: what else the machine does is not the page's.
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  await page.goto(`file://${file}`);
  await expect.poll(() => page.locator(".plot svg").count()).toBe(10);
  const { metrics } = await session.send("Performance.getMetrics");
  expect(metrics.find(({ name }) => name === "TaskDuration")?.value).toBeLessThan(2);
  expect(await page.locator("#images-table tbody tr").count()).toBe(25);
  expect(errors).toEqual([]);
  await close();
});
