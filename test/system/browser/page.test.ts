import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cellsKind } from "../../../src/data/synth/cells.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import { writePage } from "../../../src/experiment/page/write-page.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { type LoopbackServer, serveLoopback } from "../../../src/serve/loopback.ts";
import { folderAnswers } from "../../../src/serve/static-files.ts";
import { saveTiny } from "../../support/checkpoint.ts";
import { svanet } from "../../support/svanet.ts";
import { openBrowser, openPage } from "./browser.ts";

/** A software GPU compiles the network for seconds, on a busy machine for longer. */
const SLOW = { timeout: 90_000 };

const scratch = mkdtempSync(join(tmpdir(), "svanet-page-"));
const pageFolder = join(scratch, "page");
/** Two of the network's size, and one that is resized for it. */
const IMAGES = ["one.png", "two.png", "wide.png"].map((name) => join(scratch, name));
let browser: Browser;
let server: LoopbackServer;

beforeAll(async () => {
  const set = join(scratch, "set");
  await writeSynth(cellsKind, { out: set, train: 2, val: 1, size: 64, seed: 3 });
  const device = await openDevice();
  const checkpoint = await saveTiny(device, join(scratch, "tiny.safetensors"));
  device.close();
  const [one = "", two = "", wide = ""] = IMAGES;
  copyFileSync(join(set, "train", "train-0000.png"), one);
  copyFileSync(join(set, "train", "train-0001.png"), two);
  await sharp(one).resize(150, 90, { fit: "fill" }).toFile(wide);
  await writePage(pageFolder, { title: "Cells & <b>more</b>", checkpoint, examples: [two] });
  server = await serveLoopback(folderAnswers(pageFolder));
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(scratch, { recursive: true, force: true });
});

const statusOf = (page: Page): Promise<string> => page.locator("#status").innerText();
const noticeOf = (page: Page): Promise<string> => page.locator("#notice").innerText();

/** Saves what a button of the page saves. */
async function saved(page: Page, id: string): Promise<{ name: string; bytes: Buffer }> {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(id).click()]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

/** The class indices of a mask: the network's colours have them in red. */
const labelsOf = (png: Buffer | string): Promise<Buffer> => sharp(png).extractChannel(0).raw().toBuffer();

test("masks are those of svanet predict; nothing is asked of another place; it works offline afterwards", async () => {
  const masks = join(scratch, "masks");
  const predicted = svanet("predict", join(scratch, "tiny.safetensors"), ...IMAGES, "--out", masks);
  expect(predicted.status, predicted.stderr).toBe(0);
  const { page, errors, requests, close } = await openPage(browser);
  await page.goto(`${server.address}/`);
  expect(await page.title()).toBe("Cells & <b>more</b>");
  await expect.poll(() => statusOf(page), SLOW).toMatch(/^Ready on /);
  for (const image of IMAGES) {
    const name = basename(image);
    await page.locator("#files").setInputFiles(image);
    await expect.poll(() => statusOf(page), SLOW).toContain(`${name}: `);
    const mask = await saved(page, "#save-mask");
    expect(mask.name).toBe(name);
    const [found, expected] = [await labelsOf(mask.bytes), await labelsOf(join(masks, name))];
    expect(found.length).toBe(expected.length);
    expect(new Set(expected).size).toBeGreaterThan(1);
    const equal = found.filter((label, at) => label === expected[at]).length;
    expect(equal / expected.length).toBeGreaterThanOrEqual(0.9999);
    // Of equal labels the file has equal bytes.
    if (equal === expected.length) expect(mask.bytes.equals(readFileSync(join(masks, name)))).toBe(true);
  }
  expect((await saved(page, "#save-table")).bytes.toString()).toMatch(/^image,/);
  expect((await sharp((await saved(page, "#save-overlay")).bytes).metadata()).width).toBe(150);
  await page.waitForFunction(() => navigator.serviceWorker.ready);
  expect(errors).toEqual([]);
  for (const asked of requests) expect(asked.startsWith(server.address) || asked.startsWith("blob:")).toBe(true);
  await page.context().setOffline(true);
  await page.reload();
  await expect.poll(() => statusOf(page), SLOW).toMatch(/^Ready on /);
  await page.locator("#examples button").click();
  await expect.poll(() => statusOf(page), SLOW).toContain("two.png: ");
  await close();
});

test("files that cannot be looked at get a sentence each, and the page goes on", async () => {
  const text = join(scratch, "letter.txt");
  writeFileSync(text, "no image");
  const huge = join(scratch, "huge.png");
  const blank = { create: { width: 12_000, height: 9_000, channels: 3, background: "black" } } as const;
  await sharp({ ...blank, limitInputPixels: false })
    .toColourspace("b-w")
    .png({ compressionLevel: 1 })
    .toFile(huge);
  const { page, errors, close } = await openPage(browser);
  await page.goto(`${server.address}/`);
  await expect.poll(() => statusOf(page), SLOW).toMatch(/^Ready on /);
  for (const [file, sentence] of [
    [text, "Letter.txt: this is no image that is read here; PNG, JPEG, WebP, NIfTI and uncompressed DICOM are."],
    [huge, "Huge.png: 12000x9000 pixels are 108 megapixels; this page takes up to 32: cut it into smaller images"],
  ] as const) {
    await page.locator("#files").setInputFiles(file);
    await expect.poll(() => noticeOf(page), SLOW).toContain(sentence);
  }
  await page.locator("#files").setInputFiles(IMAGES.slice(0, 1));
  await expect.poll(() => statusOf(page), SLOW).toContain("one.png: ");
  expect(await page.locator("#notice").isVisible()).toBe(false);
  expect(errors).toEqual([]);
  await close();
});

test("weights that were changed are refused, before anything is computed", async () => {
  const folder = join(scratch, "tampered");
  cpSync(pageFolder, folder, { recursive: true });
  const file = join(folder, "network.safetensors");
  const bytes = readFileSync(file);
  bytes[bytes.length - 9] = (bytes[bytes.length - 9] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  const other = await serveLoopback(folderAnswers(folder));
  const { page, close } = await openPage(browser);
  await page.goto(`${other.address}/`);
  await expect.poll(() => noticeOf(page), SLOW).toContain("is not the one this page was written with");
  await close();
  await other.close();
});

test("a browser without WebGPU is told which have it", async () => {
  const { page, close } = await openPage(browser, { withoutWebGpu: true });
  await page.goto(`${server.address}/`);
  await expect.poll(() => noticeOf(page), SLOW).toMatch(/This browser has no WebGPU.* Chrome and Edge from 113/);
  await close();
});
