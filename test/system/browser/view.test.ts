import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunFolder } from "../../../src/experiment/run/run-folder.ts";
import { resolveConfig } from "../../../src/experiment/settings/config.ts";
import { mainFile } from "../../support/svanet.ts";
import { openBrowser, openPage } from "./browser.ts";

/** Folders are looked at once a second, and a busy machine takes its time to draw. */
const SLOW = { timeout: 60_000 };

const scratch = mkdtempSync(join(tmpdir(), "svanet-view-"));
const folder = join(scratch, "run");
let browser: Browser;
let viewing: ChildProcess | undefined;

beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(async () => {
  viewing?.kill();
  await browser.close();
  rmSync(scratch, { recursive: true });
});

/** Starts `svanet view`; the address that it prints. */
async function view(): Promise<string> {
  const child = spawn(process.execPath, [mainFile, "view", folder], { stdio: ["ignore", "pipe", "inherit"] });
  viewing = child;
  let text = "";
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (text.includes("\n")) return text.trim();
  }
  throw new Error("svanet view ended");
}

test("what a run records appears in the page without a reload, and its end is said", async () => {
  const run = RunFolder.create(folder, resolveConfig({ data: "d", out: folder, classes: 2, steps: 3 }));
  const record = (step: number, loss: number) => {
    run.record({ step, kind: "train", epoch: step - 1, loss, rate: 1e-3 });
    run.record({ step, kind: "val", epoch: step - 1, loss, foregroundDice: 100 - 10 * loss, mIoU: 50, mDice: 60 });
  };
  record(1, 0.875);
  const address = await view();
  const { page, errors, requests, close } = await openPage(browser);
  await page.goto(address);
  // A reload would lose this.
  await page.evaluate(() => document.body.setAttribute("data-first", "yes"));
  const plot = page.locator("figure", { hasText: "Training loss" }).locator(".plot");
  await expect.poll(() => plot.locator("svg").count(), SLOW).toBe(1);
  const status = page.locator(".live");
  await expect.poll(() => status.innerText(), SLOW).toBe("live");
  const drawn = await plot.innerHTML();
  record(2, 0.5);
  await expect.poll(() => plot.innerHTML(), SLOW).not.toBe(drawn);
  record(3, 0.25);
  run.close();
  await expect.poll(() => status.innerText(), SLOW).toBe("all runs have ended");
  // The numbers beside the chart are the recorded ones.
  const scores = page.locator("figure", { hasText: "Foreground Dice on val" });
  await scores.locator("summary").click();
  await expect.poll(() => scores.locator("tbody").innerText(), SLOW).toMatch(/91\.25\d* at 1\s+97\.50* at 3/);
  expect(await page.locator("body").getAttribute("data-first")).toBe("yes");
  expect(errors).toEqual([]);
  for (const asked of requests) expect(asked.startsWith(address) || asked.startsWith("data:")).toBe(true);
  await close();
});

test("Ctrl-C ends it, also while a page is open", async () => {
  const child = viewing;
  if (child === undefined) throw new Error("svanet view was not started");
  child.kill("SIGINT");
  const [code] = await once(child, "exit");
  expect(code).toBe(0);
});
